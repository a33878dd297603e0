"""Revoke a key now: the standby signs instead, and the bad key leaves the group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn.cloudfront import key_groups
from cdn.rotation import decide, execute, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdn.rotation.decide import Observed, Scene
    from cdn.rotation.execute import Desk

# More than any revocation takes; what is left then, the next looks see to.
_MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class Revocation:
    """
    What came of a revocation.

    Attributes:
        refused: Why nothing was done; empty when it was.
        left_group: Whether no revoked key is in the group any more.
        signing: The key that signs now; empty where none does.
        distribution_ids: Where links signed by the revoked keys die, within about a minute.
        last_link_until_s: When the last honest link signed by them would have expired.
    """

    refused: str = ""
    key_ids: tuple[str, ...] = ()
    left_group: bool = False
    signing: str = ""
    distribution_ids: tuple[str, ...] = ()
    last_link_until_s: int = 0


def revoke(desk: Desk, *, key_id: str, secret_leaked: bool, force: bool) -> Revocation:
    """
    Revoke *key_id*; asking again does no harm, and sees to what is left.

    Args:
        secret_leaked: Whether the secret may be known to others: whatever key it has or had is
            revoked, too.
        force: Whether to do it where no proven key is left. A new one then signs as soon as
            CloudFront lists it.

    Raises:
        RetryLaterError: AWS is too busy to look. What was begun is gone on with.
    """
    observed = reconcile.observe(desk)
    if observed.group is None:
        return Revocation(refused="there is no key group")
    scene = decide.scene_of(observed, observed.group, now_ms=desk.now_ms(), rules=desk.rules)
    doomed = _doomed(scene, key_id, secret_leaked=secret_leaked)
    if not doomed:
        return Revocation(refused=f"nothing is known of a key {key_id}")
    trusts = key_groups.trusting(desk.cloudfront, observed.group.id)
    alone = scene.signing is not None and scene.signing.label in doomed
    alone = alone and (scene.ready is None or scene.ready.label in doomed)
    if alone and trusts and not force:
        return Revocation(
            refused="no other key is proven: until one is, no new link would open. To revoke it "
            "all the same, ask with force",
            distribution_ids=tuple(sorted(one.distribution_id for one in trusts)),
        )
    for name, doomed_id in doomed.items():
        execute.revoke(desk, name, key_id=doomed_id, forced=alone)
    seen = _follow(desk, doomed)
    return Revocation(
        key_ids=tuple(sorted(filter(None, doomed.values()))),
        left_group=seen.group is not None and not {*seen.group.key_ids} & {*doomed.values()},
        signing=next(
            (v.key_id for v in seen.versions if decide.CURRENT in v.stages and v.key_id), ""
        ),
        distribution_ids=tuple(sorted(one.distribution_id for one in trusts)),
        last_link_until_s=max(scene.last_link_ms(scene.record(name)) for name in doomed) // 1000,
    )


def _doomed(scene: Scene, key_id: str, *, secret_leaked: bool) -> Mapping[str, str]:
    """Name the keys to revoke, with their ids."""
    doomed = {scene.label(key_id): key_id} if key_id in scene.by_id else {}
    for version in scene.versions:
        leaked = secret_leaked and version.form in {"minted", "key"}
        if leaked or (key_id and scene.key_id(version) == key_id):
            doomed[version.label] = scene.key_id(version)
    # Their private halves were in the secret once, and Secrets Manager may have them still.
    draining = [key for key in scene.ours() if secret_leaked and scene.in_group(key.id)]
    return doomed | {key.name: key.id for key in draining}


def _follow(desk: Desk, doomed: Mapping[str, str]) -> Observed:
    """Take steps until no revoked key is trusted or signs, or something is to be waited for."""
    for _ in range(_MOST_STEPS):
        tick = reconcile.tick(desk)
        if tick.error or isinstance(tick.step, decide.Wait) or _done(tick.observed, doomed):
            break
    return reconcile.observe(desk)


def _done(observed: Observed, doomed: Mapping[str, str]) -> bool:
    trusted = observed.group.key_ids if observed.group else ()
    signs = {v.label for v in observed.versions if {decide.CURRENT, decide.STANDBY} & v.stages}
    return not ({*trusted} & {*doomed.values()} or signs & doomed.keys())
