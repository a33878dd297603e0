"""The function that rotates keys: by its schedule, by CloudFormation, and when asked."""

import json
from dataclasses import replace
from datetime import datetime

import pytest

from cdn.aws import rows
from cdn.errors import KeyGroupError
from cdn.rotation import key_group_resource, reconcile, revocation
from cdn.signing import key_pairs
from cdn.telemetry import StepResult
from local.custom_resources import CustomResourceError
from local.faults import Crash, Does, Rule
from tests.local import rotating, signed
from tests.secrecy import leaks

OWN = f"https://{signed.HOST}/users/42/a.jpg"


@pytest.fixture
def cloud():
    with signed.running(key=None) as cloud:
        yield cloud


def ask(cloud, event):
    """Call the function directly, and give its answer."""
    world = cloud.world
    (function,) = (one for one in world.deployment.functions if one.name == "rotate_keys")
    outcome = world.call(function, event)
    assert outcome.error is None, outcome.error
    return outcome.answer


def proceed(cloud, *, until, max_ticks=60):
    """Let the schedule fire, jumping over what is waited for."""
    for _ in range(max_ticks):
        step = ask(cloud, {})["step"]
        if until(step):
            return
        plan = ask(cloud, {"plan": True})["next"]
        if "due_at" in plan:
            cloud.world.virtual_time.jump_to(datetime.fromisoformat(plan["due_at"]).timestamp())
        else:
            cloud.world.virtual_time.advance(300)
    raise AssertionError(step)


def ready(cloud):
    """Let the first key sign, with a verified one that stands by."""
    proceed(cloud, until=lambda _: states(cloud) >= {"signing", "standby"})


def states(cloud):
    return {key["state"] for key in ask(cloud, {"plan": True})["keys"]}


def key_in(cloud, state):
    """Tell the id of the one key that is in *state*."""
    (key,) = (key for key in ask(cloud, {"plan": True})["keys"] if key["state"] == state)
    return key["key_id"]


@pytest.mark.prove
class TestFirstKey:
    def test_by_schedule(self, cloud):
        """
        By its schedule alone, a day after it was made, the stack signs what its own edge opens.

        Before it was in the group for the hold time, the key does not sign.
        """
        assert cloud.urls(OWN).status == 503

        cloud.world.run(limit_s=23 * 3_600)

        assert cloud.urls(OWN, token=cloud.token()).status == 503

        cloud.world.run(limit_s=2 * 3_600)

        (one,) = cloud.urls(OWN, token=cloud.token()).body["signed"]
        assert cloud.fetch(one["url"]).status == 200
        assert cloud.fetch(OWN).status == 403


@pytest.mark.prove
class TestKms:
    @pytest.mark.parametrize("kind", ["ECDSA-P256", "RSA-2048"])
    def test_two_lives(self, kind):
        """
        Keys in KMS are rotated like others; the old one is deleted there, too, once it is drained.
        """
        parameters = {"SigningKeys": "kms", "SigningKeyKind": kind}
        with signed.running(key=None, parameters=parameters) as cloud:
            ready(cloud)
            (one,) = cloud.urls(OWN, token=cloud.token()).body["signed"]
            assert cloud.fetch(one["url"]).status == 200

            proceed(cloud, until=lambda _: "deleted" in states(cloud))

            (two,) = cloud.urls(OWN, token=cloud.token()).body["signed"]
            assert cloud.fetch(two["url"]).status == 200
            kms = cloud.world.client("kms")
            found = [
                kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
                for key in kms.list_keys()["Keys"]
            ]
            assert sorted(
                key["KeyState"] for key in found if key.get("KeyUsage") == "SIGN_VERIFY"
            ) == [
                "Enabled",
                "Enabled",
                "PendingDeletion",
            ]


@pytest.mark.prove
class TestKind:
    def test_changed(self):
        """
        Another kind of key is just the next rotation: links of both kinds open meanwhile.
        """
        with rotating.running(seed=3) as cloud:
            cloud.settle(max_ticks=60, until=lambda _: "standby" in cloud.states().values())
            old = cloud.sign()

            rules = cloud.context.rules
            cloud.context = replace(
                cloud.context,
                rules=replace(rules, kind="RSA-2048", hash_algorithm="SHA1"),
            )
            cloud.settle(
                max_ticks=20, until=lambda _: cloud.versions()["AWSCURRENT"].kind == "RSA-2048"
            )
            new = cloud.sign()

            assert old.key_id != new.key_id
            assert cloud.fetch(new.url) == 200


