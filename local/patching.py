"""A hook of somebody else's library is replaced for a while, and missing it is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


@contextmanager
def all_replaced(*hooks: tuple[Any, str, Any]) -> Iterator[None]:
    """Let each owner's attribute be the value, as `replaced` does, until the block ends."""
    with ExitStack() as stack:
        for owner, name, value in hooks:
            stack.enter_context(replaced(owner, name, value))
        yield
