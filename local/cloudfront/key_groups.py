"""Key groups: which public keys a cache behavior trusts."""

from typing import Any

from local.cloudfront import distributions, paging, resources
from local.cloudfront.account import Account, Record
from local.cloudfront.errors import ServiceError
from local.cloudfront.resources import Config, Operation, ResourceType


def _check(account: Account, config: Config, _record: Record | None) -> None:
    """
    Refuse what a group may not hold.

    The model has no code of its own for a key that does not exist, and says nothing of one that
    is named twice: both are InvalidArgument here.
    """
    keys = config["Items"]
    if not keys:
        raise ServiceError("InvalidArgument", "A key group must have at least one public key.")
    if len(keys) > account.quotas.keys_per_group:
        raise ServiceError(
            "TooManyPublicKeysInKeyGroup",
            f"A key group may have at most {account.quotas.keys_per_group} public keys.",
        )
    if len(set(keys)) < len(keys):
        raise ServiceError("InvalidArgument", "The key group names a public key more than once.")
    for key in keys:
        if key not in account.of("PublicKey"):
            raise ServiceError("InvalidArgument", f"The public key {key} does not exist.")


def _check_delete(account: Account, record: Record) -> None:
    """
    Refuse to delete a group that a configuration names, deployed or not.

    Whether edges that still have an older configuration matter is not documented; here not.
    """
    if distributions.trusting(account, record.id):
        raise ServiceError("ResourceInUse", "Cannot delete this resource because it is in use.")


def _begin(account: Account, record: Record) -> None:
    record.rollout = [(account.now(), {})]


def _keys(account: Account, record: Record) -> dict[str, Any]:
    """Keep the keys themselves: one that left the group may be deleted before the edges know."""
    keys = account.of("PublicKey")
    return {key: keys[key].config["EncodedKey"] for key in record.config["Items"]}


def _summarise(account: Account, record: Record) -> dict[str, Any]:
    return {"KeyGroup": resources.body(account, KEY_GROUP, record)}


KEY_GROUP = ResourceType(
    noun="KeyGroup",
    plural="KeyGroups",
    id_prefix="",
    id_length=36,
    missing="NoSuchResource",
    message="A resource that was specified is not valid.",
    duplicate="KeyGroupAlreadyExists",
    too_many="TooManyKeyGroups",
    limit=lambda account: account.quotas.key_groups,
    once=lambda config: str(config["Name"]),
    check=_check,
    check_delete=_check_delete,
    begin=_begin,
    lag=lambda lags: lags.key_group_s,
    at_edges=_keys,
    describe=lambda _account, record: resources.modified(record),
    summarise=_summarise,
)


def _distributions(account: Account, sent: dict[str, Any]) -> dict[str, Any]:
    group = resources.find(account, KEY_GROUP, {"Id": sent["KeyGroupId"]})
    return paging.page(
        "ListDistributionsByKeyGroup",
        sent,
        entries=distributions.trusting(account, group.id),
        place=lambda record: record.ordinal,
        marked=account.ordinals.get(sent.get("Marker", "")),
        identify=lambda record: record.id,
        present=lambda record: record.id,
    )


OPERATIONS: dict[str, Operation] = {"ListDistributionsByKeyGroup": _distributions}
