"""What the demo says: lines with virtual times, and progress while something takes a while."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Narrator:
    """Print to *console*; *now* returns the virtual time."""

    console: Console
    now: Callable[[], float]

    @classmethod
    def silent(cls) -> "Narrator":
        """Return a narrator that nobody hears."""
        return cls(Console(file=StringIO()), lambda: 0.0)

    def line(self, text: str = "") -> None:
        """Print *text* as it is."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Begin a chapter."""
        self.line()
        self.console.rule(text, align="left")

    def say(self, text: str) -> None:
        """Print *text* behind the virtual time."""
        moment = datetime.fromtimestamp(self.now(), tz=UTC)
        self.line(f"{moment:%H:%M:%S}  {text}")

    def track(self, things: Iterable[T], *, doing: str, count: int) -> Iterator[T]:
        """Show progress while *things* are worked on."""
        if self.console.is_terminal:
            yield from track(
                things, doing, total=count, console=self.console, transient=True, show_speed=False
            )
        else:
            yield from things

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Show that something is going on whose end nobody knows."""
        if self.console.is_terminal:
            with self.console.status(doing):
                yield
        else:
            yield
