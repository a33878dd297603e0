"""A hook of somebody else's library is replaced for a while, and missing it is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class HookMissingError(Exception):
    """What we replace in somebody else's library is not there: another version of it."""


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:  # noqa: ANN401
    """Let *owner*'s own attribute *name* be *value* until the block ends."""
    try:
        original = vars(owner)[name]
    except KeyError as missing:
        raise HookMissingError(f"{owner.__name__}.{name}") from missing
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)
