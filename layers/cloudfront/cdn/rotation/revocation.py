"""Revoke a key now: the standby signs instead, and the key is removed from the group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn.cloudfront import trusted_keys
from cdn.rotation import execute, model, reconcile
from cdn.rotation.roles import KeyRoles, roles_of
from cdn.rotation.steps import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cdn.rotation.context import RotationContext
    from cdn.rotation.model import Observed
    from cdn.telemetry import StepResult

# More than any revocation takes; what is left then, the next ticks see to.
_MAX_STEPS = 20

# Whoever was outrun observes again at once; one who is throttled does not do so for long.
_MAX_ERRORS = 3


@dataclass(frozen=True, slots=True)
class Revocation:
    """
    What came of a revocation.

    Attributes:
        refused: Why nothing was done; empty when something was.
        key_ids: The keys that were revoked.
        removed_from_group: Whether no revoked key is in the group any more.
        signing_key_id: The key that signs now; empty where none does.
        distribution_ids: Where links signed by the revoked keys stop opening, within about a
            minute.
        last_link_expires_at_s: When the last link that the endpoint signed with them would have
            expired.
    """

    refused: str = ""
    key_ids: tuple[str, ...] = ()
    removed_from_group: bool = False
    signing_key_id: str = ""
    distribution_ids: tuple[str, ...] = ()
    last_link_expires_at_s: int = 0


def revoke(
    context: RotationContext,
    *,
    key_id: str,
    secret_leaked: bool,
    force: bool,
    report: Callable[[StepResult], object],
) -> Revocation:
    """
    Revoke *key_id*; to do so again is harmless, and continues what is left.

    Args:
        secret_leaked: Whether others may have read the secret: every key that it has or had is
            revoked as well.
        force: Whether to revoke where no verified key is left. A new one then signs as soon as
            CloudFront lists it.
        report: Takes the result of each step of rotation at once.

    Raises:
        RetryLaterError: AWS is throttling. The next ticks continue what was recorded.
    """
    observed = reconcile.observe(context)
    if observed.group is None:
        return Revocation(refused="There is no key group.")
    roles = roles_of(observed, observed.group, now_ms=context.now_ms(), rules=context.rules)
    to_revoke = _to_revoke(roles, key_id, secret_leaked=secret_leaked)
    if not to_revoke:
        return Revocation(refused=f"Neither CloudFront nor the secret has a key {key_id}.")
    trusting = trusted_keys.list_by_key_group(context.cloudfront, observed.group.id)
    distribution_ids = tuple(sorted(trust.distribution_id for trust in trusting))
    signs = roles.signing is not None and roles.signing.label in to_revoke
    irreplaceable = signs and (roles.ready is None or roles.ready.label in to_revoke)
    if irreplaceable and trusting and not force:
        return Revocation(
            refused="No other key is verified, so no new link would open until one is. Use force "
            "to revoke it nevertheless.",
            distribution_ids=distribution_ids,
        )
    for name, revoked_id in to_revoke.items():
        execute.record_revoked(context, name, key_id=revoked_id, forced=irreplaceable)
    observed = _follow(context, to_revoke, report)
    return Revocation(
        key_ids=tuple(sorted(filter(None, to_revoke.values()))),
        removed_from_group=observed.group is not None
        and not {*observed.group.key_ids} & {*to_revoke.values()},
        signing_key_id=next(
            (
                version.key_id
                for version in observed.versions
                if model.CURRENT in version.stages and version.key_id
            ),
            "",
        ),
        distribution_ids=distribution_ids,
        last_link_expires_at_s=max(
            roles.last_link_expires_at_ms(roles.record(name)) for name in to_revoke
        )
        // 1000,
    )


def _to_revoke(roles: KeyRoles, key_id: str, *, secret_leaked: bool) -> Mapping[str, str]:
    """Return the names of the keys to revoke, with their ids."""
    to_revoke = {roles.label(key_id): key_id} if key_id in roles.by_id else {}
    for version in roles.versions:
        leaked = secret_leaked and version.form in {"generated", "key"}
        if leaked or (key_id and roles.key_id(version) == key_id):
            to_revoke[version.label] = roles.key_id(version)
    # Their private halves were in the secret once, and Secrets Manager may have them still.
    draining = [key for key in roles.ours() if secret_leaked and roles.in_group(key.id)]
    return to_revoke | {key.name: key.id for key in draining}


def _follow(
    context: RotationContext, to_revoke: Mapping[str, str], report: Callable[[StepResult], object]
) -> Observed:
    """Take steps until no revoked key is trusted or signs, or rotation waits."""
    error_count = 0
    for _ in range(_MAX_STEPS):
        tick = reconcile.tick(context)
        report(tick.result)
        error_count += bool(tick.error)
        if error_count == _MAX_ERRORS or isinstance(tick.step, Wait):
            break
        if _done(tick.observed, to_revoke):
            break
    return reconcile.observe(context)


def _done(observed: Observed, to_revoke: Mapping[str, str]) -> bool:
    trusted = observed.group.key_ids if observed.group else ()
    labels = {
        version.label
        for version in observed.versions
        if {model.CURRENT, model.STANDBY} & version.stages
    }
    return not ({*trusted} & {*to_revoke.values()} or labels & to_revoke.keys())
