"""Invalidations: accepted or refused at once, in effect a little later, completed later still."""

from typing import Any

from local.cloudfront import model, paging
from local.cloudfront.account import Account, InvalidationRecord, timestamp
from local.cloudfront.distributions import DISTRIBUTION
from local.cloudfront.errors import ServiceError
from local.cloudfront.resources import Operation, check_quantities, find

MAX_ITEM_LENGTH = 4_000
_IN_USE = (
    "Your request contains a caller reference that was used for a previous invalidation batch "
    "for the same distribution."
)


def create(account: Account, sent: dict[str, Any]) -> dict[str, Any]:
    """
    Accept a batch, or answer with the one that its caller reference already names.

    "Same content" is read strictly: the same items in the same order. What
    CloudFront makes of another order is not documented.
    """
    distribution_id = _distribution(account, sent)
    batch = sent["InvalidationBatch"]
    reference = batch["CallerReference"]
    items = tuple(batch["Paths"].get("Items", ()))
    check_quantities(batch)
    _check_items(account, items)
    earlier = account.references.get((distribution_id, reference))
    if earlier is not None and earlier.items != items:
        raise ServiceError("InvalidArgument", _IN_USE)
    record = earlier or _accept(account, distribution_id, reference, items)
    where = model.location("CreateInvalidation").replace("{DistributionId}", distribution_id)
    return {"Location": f"{where}/{record.id}", "Invalidation": _body(account, record)}


def get(account: Account, sent: dict[str, Any]) -> dict[str, Any]:
    distribution_id = _distribution(account, sent)
    record = account.batches.get(sent["Id"])
    if record is None or record.distribution_id != distribution_id:
        raise ServiceError("NoSuchInvalidation", "The specified invalidation does not exist.")
    return {"Invalidation": _body(account, record)}


def list_(account: Account, sent: dict[str, Any]) -> dict[str, Any]:
    """Newest first; an entry says neither its items nor its caller reference."""
    distribution_id = _distribution(account, sent)
    marker = account.ordinals.get(sent.get("Marker", ""))
    return paging.page(
        "ListInvalidations",
        sent,
        entries=account.invalidations.get(distribution_id, [])[::-1],
        place=lambda record: -account.ordinals[record.id],
        marked=None if marker is None else -marker,
        identify=lambda record: record.id,
        present=lambda record: {
            "Id": record.id,
            "CreateTime": timestamp(record.created_at),
            "Status": _status(account, record),
        },
    )


OPERATIONS: dict[str, Operation] = {
    "CreateInvalidation": create,
    "GetInvalidation": get,
    "ListInvalidations": list_,
}


def _distribution(account: Account, sent: dict[str, Any]) -> str:
    record = find(account, DISTRIBUTION, {"Id": sent["DistributionId"]})
    # A multi-tenant distribution serves nobody itself, and so has nothing to invalidate.
    if record.config.get("ConnectionMode") == "tenant-only":
        raise ServiceError(DISTRIBUTION.missing, DISTRIBUTION.message)
    return record.id


def _check_items(account: Account, items: tuple[str, ...]) -> None:
    if not items:
        raise ServiceError("InvalidArgument", "Your request contains no invalidation paths.")
    if len(items) > account.quotas.items_per_request:
        raise ServiceError("BatchTooLarge", "Your request contains too many invalidation paths.")
    for item in items:
        # '#' opens a cache tag. A '*' may stand anywhere; only at the end is it a wildcard. One
        # apostrophe was reported to have a whole batch refused.
        if not item.startswith(("/", "#")) or len(item) > MAX_ITEM_LENGTH or "'" in item:
            raise ServiceError(
                "InvalidArgument",
                "Your request contains one or more invalid invalidation paths.",
            )


def _accept(
    account: Account, distribution_id: str, reference: str, items: tuple[str, ...]
) -> InvalidationRecord:
    now = account.now()
    wildcards = sum(item.startswith("/") and item.endswith("*") for item in items)
    _check_quotas(account, len(items) - wildcards, wildcards)
    record = InvalidationRecord(
        id=account.new_id("I", 26),
        distribution_id=distribution_id,
        items=items,
        caller_reference=reference,
        created_at=now,
        effective_at=now + account.lags.invalidation_effect_s,
        completed_at=now + account.lags.invalidation_completed_s,
        wildcards=wildcards,
    )
    account.new_ordinal(record.id)
    account.invalidations.setdefault(distribution_id, []).append(record)
    account.batches[record.id] = record
    account.references[distribution_id, reference] = record
    account.in_progress.append(record)
    account.expect_change(record.effective_at)
    account.expect_change(record.completed_at)
    return record


def _check_quotas(account: Account, paths: int, wildcards: int) -> None:
    """Count what is in progress in the whole account, as the quotas do."""
    now = account.now()
    running = account.in_progress
    while running and running[0].completed_at <= now:
        running.popleft()
    wildcards_running = sum(record.wildcards for record in running)
    paths_running = sum(len(record.items) for record in running) - wildcards_running
    if wildcards and wildcards_running + wildcards > account.quotas.wildcards_in_progress:
        raise ServiceError(
            "TooManyInvalidationsInProgress",
            "Processing your request will cause you to exceed the maximum number of "
            "in-progress wildcard invalidations.",
        )
    if paths and paths_running + paths > account.quotas.items_in_progress:
        raise ServiceError(
            "TooManyInvalidationsInProgress",
            "Processing your request will cause you to exceed the maximum number of "
            "in-progress invalidations.",
        )


def _status(account: Account, record: InvalidationRecord) -> str:
    return "InProgress" if account.now() < record.completed_at else "Completed"


def _body(account: Account, record: InvalidationRecord) -> dict[str, Any]:
    return {
        "Id": record.id,
        "Status": _status(account, record),
        "CreateTime": timestamp(record.created_at),
        "InvalidationBatch": {
            "Paths": {"Quantity": len(record.items), "Items": list(record.items)},
            "CallerReference": record.caller_reference,
        },
    }
