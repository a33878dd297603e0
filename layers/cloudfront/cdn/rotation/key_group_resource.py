"""The stack's key group: made or adopted when the stack is, and kept when it goes.

The template holds neither the group nor keys: CloudFormation would put old ones back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.aws import rows
from cdn.cloudfront import key_groups, public_keys
from cdn.errors import KeyGroupError
from cdn.rotation import decide, execute

if TYPE_CHECKING:
    from cdn.rotation.decide import Version
    from cdn.rotation.execute import Desk

_COMMENT = "Its keys are rotated by CloudFront Autopilot"

_FOREIGN = (
    "key group {id} ({name}) may belong to CloudFormation or Terraform, which would put its old "
    "keys back; the API does not tell. Let them forget its Items first (Terraform: lifecycle "
    "ignore_changes = [items]; CloudFormation: DeletionPolicy Retain, then remove it from its "
    "template), then set AdoptForeign to yes"
)


def create(desk: Desk, *, key_group_id: str, adopt_foreign: bool) -> str:
    """
    Have a group, made here or adopted, the same however often this is asked; tell its id.

    A group needs a key, so the first one is minted and published here. It does not sign before it
    is proven.

    Args:
        key_group_id: The group to adopt; empty for one of the stack's own.

    Raises:
        KeyGroupError: There is no such group, or it may be somebody else's.
        RetryLaterError: AWS is busy.
    """
    known = desk.ledger.get(rows.key_group()) or {}
    made = known.get("key_group_id", "")
    if made and key_group_id in {"", made} and key_groups.read(desk.cloudfront, made):
        return str(made)
    if key_group_id:
        group = key_groups.read(desk.cloudfront, key_group_id)
        if group is None:
            raise KeyGroupError(f"there is no key group {key_group_id}")
        if not adopt_foreign:
            raise KeyGroupError(_FOREIGN.format(id=group.id, name=group.name))
        made = group.id
    else:
        made = _own(desk)
    desk.ledger.create_or_update(
        rows.key_group(),
        put={"key_group_id": made, "adopted": bool(key_group_id)},
        keep={"since_at_ms": desk.now_ms()},
    )
    return str(made)


def _own(desk: Desk) -> str:
    name = desk.mark.removesuffix("-")
    for group in key_groups.listed(desk.cloudfront):
        # Of a run that died here, or of an earlier stack of this name.
        if group.name == name:
            return group.id
    minted = _minted(desk)
    if minted is None:
        execute.mint(desk, now_ms=desk.now_ms())
        minted = _minted(desk)
    if minted is None:
        raise KeyGroupError("the first key was minted, but the secret does not have it; try again")
    text = desk.secret.text(minted.id)
    key_id = execute.publish(desk, minted.name, text, now_ms=desk.now_ms())
    return key_groups.create(desk.cloudfront, name=name, key_ids=[key_id], comment=_COMMENT)


def _minted(desk: Desk) -> Version | None:
    return next(
        (
            version
            for version in desk.secret.versions()
            if decide.MINTED in version.stages and version.form == "minted"
        ),
        None,
    )


def update(*, key_group_id: str, physical_id: str) -> None:
    """
    Check that nothing about the group shall change.

    Raises:
        KeyGroupError: Another group is asked for.
    """
    if key_group_id not in {"", physical_id}:
        raise KeyGroupError(
            f"the key group is {physical_id} and stays it: links that are out there were signed "
            "for its keys. To use another group, deploy another stack"
        )


def delete(desk: Desk, *, physical_id: str, everything: bool) -> str:
    """
    Keep the group and its keys, and say so; or delete them, where that is asked for and harmless.

    Raises:
        KeyGroupError: A distribution trusts the group that is to be deleted.
        RetryLaterError: AWS is busy.
    """
    known = desk.ledger.get(rows.key_group()) or {}
    group = None
    if known.get("key_group_id") == physical_id:
        group = key_groups.read(desk.cloudfront, physical_id)
    if group is None or not everything:
        return "the key group and its keys are kept"
    trusting = [one.distribution_id for one in key_groups.trusting(desk.cloudfront, group.id)]
    if trusting:
        raise KeyGroupError(
            f"key group {group.id} is kept: {', '.join(trusting)} would serve nobody without it"
        )
    if known.get("adopted"):
        return "the key group was there before, and is kept"
    key_groups.delete(desk.cloudfront, group)
    elsewhere = {key for other in key_groups.listed(desk.cloudfront) for key in other.key_ids}
    for key in public_keys.listed(desk.cloudfront):
        if decide.is_ours(key, mark=desk.mark) and key.id not in elsewhere:
            public_keys.delete(desk.cloudfront, key.id)
    return "the key group and its keys were deleted; the secret stays"
