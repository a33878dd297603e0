"""Reservations of CloudFront's quotas for batches in progress: one row, which all flushes share.

A reservation is made before the call that needs it, under the batch's own reference, so that
whoever sends the batch again has it already. The watch releases it; one that nobody releases
expires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.aws import rows, table
from cdn.cloudfront import quotas
from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdn.aws.rows import QuotaReservationsRow
    from cdn.aws.table import Table
    from cdn.cloudfront.quotas import Limits, Share, State

OPERATION = "CreateInvalidation"
QUOTA_EXHAUSTED = "QuotaExhausted"
"""The code of a RetryLaterError that says that the stack's own limits do not allow it yet."""

# Each lost race means that somebody else won one.
_MAX_ATTEMPTS = 10


def reserve(
    ledger: Table, reservation_id: str, share: Share, *, limits: Limits, now_ms: int
) -> None:
    """
    Count *share* as in progress under *reservation_id*; again, it changes nothing.

    Raises:
        RetryLaterError: The stack's own limits do not allow it yet; it says when, if that is known.
    """

    def admit(state: State) -> State:
        admitted = quotas.admit(state, reservation_id, share, limits=limits, now_ms=now_ms)
        if isinstance(admitted, quotas.Wait):
            raise RetryLaterError(OPERATION, QUOTA_EXHAUSTED, due_at_ms=admitted.until_ms)
        return admitted

    _write(ledger, admit)


def release(ledger: Table, reservation_id: str) -> None:
    """Count what was reserved as in progress no longer; it may be released twice."""
    _write(ledger, lambda state: quotas.release(state, reservation_id))


def _write(ledger: Table, change: Callable[[State], State]) -> None:
    key = rows.quota_reservations()
    for _ in range(_MAX_ATTEMPTS):
        row = ledger.get(key)
        before = _state(row or {})
        after = change(before)
        if after == before:
            return
        written = _row(after)
        version = row["version"] if row else 0
        put: QuotaReservationsRow = {**written, "version": version + 1}
        if row is None:
            done = ledger.create(key, put)
        else:
            done = ledger.update_if(table.equal("version", version), key, put=put) is not None
        if done:
            return
    raise RetryLaterError(OPERATION, "QuotaContended")


def _state(row: QuotaReservationsRow) -> State:
    return quotas.State(
        reservations={
            name: quotas.Reservation(quotas.Share(items, wildcards), at_ms)
            for name, (items, wildcards, at_ms) in row.get("reservations", {}).items()
        },
        items_free_at_ms=row.get("items_free_at_ms", 0),
        wildcards_free_at_ms=row.get("wildcards_free_at_ms", 0),
    )


def _row(state: State) -> QuotaReservationsRow:
    return {
        "reservations": {
            name: [reservation.share.items, reservation.share.wildcards, reservation.at_ms]
            for name, reservation in state.reservations.items()
        },
        "items_free_at_ms": state.items_free_at_ms,
        "wildcards_free_at_ms": state.wildcards_free_at_ms,
    }