class TestRevoke:
    def test_standby_takes_over(self, cloud):
        """
        The standby signs at once, the bad key's links die, and whoever asks again is not failed.
        """
        ready(cloud)
        (bad,) = cloud.urls(OWN, token=cloud.token()).body["signed"]
        key_id = bad["url"].partition("Key-Pair-Id=")[2].partition("&")[0]

        done = ask(cloud, {"revoke": key_id, "secret_leaked": False, "force": False})
        cloud.world.virtual_time.advance(61)

        assert done["refused"] == ""
        assert done["removed_from_group"]
        assert done["signing_key_id"] not in {"", key_id}
        assert done["distribution_ids"] == [cloud.distribution_id]
        assert done["last_link_expires_at_s"] >= bad["expires_at"]
        assert cloud.fetch(bad["url"]).status == 403
        (good,) = cloud.urls(OWN, token=cloud.token()).body["signed"]
        assert f"Key-Pair-Id={done['signing_key_id']}" in good["url"]
        assert cloud.fetch(good["url"]).status == 200

    def test_refused_without_another(self, cloud):
        """
        A key without which nothing would open is revoked only by force; then a new one signs.
        """
        proceed(cloud, until=lambda _: "signing" in states(cloud))
        (bad,) = cloud.urls(OWN, token=cloud.token()).body["signed"]
        key_id = bad["url"].partition("Key-Pair-Id=")[2].partition("&")[0]

        refused = ask(cloud, {"revoke": key_id})
        assert "force" in refused["refused"]
        assert cloud.fetch(bad["url"]).status == 200

        done = ask(cloud, {"revoke": key_id, "force": True})
        cloud.world.virtual_time.advance(61)

        assert done["removed_from_group"]
        assert cloud.fetch(bad["url"]).status == 403
        (good,) = cloud.urls(OWN, token=cloud.token()).body["signed"]
        assert cloud.fetch(good["url"]).status == 200

    def test_leaked(self):
        """
        With the whole secret leaked, the standby goes as well, and each step is reported.
        """
        results: list[StepResult] = []

        def revoke(*, force):
            return revocation.revoke(
                cloud.context,
                key_id=signing,
                secret_leaked=True,
                force=force,
                report=results.append,
            )

        with rotating.running(seed=4) as cloud:
            cloud.settle(max_ticks=60, until=lambda _: "standby" in cloud.states().values())
            before = {version.key_id for version in cloud.versions().values()} - {""}
            signing = cloud.versions()["AWSCURRENT"].key_id
            assert revoke(force=False).refused
            assert results == []

            done = revoke(force=True)

            assert {*done.key_ids} >= before
            assert done.removed_from_group
            assert done.signing_key_id not in before
            assert not before & {*cloud.members()}
            assert {result.outcome for result in results[:-1]} == {"rotation step taken"}
            removed = {
                result.ids["key_id"]
                for result in results
                if result.ids.get("step") == "RemoveFromKeyGroup"
            }
            assert removed >= before & {*done.key_ids}

    def test_unknown(self, cloud):
        """
        Of a key that nobody knows, nothing is done.
        """
        assert "KNOWN" in ask(cloud, {"revoke": "KNOWN"})["refused"]

    @pytest.mark.parametrize("event", [{"revoke": None}, {"revoke": 1}, {"plan": "please"}])
    def test_malformed(self, cloud, event):
        """
        A question in another form is answered with the right one, and nothing is done.
        """
        assert "refused" in ask(cloud, event)


class TestEdited:
    def test_standby_removed(self, cloud):
        """
        A standby that somebody removed from the group is added again, and has to be verified anew.
        """
        ready(cloud)
        client = cloud.world.client("cloudfront")
        found = client.get_key_group(Id=cloud.key_group_id)
        config = found["KeyGroup"]["KeyGroupConfig"]
        standby = key_in(cloud, "standby")
        remaining = [one for one in config["Items"] if one != standby]
        client.update_key_group(
            Id=cloud.key_group_id,
            IfMatch=found["ETag"],
            KeyGroupConfig=config | {"Items": remaining},
        )

        def members():
            group = client.get_key_group(Id=cloud.key_group_id)["KeyGroup"]
            return group["KeyGroupConfig"]["Items"]

        proceed(cloud, until=lambda _: standby in members())
        included_s = cloud.world.virtual_time.now()
        assert "standby" not in states(cloud)
        ready(cloud)
        assert key_in(cloud, "standby") == standby
        assert cloud.world.virtual_time.now() - included_s >= 24 * 3_600


