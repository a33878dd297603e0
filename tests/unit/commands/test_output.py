"""Foreign text is shown to the letter, and steers no terminal."""

import io
import json
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands import dead_letters
from commands.dead_letters import Letter
from commands.output import Output, literal

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
HOSTILE = "[slug] [/x] [bold]:smile: \x1b[2J\x1b]0;title\x07\u202egpj.\u2066 \r\n\t\x00\x7f\x9b31m"
# Whatever arrives: JSON lets single surrogates through, which st.text() leaves out.
TEXTS = st.text(st.one_of(st.characters(), st.characters(categories=["Cc", "Cf", "Cs"])))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def steering(text):
    """The characters of *text* that steer, but for those that end lines and set styles."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return {c for c in text if unicodedata.category(c) in STEERING} - {"\n", "\t"}


def has_in_order(shown, text):
    remaining = iter(shown)
    return all(character in remaining for character in text)


def printable(text):
    return "".join(c for c in text if unicodedata.category(c) not in STEERING and not c.isspace())


def shown(letters, *, file, as_json=False):
    dead_letters.show(
        letters, Output.to(file, io.StringIO(), as_json=as_json), stack_name="my-stack"
    )
    return file.getvalue()


class TestLiteral:
    @given(TEXTS)
    @example(HOSTILE)
    def test_any(self, text):
        """
        Nothing steers, and all that prints is there.
        """
        assert not steering(literal(text))
        assert "\n" not in literal(text)
        assert "\t" not in literal(text)
        assert has_in_order(literal(text), printable(text))

    def test_readable(self):
        """
        What cannot be shown is written as Python would.
        """
        assert literal("a\x1bb\u202ec\n") == "a\\x1bb\\u202ec\\n"
        assert literal("Büsum [slug] 中") == "Büsum [slug] 中"


class TestDeadLetters:
    @given(body=TEXTS, reason=TEXTS)
    @example(body=HOSTILE, reason=HOSTILE)
    @example(body="[slug]", reason="[/x]")
    def test_piped(self, body, reason):
        """
        Whatever a letter says, it is a line of four cells, whole and harmless.
        """
        lines = shown([Letter("Uploads", "now", reason, body)], file=io.StringIO()).split("\n")

        cells = lines[1].split("\t")
        assert lines[2:] == [""]
        assert len(cells) == 4
        assert not steering("".join(lines))
        assert has_in_order(cells[2], printable(reason))
        assert has_in_order(cells[3], printable(body))

    @given(body=TEXTS, reason=TEXTS, width=st.integers(1, 200))
    @example(body=HOSTILE, reason=HOSTILE, width=80)
    @example(body="[slug]", reason="[/x]", width=30)
    def test_terminal(self, body, reason, width):
        """
        In a terminal of any width it is a table that steers nothing.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", str(width))
            text = shown([Letter("Uploads", "now", reason, body)], file=Terminal())

        assert not steering(text)
        if width >= 60:
            assert has_in_order(text, printable(reason))
            assert has_in_order(text, printable(body[:200]))

    @given(body=TEXTS, reason=TEXTS)
    @example(body=HOSTILE, reason=HOSTILE)
    def test_json(self, body, reason):
        """
        As JSON it comes back to the letter, in ASCII that steers nothing.
        """
        text = shown([Letter("Uploads", "now", reason, body)], file=io.StringIO(), as_json=True)

        (letter,) = json.loads(text)["letters"]
        assert (letter["body"], letter["reason"]) == (body, reason)
        assert text.isascii()
        assert not steering(text)

    def test_long(self):
        """
        A long message is cut in a terminal, and nowhere else.
        """
        letters = [Letter("Uploads", "now", "why", "x" * 5_000)]

        assert "x" * 5_000 in shown(letters, file=io.StringIO())
        assert 200 <= shown(letters, file=Terminal()).count("x") <= 201


class TestLine:
    def test_not_wrapped(self, monkeypatch):
        """
        A line is one line, whatever the width is.
        """
        monkeypatch.setenv("COLUMNS", "10")
        file = io.StringIO()

        Output.to(file, None).line("word " * 100)

        assert file.getvalue().count("\n") == 1

    @pytest.mark.parametrize(("variable", "coloured"), [("NO_COLOR", False), ("TERM", True)])
    def test_colour(self, monkeypatch, variable, coloured):
        """
        A terminal gets styles, one whose owner wants no colour gets none of them.
        """
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv(variable, "xterm-256color")
        file = Terminal()

        Output.to(file, None).line("words", style="red")

        assert ("\x1b[31m" in file.getvalue()) is coloured

    def test_no_colour_in_pipes(self, monkeypatch):
        """
        What is no terminal gets no escapes.
        """
        monkeypatch.setenv("TERM", "xterm-256color")
        file = io.StringIO()

        Output.to(file, None).line("words", style="bold red")

        assert file.getvalue() == "words\n"
