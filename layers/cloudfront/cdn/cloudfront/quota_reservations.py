"""Permits to have a batch in progress: one row of the ledger, which all flushes share.

A permit is taken before the call that needs it, under the batch's own reference, so that whoever
sends the batch again has it already. The watch gives it back; one that nobody gives back lapses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.aws import table
from cdn.cloudfront import quotas
from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdn.aws.table import Ledger, Row
    from cdn.cloudfront.quotas import Limits, Load, State

_PK, _SK = "quotas", "invalidations"
# Each lost race means that somebody else won one.
_TRIES = 10


def take(book: Ledger, reference: str, load: Load, *, limits: Limits, now_ms: int) -> None:
    """
    Have the batch *reference* counted as in progress.

    Raises:
        RetryLaterError: The suite's own limits do not allow it yet; it says when, if that is known.
    """

    def admit(state: State) -> State:
        answer = quotas.admit(state, reference, load, limits=limits, now_ms=now_ms)
        if isinstance(answer, quotas.Wait):
            raise RetryLaterError("CreateInvalidation", "OwnQuota", due_ms=answer.until_ms)
        return answer

    _change(book, admit)


def give_back(book: Ledger, reference: str) -> None:
    """Have the batch *reference* counted no longer; it may be given back twice."""
    _change(book, lambda state: quotas.release(state, reference))


def _change(book: Ledger, change: Callable[[State], State]) -> None:
    for _ in range(_TRIES):
        row = book.get(_PK, _SK)
        before = _read(row or {})
        after = change(before)
        if after == before:
            return
        version = (row or {}).get("version")
        if book.change(
            _PK,
            _SK,
            put=_written(after) | {"version": (version or 0) + 1},
            when=table.absent("version") if row is None else table.equal("version", version),
        ):
            return
    raise RetryLaterError("CreateInvalidation", "OwnQuotaContended")


def _read(row: Row) -> State:
    return quotas.State(
        leases={
            reference: quotas.Lease(quotas.Load(items, wildcards), at_ms)
            for reference, (items, wildcards, at_ms) in row.get("leases", {}).items()
        },
        items_free_ms=row.get("items_free_ms", 0),
        wildcards_free_ms=row.get("wildcards_free_ms", 0),
    )


def _written(state: State) -> Row:
    return {
        "leases": {
            reference: [lease.load.items, lease.load.wildcards, lease.at_ms]
            for reference, lease in state.leases.items()
        },
        "items_free_ms": state.items_free_ms,
        "wildcards_free_ms": state.wildcards_free_ms,
    }
