"""Whatever happens to the signing keys, in whatever order, rotation breaks no link."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cdn.errors import RetryLaterError
from cdn.rotation import model, revocation
from cdn.rotation.decide import decide
from cdn.rotation.steps import (
    RecordAdded,
    RecordDeleted,
    RecordPromoted,
    RecordReplaced,
    Wait,
)
from cdn.signing import key_pairs
from local.cloudfront import Lags
from local.faults import Does, Rule
from tests.local import rotating
from tests.local.rotating import CALLER, DAY_S, HOUR_S

# After the faults, so many runs lead to where one key signs and a verified one stands by.
MAX_TICKS = 60
# Short lives, so that a storm meets many: the period is no rule that protects anybody.
RULES = replace(rotating.RULES, period_s=2 * DAY_S, hold_s=HOUR_S)
PICK = st.integers(0, 7)
CURRENT, STANDBY, GENERATED = model.CURRENT, model.STANDBY, model.GENERATED
RECORD_STEPS = (RecordAdded, RecordPromoted, RecordReplaced, RecordDeleted)


BADLY = [Does.THROTTLE, Does.FAIL, Does.CRASH_BEFORE, Does.CRASH_AFTER]


class Storm(RuleBasedStateMachine):
    """
    Runs, crashes, people, clocks: and a model that knows what must hold.

    The model's own memory is small: who watches (`rotating.Cloud`), which keys people have hurt,
    and which versions of the secret ever were.
    """

    cloud: Any

    @initialize(
        seed=st.integers(0, 999),
        canary=st.booleans(),
        lag_s=st.sampled_from([1, 30, 1_800]),
        max_lifetime_s=st.sampled_from([60, HOUR_S, DAY_S]),
        ready=st.booleans(),
    )
    def begin(self, seed, canary, lag_s, max_lifetime_s, ready):
        self.context = rotating.running(
            rules=RULES,
            canary=canary,
            seed=seed,
            lags=Lags(key_group_s=lag_s),
            max_lifetime_s=max_lifetime_s,
        )
        self.cloud = self.context.__enter__()
        self.cloud.container()
        self.known: dict[str, str] = {}
        self.foreign: list[str] = []
        self.hasty: set[str] = set()
        if ready:
            self.cloud.settle(max_ticks=MAX_TICKS, until=lambda _: self.at_rest())

    def teardown(self):
        if not hasattr(self, "context"):
            return
        try:
            self.converge()
        finally:
            self.context.__exit__(None, None, None)

    # ── What rotation does ──

    def run(self):
        """Let rotation run once, and hold what it did against the rules."""
        cloud = self.cloud
        before, members = cloud.versions(), cloud.members()
        tick = cloud.tick()
        after = cloud.versions()
        self.remember(after)
        self.check_promotion(before, after)
        kept = {before[stage].key_id for stage in (CURRENT, STANDBY) if stage in before}
        for key_id in {*members} - {*cloud.members()}:
            assert key_id not in kept or key_id in cloud.revoked, cloud.steps[-5:]
            assert key_id not in self.foreign
        return tick

    def check_promotion(self, before, after):
        """Only what was verified, and in the group for as long as the rules say, comes to sign."""
        old, new = before.get(CURRENT), after.get(CURRENT)
        if new is None or (old and old.id == new.id) or new.key_id in self.hasty:
            return
        cloud = self.cloud
        record = cloud.observe().records.get(old.label) if old else None
        if record and record.forced_at_ms is not None:
            # Nothing that signed was worth waiting for, and somebody said so.
            self.hasty.add(new.key_id)
            self.hurt(new.key_id)
            return
        held_s = cloud.virtual_time.now() - cloud.since_s.get(new.key_id, cloud.virtual_time.now())
        assert cloud.observe().records[new.label].verified_at_ms is not None
        assert held_s >= cloud.context.rules.hold_s, cloud.steps[-5:]
        assert new.key_id in cloud.cloudfront.trusted_keys(cloud.group_id)

    def remember(self, versions):
        for _, version in sorted(versions.items()):
            if version.form == "key":
                self.known[version.id] = version.key_id

    @rule(runs=st.integers(1, 6), jumps=st.booleans())
    def tick(self, runs, jumps):
        """Rotation runs on and on, and may jump over what it waits for; links are given out."""
        for _ in range(runs):
            tick = self.run()
            waits_ms = getattr(tick.step, "due_at_ms", None) if tick and jumps else None
            self.sign(0)
            self.sign(1)
            if waits_ms:
                self.cloud.virtual_time.jump_to(waits_ms / 1000)
            else:
                self.cloud.virtual_time.advance(300)
            self.links_open()

    @rule(nth=st.integers(1, 14), does=st.sampled_from(BADLY), times=st.integers(1, 6))
    def tick_badly(self, nth, does, times):
        """AWS throttles or fails, or the function dies."""
        cloud = self.cloud
        cloud.faults.rules[:] = [
            Rule(does=does, caller=CALLER, nth=cloud.faults.number() + nth, times=times)
        ]
        self.run()
        cloud.faults.rules.clear()

    @rule(
        operation=st.sampled_from(["UpdateKeyGroup", "UpdateSecretVersionStage", "DeletePublicKey"])
    )
    def tick_outrun(self, operation):
        rules = {
            "UpdateKeyGroup": (412, "PreconditionFailed"),
            "UpdateSecretVersionStage": (400, "InvalidParameterException"),
            "DeletePublicKey": (409, "PublicKeyInUse"),
        }
        status, code = rules[operation]
        self.cloud.faults.rules[:] = [
            Rule(
                does=Does.FAIL,
                caller=CALLER,
                operation=operation,
                status=status,
                code=code,
                nth=1,
                times=None,
            )
        ]
        self.run()
        self.cloud.faults.rules.clear()

    @rule(nth=st.integers(1, 14), runs=st.integers(1, 4))
    def two_at_once(self, nth, runs):
        cloud = self.cloud
        cloud.faults.at = cloud.faults.number() + nth
        cloud.faults.meanwhile = lambda: [self.run() for _ in range(runs)]
        self.run()
        cloud.faults.at = None

    # ── What the endpoint, its viewers and time do ──

    @rule(container=st.integers(0, 1))
    def sign(self, container):
        link = self.cloud.sign(container)
        if link and link.key_id not in self.cloud.cloudfront.trusted_keys(self.cloud.group_id):
            # Only people make the endpoint sign with what the edges do not know.
            assert link.key_id in self.cloud.hurt | self.cloud.revoked
            self.cloud.hurt.add(link.key_id)

    @rule(unreadable=st.booleans())
    def outage(self, unreadable):
        """The endpoint reads neither the secret nor the grants, or does again."""
        self.cloud.unreadable = unreadable

    @rule(seconds=st.sampled_from([1, 60, 900, HOUR_S, DAY_S, 3 * DAY_S]))
    def wait(self, seconds):
        self.cloud.virtual_time.advance(seconds)

    @rule(max_lifetime_s=st.sampled_from([60, HOUR_S, DAY_S]))
    def grant(self, max_lifetime_s):
        self.cloud.client("ssm").put_parameter(
            Name="/grants",
            Type="String",
            Value=rotating.grants_of(max_lifetime_s),
            Overwrite=True,
        )

    # ── What people do ──

    @rule(pick=PICK, deleted=st.booleans())
    def take_out(self, pick, deleted):
        """Somebody takes a key out of the group by hand, and may delete it."""
        members = self.cloud.members()
        if len(members) < 2:
            return
        key_id = members[pick % len(members)]
        self.regroup([one for one in members if one != key_id])
        self.hurt(key_id)
        if deleted:
            self.delete(key_id)

    @rule(name=st.sampled_from(["theirs", "field-level", "stack-us-east-1-x"]), put=st.booleans())
    def add_unknown(self, name, put):
        if name in self.cloud.public_keys().values() or len(self.cloud.public_keys()) >= 8:
            return
        pem = key_pairs.public_pem(rotating.foreign_key(len(self.cloud.public_keys())))
        config = {"CallerReference": name, "Name": name, "EncodedKey": pem}
        made = self.cloud.call("CreatePublicKey", PublicKeyConfig=config)["PublicKey"]["Id"]
        self.foreign.append(made)
        members = self.cloud.members()
        if put and len(members) < 5 and sum(one in members for one in self.foreign) < 2:
            self.regroup([*members, made])

    @precondition(lambda self: self.noticed())
    @rule(pick=PICK)
    def restore(self, pick):
        """Somebody lets another version of the secret sign."""
        current = self.cloud.versions().get(CURRENT)
        others = [version for version in self.known if not current or version != current.id]
        if not others or not current:
            return
        chosen = others[pick % len(others)]
        try:
            self.cloud.context.secret.move(CURRENT, to=chosen, away_from=current.id)
        except RetryLaterError:
            return
        now = self.cloud.virtual_time.now()
        # Whether it opens anything is the person's doing, until rotation has seen to it. The edges
        # may trust for a while what is not in the group any more.
        if self.cloud.since_s.get(self.known[chosen], now) > (now - self.cloud.lag_s):
            self.hurt(self.known[chosen])

    @rule(pick=st.none() | PICK, stage=st.sampled_from([STANDBY, GENERATED]))
    def move(self, pick, stage):
        """Somebody moves a stage that rotation uses."""
        versions = self.cloud.versions()
        if not self.known or stage not in versions:
            return
        chosen = None if pick is None else [*self.known][pick % len(self.known)]
        if chosen != versions[stage].id:
            self.cloud.context.secret.move(stage, to=chosen, away_from=versions[stage].id)

    @precondition(lambda self: self.cloud.members())
    @rule(pick=PICK, leaked=st.booleans(), force=st.booleans())
    def revoke(self, pick, leaked, force):
        cloud = self.cloud
        key_id = cloud.members()[pick % len(cloud.members())]
        before = {version.key_id for version in cloud.versions().values() if leaked}
        done = revocation.revoke(
            cloud.context,
            key_id=key_id,
            secret_leaked=leaked,
            force=force,
            report=lambda result: cloud.steps.append(result.outcome),
        )
        if not done.refused:
            cloud.revoked |= {key_id, *before, *done.key_ids}
            self.foreign = [one for one in self.foreign if one != key_id]
        cloud.watch()
        self.remember(cloud.versions())
        signs = cloud.versions()[CURRENT].key_id
        if force and signs:
            # It signs before anybody can know that the edges know it: that was asked for.
            self.hurt(signs)
            self.hasty.add(signs)

    # ── What must hold all along ──

    @invariant()
    def links_open(self):
        assert self.cloud.look() == [], self.cloud.steps[-10:]

    @invariant()
    def strangers_stay(self):
        assert {*self.foreign} <= {*self.cloud.public_keys()}

    @invariant()
    def few_of_ours(self):
        assert len(self.cloud.members()) <= 5
        assert len(self.cloud.public_keys()) <= 10

    # ── Helpers ──

    def noticed(self):
        """Whether rotation has noticed who signs: twice between two looks, nobody would."""
        step = decide(
            self.cloud.observe(), now_ms=self.cloud.context.now_ms(), rules=self.cloud.context.rules
        )
        return not isinstance(step, RECORD_STEPS)

    def hurt(self, key_id):
        self.cloud.hurt.add(key_id)

    def regroup(self, members):
        found = self.cloud.call("GetKeyGroup", Id=self.cloud.group_id)
        config = found["KeyGroup"]["KeyGroupConfig"] | {"Items": members}
        self.cloud.call(
            "UpdateKeyGroup", Id=self.cloud.group_id, IfMatch=found["ETag"], KeyGroupConfig=config
        )
        self.cloud.watch()

    def delete(self, key_id):
        etag = self.cloud.call("GetPublicKey", Id=key_id)["ETag"]
        self.cloud.call("DeletePublicKey", Id=key_id, IfMatch=etag)
        self.foreign = [one for one in self.foreign if one != key_id]

    def at_rest(self):
        signing = self.cloud.versions().get(CURRENT)
        if signing is None or signing.key_id not in self.cloud.members():
            return False
        parts = list(self.cloud.states().values())
        return parts.count("signing") == 1 and parts.count("standby") == 1

    def converge(self):
        """Without faults, a bounded number of runs leads to a key that signs and one that could."""
        cloud = self.cloud
        cloud.faults.rules.clear()
        cloud.unreadable = False
        for _ in range(MAX_TICKS):
            tick = self.run()
            self.links_open()
            if tick and isinstance(tick.step, Wait):
                if self.at_rest():
                    break
                assert tick.step.due_at_ms is not None, f"{tick} {cloud.steps[-20:]}"
                cloud.virtual_time.jump_to(tick.step.due_at_ms / 1000)
            else:
                cloud.virtual_time.advance(300)
        assert self.at_rest(), f"{tick} {cloud.states()} {cloud.steps[-20:]}"
        signing = cloud.versions()[CURRENT]
        assert signing.key_id in cloud.members()
        assert signing.key_id not in cloud.revoked
        self.explained()
        self.live_on(signing.label)

    def live_on(self, label):
        """From there, the key that signs comes to its end like any other, and breaks no link."""
        for _ in range(MAX_TICKS):
            tick = self.run()
            self.sign(0)
            self.sign(1)
            self.links_open()
            if self.cloud.states().get(label) == "deleted":
                return
            waits_ms = getattr(tick.step, "due_at_ms", None)
            if waits_ms:
                self.cloud.virtual_time.jump_to(waits_ms / 1000)
            else:
                self.cloud.virtual_time.advance(300)
        raise AssertionError(f"{label} does not come to its end: {self.cloud.steps[-20:]}")

    def explained(self):
        """Every public key with the stack's mark is known to the ledger, under its name."""
        observed = self.cloud.observe()
        ours = [
            k for k in observed.public_keys if model.is_ours(k, name_prefix=observed.name_prefix)
        ]
        assert {key.name for key in ours} <= {*observed.records}
        assert len(ours) <= 5


def storm(*, examples, steps):
    run_state_machine_as_test(
        Storm,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            # Shrinking takes far longer than finding.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_short_storm():
    """
    A hundred things happen, and no rule is broken.
    """
    storm(examples=1, steps=100)


@pytest.mark.full
def test_storm():
    """
    So it is with a thousand.
    """
    storm(examples=10, steps=100)


@pytest.mark.full
def test_long_storm():
    """
    So it is with ten thousand.
    """
    storm(examples=100, steps=100)
