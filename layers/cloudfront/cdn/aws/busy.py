"""AWS is busy, or somebody else was quicker: told as the one error after which to look again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cdn.aws import retryable
from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def told(*outrun: str) -> Iterator[None]:
    """
    Turn refusals that pass by themselves into RetryLaterError.

    Args:
        outrun: Codes that say here that something has changed since it was looked at.
    """
    try:
        yield
    except ClientError as exc:
        code = retryable.code(exc.response)
        if code in outrun or retryable.passes(exc.response):
            raise RetryLaterError(exc.operation_name, code) from exc
        raise
