"""One matcher for policies and for path patterns, whose work grows with the text and no faster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.signing import wildcards


def reference(pattern: str, text: str) -> bool:
    """Return the same by trying every way in which each `*` can be read."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(reference(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and reference(pattern[1:], text[1:])


class CountingText(str):
    """A text that counts how many of its characters are read."""

    __slots__ = ("reads",)

    def __init__(self, _):
        self.reads = 0

    def __getitem__(self, index):
        self.reads += 1
        return super().__getitem__(index)

    def startswith(self, prefix, *bounds):
        self.reads += len(prefix)
        return super().startswith(prefix, *bounds)

    def find(self, sub, start=0, end=None, /):
        at = super().find(sub, start, end)
        end = len(self) if end is None else end
        self.reads += (end if at < 0 else at + len(sub)) - start
        return at


def reads(pattern: str, text: str) -> int:
    counting = CountingText(text)
    wildcards.matches(pattern, counting)
    return counting.reads


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "a\n/b", True),
        ("?", "\n", True),
        ("?", "", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("/*/*.jpg", "/a/b/c.jpg", True),
        ("/*/*.jpg", "/a.jpg", False),
        ("/*.jpg", "/a.JPG", False),
        ("*?b*", "b", False),
        ("*?b*", "ab", True),
        ("[a]*", "a", False),
        ("[a]*", "[a]", True),
        ("/.*", "/a", False),
    ],
)
def test_matches(pattern, text, matched):
    """Only `*` and `?` are special, and all of the text counts."""
    assert wildcards.matches(pattern, text) is matched


@given(st.text("ab*?[", max_size=8), st.text("ab[?", max_size=10))
def test_reference(pattern, text):
    """It agrees with a search of every possibility."""
    assert wildcards.matches(pattern, text) is reference(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "char"),
    [("/*/*/*/*.jpg", "/"), ("*a*a*a*a*a*a*a*b", "a"), ("*ab*ab*ab*abc*", "a"), ("*?b*?b*", "a")],
)
def test_growth(pattern, char):
    """A text of twice the length is at most about twice the work, whatever is repeated in it."""
    text = f"/{char * 1_022}x"
    assert reads(pattern, text) <= len(pattern) * len(text)
    assert reads(pattern, text * 2) <= 2.1 * reads(pattern, text)