class TestPlan:
    def test_changes_nothing(self, cloud):
        """
        The plan says what would be done, and does not do it.
        """
        before = len(cloud.world.faults.calls)

        plan = ask(cloud, {"plan": True})

        calls = [call.operation for call in cloud.world.faults.calls[before:]]
        assert all(name.startswith(("Get", "List", "Describe", "Query")) for name in calls)
        assert plan["next"]["step"] == "Wait"
        assert [key["state"] for key in plan["keys"]] == ["created"]

    def test_timeline(self, cloud):
        """
        A key's timeline stays readable when the key is long deleted.
        """
        proceed(cloud, until=lambda _: "deleted" in states(cloud))

        first = ask(cloud, {"plan": True})["keys"][0]

        moments = [
            "generated_at",
            "created_at",
            "added_at",
            "verified_at",
            "promoted_at",
            "replaced_at",
            "deleted_at",
        ]
        assert [first[name] for name in moments] == sorted(first[name] for name in moments)


class TestAnnounced:
    def test_once(self, cloud):
        """
        What a person must see is announced once, and again only when it comes again.
        """
        ready(cloud)
        group = cloud.key_group_id
        key_id = cloud.trust(key_pairs.public_pem(signed.private_key()), "somebody's")

        announced_ids = [name for _ in range(3) for name in ask(cloud, {})["announced_ids"]]

        assert announced_ids.count(f"signing-keys/unknown-key/{key_id}") == 1
        found = cloud.world.client("cloudfront").get_key_group(Id=group)
        assert key_id in found["KeyGroup"]["KeyGroupConfig"]["Items"]

    def test_died(self):
        """
        Whoever dies between announcing and noting it announces it again, under the same id.
        """
        with rotating.running() as cloud:
            cloud.settle(max_ticks=60, until=lambda _: "signing" in cloud.states().values())
            announcer = rotating.announcer()
            died = Rule(does=Does.CRASH_BEFORE, operation="UpdateItem", times=None)
            cloud.faults.rules.append(died)
            with pytest.raises(Crash):
                reconcile.announce(cloud.context, announcer, cloud.observe())
            cloud.faults.rules.clear()

            announced_ids = reconcile.announce(cloud.context, announcer, cloud.observe())
            again = reconcile.announce(cloud.context, announcer, cloud.observe())

            (activated,) = announced_ids
            assert activated.startswith("signing-key/stack-us-east-1-")
            assert again == []

    def test_over(self):
        """
        What is over is forgotten, so that it is announced when it comes again.
        """
        with rotating.running() as cloud:
            announcer = rotating.announcer()
            pem = key_pairs.public_pem(signed.private_key())
            config = {"CallerReference": "x", "Name": "x", "EncodedKey": pem}
            made = cloud.call("CreatePublicKey", PublicKeyConfig=config)["PublicKey"]["Id"]
            own = cloud.members()

            announced_ids = []
            for members in ([*own, made], own, [*own, made]):
                found = cloud.call("GetKeyGroup", Id=cloud.group_id)
                wanted = found["KeyGroup"]["KeyGroupConfig"] | {"Items": members}
                cloud.call(
                    "UpdateKeyGroup",
                    Id=cloud.group_id,
                    IfMatch=found["ETag"],
                    KeyGroupConfig=wanted,
                )
                announced_ids += reconcile.announce(cloud.context, announcer, cloud.observe())

            assert announced_ids == [f"signing-keys/unknown-key/{made}"] * 2


