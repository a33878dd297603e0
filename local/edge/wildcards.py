"""Texts with wildcards, `*` for any run of characters and `?` for exactly one, matched in one pass.

A regular expression with one `.*` per `*` tries all ways to divide a text among them: a key of
1,024 bytes and the pattern `/*/*/*/*.jpg` take it minutes. Here all places of the pattern at which
a match may stand are the bits of one integer, and each character of the text moves them at once.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

_STARS = re.compile(r"\*+")


@dataclass(frozen=True, slots=True)
class Places:
    """
    Where in a pattern its characters stand: bit *i* is set for the character at index *i*.

    Attributes:
        literals:
            The indices of each character that stands for itself.
        any_one:
            Those of `?`.
        any_run:
            Those of `*`.
    """

    literals: dict[str, int]
    any_one: int
    any_run: int

    @classmethod
    def of(cls, pattern: str) -> Self:
        indices: dict[str, int] = {}
        for index, character in enumerate(pattern):
            indices[character] = indices.get(character, 0) | 1 << index
        any_one, any_run = indices.pop("?", 0), indices.pop("*", 0)
        return cls(indices, any_one=any_one, any_run=any_run)


def matches(pattern: str, text: str) -> bool:
    """
    Decide whether *pattern* is the whole of *text*.

    >>> matches("/a/*.j?g", "/a/b/c.jpg"), matches("/a/?", "/a/")
    (True, False)
    """
    pattern = collapse(pattern)
    return bool(matching_prefixes(pattern, text) >> len(pattern) & 1)


def collapse(pattern: str) -> str:
    """
    Write several `*` in a row as one, which means the same.

    >>> collapse("a**?***")
    'a*?*'
    """
    return _STARS.sub("*", pattern)


def matching_prefixes(pattern: str, text: str) -> int:
    """
    Return the lengths of all beginnings of a collapsed pattern that match the whole of *text*.

    Bit *n* of the answer is set where `pattern[:n]` does.

    >>> bin(matching_prefixes("ab*", "ab"))
    '0b1100'
    """
    places = _places(pattern)
    behind_a_run = places.any_run << 1
    # A `*` may be no character at all.
    lengths = 1 | 1 << 1 & behind_a_run
    for character in text:
        taken = lengths & (places.literals.get(character, 0) | places.any_one)
        lengths = taken << 1 | lengths & behind_a_run
        lengths |= lengths << 1 & behind_a_run
    return lengths


_places = lru_cache(1_000)(Places.of)
