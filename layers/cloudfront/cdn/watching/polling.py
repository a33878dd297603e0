"""One poll of what CloudFront is doing, shared by all who watch the same target.

The newest page of a target's invalidations stands in the ledger, with the moment when it was read.
Whoever needs a newer one claims the next poll first; who comes second waits for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import ClientError

from cdn.aws import rows, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient

    from cdn.aws.table import Table

SHARED_MS = 2_000
"""A page is as good as a new one for so long."""

_PAGE_SIZE = "100"  # the most that CloudFront lists at once


@dataclass(frozen=True, slots=True)
class PollingContext:
    """Where status pages are shared, whom they are read from, and the time."""

    ledger: Table
    cloudfront: CloudFrontClient
    now_ms: Callable[[], int]


def poll(
    context: PollingContext, operation: str, parameters: Mapping[str, str]
) -> Mapping[str, Any]:
    """Return the response, or the error response (`ClientError.response`), of one operation."""
    call: Callable[..., Mapping[str, Any]] = getattr(context.cloudfront, xform_name(operation))
    try:
        return call(**parameters)
    except ClientError as exc:
        return exc.response


def poll_invalidation(
    context: PollingContext,
    parameters: Mapping[str, str],
    *,
    final: Callable[[Mapping[str, Any]], bool],
) -> Mapping[str, Any] | None:
    """
    Return what GetInvalidation of *parameters* would, as far as its status goes.

    Args:
        final: Whether a response will never be another, so that an old one will do.

    Returns:
        The response or error response, or None while somebody else is polling.
    """
    target_id, invalidation_id = parameters["DistributionId"], parameters["Id"]
    key = rows.status_page(target_id)
    page = context.ledger.get(key) or {}
    response = _response(page.get("statuses", {}), invalidation_id)
    if response and (final(response) or page["polled_at_ms"] + SHARED_MS > context.now_ms()):
        return response
    if not _claim(context, key):
        return None
    listed = poll(
        context, "ListInvalidations", {"DistributionId": target_id, "MaxItems": _PAGE_SIZE}
    )
    if "InvalidationList" not in listed:
        return listed
    statuses = {
        summary["Id"]: summary["Status"] for summary in listed["InvalidationList"].get("Items", ())
    }
    context.ledger.create_or_update(
        key, put={"statuses": statuses, "polled_at_ms": context.now_ms()}
    )
    # So many are newer that it stands on another page.
    return _response(statuses, invalidation_id) or poll(context, "GetInvalidation", parameters)


def _claim(context: PollingContext, key: rows.Key[rows.StatusPageRow]) -> bool:
    now_ms = context.now_ms()
    claimed = context.ledger.create_or_update(
        key,
        put={"claimed_at_ms": now_ms},
        condition=table.passed("claimed_at_ms", now_ms - SHARED_MS),
    )
    return claimed is not None


def _response(statuses: Mapping[str, str], invalidation_id: str) -> dict[str, Any] | None:
    if invalidation_id not in statuses:
        return None
    return {"Invalidation": {"Id": invalidation_id, "Status": statuses[invalidation_id]}}
