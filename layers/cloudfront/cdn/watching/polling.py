"""One look at what CloudFront is doing, shared by all who watch the same distribution.

The newest page of a distribution's invalidations stands in the ledger, with the moment when it was
read. Whoever needs a newer one claims the next look first; who comes second waits for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import ClientError

from cdn.aws import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient

    from cdn.aws.table import Ledger

SHARED_MS = 2_000
"""A page is as good as a new one for so long."""

_SK = "invalidations"
_PAGE = "100"  # the most that CloudFront lists at once


@dataclass(frozen=True, slots=True)
class Desk:
    """Where looks are shared, and whom they go to."""

    ledger: Ledger
    cloudfront: CloudFrontClient
    now_ms: Callable[[], int]


def at(desk: Desk, operation: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Ask for one thing; a refusal is an answer too (`ClientError.response`)."""
    ask: Callable[..., Mapping[str, Any]] = getattr(desk.cloudfront, xform_name(operation))
    try:
        return ask(**parameters)
    except ClientError as exc:
        return exc.response


def at_invalidation(
    desk: Desk, parameters: Mapping[str, str], *, final: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Any] | None:
    """
    Answer as GetInvalidation of *parameters* does, as far as its status goes.

    Args:
        final: Whether an answer will never be another, so that an old one will do.

    Returns:
        The answer or refusal, or None while somebody else is looking.
    """
    distribution_id, invalidation_id = parameters["DistributionId"], parameters["Id"]
    page = desk.ledger.get(_pk(distribution_id), _SK) or {}
    known = _answer(page.get("statuses", {}), invalidation_id)
    if known and (final(known) or page["looked_ms"] + SHARED_MS > desk.now_ms()):
        return known
    if not _claim(desk, distribution_id):
        return None
    listed = at(desk, "ListInvalidations", {"DistributionId": distribution_id, "MaxItems": _PAGE})
    if "InvalidationList" not in listed:
        return listed
    statuses = {
        summary["Id"]: summary["Status"] for summary in listed["InvalidationList"].get("Items", ())
    }
    desk.ledger.change(
        _pk(distribution_id), _SK, put={"statuses": statuses, "looked_ms": desk.now_ms()}
    )
    # So many are newer that it stands on another page.
    return _answer(statuses, invalidation_id) or at(desk, "GetInvalidation", parameters)


def _claim(desk: Desk, distribution_id: str) -> bool:
    now_ms = desk.now_ms()
    return (
        desk.ledger.change(
            _pk(distribution_id),
            _SK,
            put={"claimed_ms": now_ms},
            when=table.passed("claimed_ms", now_ms - SHARED_MS),
        )
        is not None
    )


def _answer(statuses: Mapping[str, str], invalidation_id: str) -> dict[str, Any] | None:
    if invalidation_id not in statuses:
        return None
    return {"Invalidation": {"Id": invalidation_id, "Status": statuses[invalidation_id]}}


def _pk(distribution_id: str) -> str:
    return f"distribution#{distribution_id}"
