"""Whoever comes in before or after a conditional write of rotation, it comes to the same end."""

import pytest

from cdn.aws import rows
from cdn.errors import RetryLaterError
from cdn.rotation import key_group_resource, revocation
from local.faults import Does, Rule
from tests.local import rotating

BEFORE_AND_AFTER = (Does.SECOND_ACTOR_BEFORE, Does.SECOND_ACTOR_AFTER)
# The first key came to sign, was replaced, drained and deleted.
END = (["deleted", "signing", "standby"], 2, 2)

PROMOTION = ["UpdateSecretVersionStage", "UpdateItem"]
LIFE = [*PROMOTION, "UpdateKeyGroup", *PROMOTION, "UpdateKeyGroup"]
LIFE += ["UpdateKeyGroup", "DeletePublicKey"]
REVOCATION = [*PROMOTION, "UpdateKeyGroup"]
DELETION = ["DeleteKeyGroup", "DeletePublicKey"]
# None is on a condition, but each fails where its name is taken, or is one that others write.
CREATION = ["CreatePublicKey", "UpdateItem", "CreateKeyGroup", "UpdateItem"]


def let_in(cloud, second_actor, **rule):
    """Let a second actor come in at one of the writes that follow."""
    cloud.faults.restart()
    cloud.faults.second_actor = second_actor
    cloud.faults.rules.append(Rule(**rule))


def conditional_writes(cloud):
    return [call.operation for call in cloud.faults.calls if call.conditional]


def settle(cloud):
    """Let rotation go on until a key was deleted, one signs, and one stands by."""
    parts = {"deleted", "signing", "standby"}
    cloud.settle(max_ticks=120, until=lambda _: parts <= {*cloud.states().values()})
    return sorted(cloud.states().values()), len(cloud.members()), len(cloud.public_keys())


class TestTick:
    @pytest.mark.prove
    def test_writes(self):
        """
        These are the conditional writes in the life of a key.
        """
        with rotating.running(canary=True, seed=1) as cloud:
            assert settle(cloud) == END
            assert conditional_writes(cloud) == LIFE

    @pytest.mark.prove
    @pytest.mark.parametrize("does", BEFORE_AND_AFTER)
    @pytest.mark.parametrize("nth", range(1, len(LIFE) + 1))
    def test_everywhere(self, nth, does):
        """
        Where one to three other runs come in, no link breaks, and the end is the same.
        """
        with rotating.running(canary=True, seed=1) as cloud:
            cloud.container()

            def runs():
                for _ in range(1 + nth % 3):
                    cloud.tick()

            let_in(cloud, runs, does=does, conditional=True, nth=nth)

            assert settle(cloud) == END


class TestRevocation:
    def ready(self, cloud):
        """Let a key sign and one stand by; return their ids."""
        parts = {"signing", "standby"}
        cloud.settle(max_ticks=60, until=lambda _: parts == {*cloud.states().values()})
        versions = cloud.versions()
        return versions["AWSCURRENT"].key_id, versions["AWSPENDING"].key_id

    def revoke(self, cloud, key_id):
        """Revoke it; its links may die from now on."""
        cloud.revoked.add(key_id)
        return revocation.revoke(
            cloud.context, key_id=key_id, secret_leaked=False, force=False, report=lambda _: None
        )

    def test_writes(self):
        """
        These are the conditional writes of a revocation.
        """
        with rotating.running(seed=1) as cloud:
            signing, _ = self.ready(cloud)
            cloud.faults.restart()

            self.revoke(cloud, signing)

            assert conditional_writes(cloud) == REVOCATION

    @pytest.mark.prove
    @pytest.mark.parametrize("another", ["revocation", "tick"])
    @pytest.mark.parametrize("does", BEFORE_AND_AFTER)
    @pytest.mark.parametrize("nth", range(1, len(REVOCATION) + 1))
    def test_everywhere(self, nth, does, another):
        """
        Where another revocation or a tick comes in, the key is gone all the same, and one signs.
        """
        with rotating.running(seed=1) as cloud:
            signing, standby = self.ready(cloud)
            actors = {"revocation": lambda: self.revoke(cloud, signing), "tick": cloud.tick}
            let_in(cloud, actors[another], does=does, conditional=True, nth=nth)

            done = self.revoke(cloud, signing)

            assert (done.refused, done.removed_from_group) == ("", True)
            assert done.signing_key_id == standby
            assert cloud.members() == [standby]
            assert settle(cloud) == END


class TestKeyGroup:
    def delete(self, cloud):
        key_group_resource.delete(cloud.context, physical_id=cloud.group_id, everything=True)

    def create(self, cloud):
        """Create it as CloudFormation would have it, which asks again after an error."""
        try:
            return key_group_resource.create(cloud.context, key_group_id="", adopt_foreign=False)
        except RetryLaterError:
            return self.create(cloud)

    def test_writes(self):
        """
        These are the conditional writes of its deletion, and all those of its creation.
        """
        with rotating.running(trusted=False) as cloud:
            self.delete(cloud)
            assert conditional_writes(cloud) == DELETION
            cloud.faults.restart()

            self.create(cloud)

            operations = [call.operation for call in cloud.faults.calls]
            assert [name for name in operations if not name.startswith(rotating.READS)] == CREATION

    @pytest.mark.parametrize("does", BEFORE_AND_AFTER)
    @pytest.mark.parametrize("nth", range(1, len(DELETION) + 1))
    def test_deleted(self, nth, does):
        """
        Where another deletion comes in, neither fails, and nothing is left.
        """
        with rotating.running(trusted=False) as cloud:
            let_in(cloud, lambda: self.delete(cloud), does=does, conditional=True, nth=nth)

            self.delete(cloud)

            assert cloud.public_keys() == {}
            assert cloud.call("ListKeyGroups")["KeyGroupList"]["Quantity"] == 0

    @pytest.mark.parametrize("does", BEFORE_AND_AFTER)
    @pytest.mark.parametrize("operation", sorted({*CREATION}))
    def test_created(self, operation, does):
        """
        Where another creation comes in, there is one group with one key, and both name it.
        """
        with rotating.running(trusted=False) as cloud:
            self.delete(cloud)
            named = []
            let_in(cloud, lambda: named.append(self.create(cloud)), does=does, operation=operation)

            named.append(self.create(cloud))

            (group_id,) = {*named}
            cloud.group_id = group_id
            assert cloud.members() == [*cloud.public_keys()]
            assert len(cloud.members()) == 1
            row = cloud.context.ledger.get(rows.key_group())
            assert row["key_group_id"] == group_id
