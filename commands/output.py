"""What commands print: answers on standard output, as JSON or for people; notices on the other.

Whatever comes from AWS, from messages or from arguments is shown to the letter: nothing in it is
read as markup, and no character of it steers the terminal.
"""

from __future__ import annotations

import json
import unicodedata
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

# Controls, formats (among them those that turn the direction of writing), surrogates, separators
# of lines and paragraphs.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MIN_TABLE_WIDTH = 60


def literal(text: str) -> str:
    r"""
    Return *text* with each character that would steer a terminal written as an escape.

    >>> literal("[slug] \x1b[31m\u202e[/x]\n")
    '[slug] \\x1b[31m\\u202e[/x]\\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _STEERING
        else character
        for character in text
    )


@dataclass(frozen=True, slots=True)
class Output:
    """
    Where a command prints.

    Attributes:
        as_json: Whether standard output is for machines; people then read nothing there.
    """

    stdout: Console
    stderr: Console
    as_json: bool = False

    @classmethod
    def to(cls, stdout: TextIO | None, stderr: TextIO | None, *, as_json: bool = False) -> Output:
        """Return what prints to these files; None stands for the process's own."""
        return cls(
            Console(file=stdout, highlight=False, emoji=False),
            Console(file=stderr, stderr=stderr is None, highlight=False, emoji=False),
            as_json,
        )

    def json(self, answer: Mapping[str, Any]) -> None:
        """
        Print *answer* as one line of JSON, in ASCII.

        Raises:
            RecursionError: It is too deep.
            ValueError: It holds a number that JSON has not.
        """
        # JSON lets DEL stand as it is.
        text = json.dumps(answer, allow_nan=False).replace("\x7f", "\\u007f")
        self.stdout.file.write(f"{text}\n")

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print *text* in one line, however long; a terminal may wrap it."""
        self.stdout.print(Text(literal(text), style=style), soft_wrap=True)

    def notice(self, text: str) -> None:
        """Print *text* in one line beside the answer."""
        self.stderr.print(Text(literal(text)), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """
        Print a table in a terminal, and lines of cells between tabs anywhere else.

        Where a table would be too narrow to read, each cell has a line of its own.
        """
        if not self.stdout.file.isatty():
            for row in (columns, *rows):
                self.line_of_cells(row)
            return
        if self.stdout.width < _MIN_TABLE_WIDTH:
            for row in rows:
                self.line()
                for heading, cell in zip(columns, row, strict=True):
                    self.line(f"{heading}: {cell}")
            return
        table = Table(*columns)
        for column in table.columns:
            column.overflow = "fold"
        for row in rows:
            table.add_row(*(Text(literal(cell)) for cell in row))
        self.stdout.print(table)

    def line_of_cells(self, cells: Iterable[str]) -> None:
        # Not by way of rich, which makes spaces of tabs.
        self.stdout.file.write("\t".join(map(literal, cells)) + "\n")

    def status(self, doing: str) -> AbstractContextManager[object]:
        """Show in a terminal that something is going on."""
        if not self.stderr.file.isatty():
            return nullcontext()
        return self.stderr.status(Text(literal(doing)))
