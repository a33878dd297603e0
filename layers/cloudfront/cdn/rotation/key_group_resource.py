"""The stack's key group: created or adopted with the stack, and kept when the stack is deleted.

The template has neither the group nor keys: CloudFormation would add old keys again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.aws import rows
from cdn.cloudfront import key_groups, public_keys, trusted_keys
from cdn.errors import KeyGroupError
from cdn.rotation import execute, model

if TYPE_CHECKING:
    from cdn.rotation.context import RotationContext
    from cdn.rotation.model import Version

_COMMENT = "Its keys are rotated by CloudFront Autopilot"

_FOREIGN = (
    "The key group {id} ({name}) may be managed by CloudFormation or Terraform, which would add "
    "its old keys again; CloudFront's API does not say. First stop them from managing its items "
    "(Terraform: lifecycle ignore_changes = [items]; CloudFormation: DeletionPolicy Retain, then "
    "remove it from its template), then set AdoptForeign to yes."
)


def create(context: RotationContext, *, key_group_id: str, adopt_foreign: bool) -> str:
    """
    Create or adopt the group, the same one however often this is called; return its id.

    A group needs a key, so the first one is generated and created here. It does not sign before it
    is verified.

    Args:
        key_group_id: The group to adopt; empty for one of the stack's own.

    Raises:
        KeyGroupError: There is no such group, or something else may manage it.
        RetryLaterError: AWS is throttling.
    """
    row = context.ledger.get(rows.key_group()) or {}
    group_id = row.get("key_group_id", "")
    if (
        group_id
        and key_group_id in {"", group_id}
        and key_groups.read(context.cloudfront, group_id)
    ):
        return group_id
    if key_group_id:
        group = key_groups.read(context.cloudfront, key_group_id)
        if group is None:
            raise KeyGroupError(
                f"There is no key group {key_group_id}. Check the parameter KeyGroupId."
            )
        if not adopt_foreign:
            raise KeyGroupError(_FOREIGN.format(id=group.id, name=group.name))
        group_id = group.id
    else:
        group_id = _create_own(context)
    context.ledger.create_or_update(
        rows.key_group(),
        put={"key_group_id": group_id, "adopted": bool(key_group_id)},
        keep={"since_at_ms": context.now_ms()},
    )
    return group_id


def _create_own(context: RotationContext) -> str:
    name = context.name_prefix.removesuffix("-")
    for group in key_groups.list_all(context.cloudfront):
        # Of a run that died here, or of an earlier stack of this name.
        if group.name == name:
            return group.id
    version = _generated(context)
    if version is None:
        execute.generate_key(context, now_ms=context.now_ms())
        version = _generated(context)
    if version is None:
        raise KeyGroupError(
            "The first key was generated, but the secret does not have it. Try again."
        )
    text = context.secret.text(version.id)
    key_id = execute.create_public_key(context, version.name, text, now_ms=context.now_ms())
    return key_groups.create(context.cloudfront, name=name, key_ids=[key_id], comment=_COMMENT)


def _generated(context: RotationContext) -> Version | None:
    return next(
        (
            version
            for version in context.secret.versions()
            if model.GENERATED in version.stages and version.form == "generated"
        ),
        None,
    )


def update(*, key_group_id: str, physical_id: str) -> None:
    """
    Check that the group stays the same.

    Raises:
        KeyGroupError: Another group is asked for.
    """
    if key_group_id not in {"", physical_id}:
        raise KeyGroupError(
            f"The key group is {physical_id} and cannot be changed: its keys have signed links "
            "that are still valid. To use another group, deploy another stack."
        )


def delete(context: RotationContext, *, physical_id: str, everything: bool) -> str:
    """
    Keep the group and its keys, or delete them where that is asked for and harmless; return which.

    Raises:
        KeyGroupError: A distribution trusts the group that is to be deleted.
        RetryLaterError: AWS is throttling.
    """
    row = context.ledger.get(rows.key_group()) or {}
    group = None
    if row.get("key_group_id") == physical_id:
        group = key_groups.read(context.cloudfront, physical_id)
    if group is None or not everything:
        return "The key group and its keys are kept."
    distribution_ids = [
        trust.distribution_id
        for trust in trusted_keys.list_by_key_group(context.cloudfront, group.id)
    ]
    if distribution_ids:
        raise KeyGroupError(
            f"The key group {group.id} is kept, because distributions trust it: "
            f"{', '.join(distribution_ids)}. Remove it from their behaviors first."
        )
    if row.get("adopted"):
        return "The key group was adopted, and is kept."
    key_groups.delete(context.cloudfront, group)
    in_other_groups = {
        key_id
        for other_group in key_groups.list_all(context.cloudfront)
        for key_id in other_group.key_ids
    }
    for key in public_keys.list_all(context.cloudfront):
        if model.is_ours(key, name_prefix=context.name_prefix) and key.id not in in_other_groups:
            public_keys.delete(context.cloudfront, key.id)
    return "The key group and its keys were deleted. The secret is kept."