class TestGroup:
    def test_made(self, cloud):
        """
        The stack's output names a group that has a key, before any rotation.
        """
        found = cloud.world.client("cloudfront").get_key_group(
            Id=cloud.world.outputs["KeyGroupId"]
        )["KeyGroup"]

        assert found["KeyGroupConfig"]["Name"] == "autopilot-us-east-1"
        assert len(found["KeyGroupConfig"]["Items"]) == 1

    def test_update(self, cloud):
        """
        An update changes nothing, and says so where somebody wants another group.
        """
        made = cloud.world.outputs["KeyGroupId"]

        same = cloud.world.custom_resources.send("KeyGroup", "Update", {"AdoptForeign": "yes"})
        assert same.ref == made
        with pytest.raises(CustomResourceError, match="deploy another stack"):
            cloud.world.custom_resources.send("KeyGroup", "Update", {"KeyGroupId": "other"})

    @pytest.mark.parametrize("everything", ["no", "yes"])
    def test_delete_trusted(self, cloud, everything):
        """
        While a distribution trusts the group, it is never deleted.
        """
        send = cloud.world.custom_resources.send
        if everything == "yes":
            with pytest.raises(CustomResourceError, match="distributions trust it"):
                send("KeyGroup", "Delete", {"DeleteEverything": everything})
        else:
            send("KeyGroup", "Delete", {"DeleteEverything": everything})

        assert cloud.world.client("cloudfront").get_key_group(Id=cloud.key_group_id)

    def test_delete(self):
        """
        One that nobody trusts is deleted where that is asked for, with its keys.
        """
        with rotating.running(trusted=False) as cloud:
            key_group_resource.delete(cloud.context, physical_id=cloud.group_id, everything=True)

            assert cloud.public_keys() == {}

    def test_create_again(self):
        """
        Asked again after a crash at any moment, there is still one group with one key.
        """
        with rotating.running(trusted=False) as cloud:
            again = key_group_resource.create(cloud.context, key_group_id="", adopt_foreign=False)
            cloud.context.ledger.delete([rows.key_group()])
            anew = key_group_resource.create(cloud.context, key_group_id="", adopt_foreign=False)

            assert {again, anew} == {cloud.group_id}
            assert len(cloud.public_keys()) == 1

    def test_foreign(self):
        """
        A foreign group is adopted only where that is asked for; else the error says how.
        """
        with rotating.running() as cloud:
            key_id = next(iter(cloud.public_keys()))
            config = {"Name": "theirs", "Items": [key_id]}
            made = cloud.call("CreateKeyGroup", KeyGroupConfig=config)["KeyGroup"]["Id"]

            with pytest.raises(KeyGroupError, match="ignore_changes"):
                key_group_resource.create(cloud.context, key_group_id=made, adopt_foreign=False)
            with pytest.raises(KeyGroupError, match="There is no key group"):
                key_group_resource.create(cloud.context, key_group_id="gone", adopt_foreign=True)
            assert (
                key_group_resource.create(cloud.context, key_group_id=made, adopt_foreign=True)
                == made
            )

    def test_broken(self, cloud):
        """
        Whatever goes wrong, CloudFormation gets a response, and nothing secret is in it.
        """
        denied = Rule(does=Does.FAIL, operation="GetItem", times=None, status=403, code="Denied")
        cloud.world.faults.rules.append(denied)
        with pytest.raises(CustomResourceError, match="see the log of the function rotate_keys"):
            cloud.world.custom_resources.send("KeyGroup", "Create", {})
        cloud.world.faults.rules.remove(denied)


class TestCanary:
    def test_broken(self):
        """
        A canary that fails for another reason than the key counts for nothing, and is recorded.
        """
        with rotating.running(canary=True) as cloud:
            cloud.context = replace(cloud.context, fetch=lambda url: 503 if "?" in url else 403)
            with pytest.raises(AssertionError, match="VerifyKey"):
                cloud.settle(max_ticks=12, until=lambda _: False)

            (record,) = cloud.observe().records.values()
            assert record.verified_at_ms is None
            assert (
                record.verification_error
                == "the canary returns 503, for another reason than the key"
            )

    def test_open(self):
        """
        Nor does one that opens without a signature.
        """
        with rotating.running(canary=True) as cloud:
            cloud.context = replace(cloud.context, fetch=lambda _url: 200)
            with pytest.raises(AssertionError, match="VerifyKey"):
                cloud.settle(max_ticks=12, until=lambda _: False)

            (record,) = cloud.observe().records.values()
            assert "without a signature" in record.verification_error

    def test_disabled(self):
        """
        A disabled distribution does not hold a key up.
        """
        with rotating.running() as cloud:
            rotating.distribute(cloud, enabled=False, host="off.example.com")

            assert cloud.settle(max_ticks=30, until=lambda _: cloud.sign() is not None)


class TestSecrecy:
    def test_nowhere(self, capfd):
        """
        No private key is in any log, event, answer or row, in two lives and a revocation.
        """
        with signed.running(key=None) as cloud:
            proceed(cloud, until=lambda _: "deleted" in states(cloud))
            plan = ask(cloud, {"plan": True})
            (one,) = cloud.urls(OWN, token=cloud.token()).body["signed"]
            key_id = one["url"].partition("Key-Pair-Id=")[2].partition("&")[0]
            done = ask(cloud, {"revoke": key_id, "force": True})

            said = json.dumps([plan, done]) + "".join(cloud.world.logs("rotate_keys"))
            assert leaks(said) == []
            assert "PRIVATE" not in said
