"""The next step of key rotation follows from what is observed, as the table says."""

import dataclasses
import hashlib
import inspect
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.cloudfront.key_groups import KeyGroup
from cdn.cloudfront.public_keys import PublicKey
from cdn.rotation import model, steps
from cdn.rotation.decide import decide
from cdn.rotation.model import Observed, Record, RotationRules, Version
from cdn.rotation.steps import Wait

NOW_MS = 1_790_000_000_000
NAME_PREFIX = "stack-"
RULES = RotationRules(
    period_s=30 * 86_400,
    hold_s=86_400,
    kind="ECDSA-P256",
    hash_algorithm="SHA256",
    in_kms=False,
    secret_max_age_s=900,
    signer_timeout_s=10,
    max_lifetime_s=2_592_000,
)
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# What a word of the table says, beside what it is called.
MEANS: dict[str, dict[str, Any]] = {
    "generated": {"stage": model.GENERATED},
    "standby": {"stage": model.STANDBY, "created": True, "in group": "25 h", "verified": True},
    "signing": {"created": True, "in group": "90 d", "verified": True, "current": True},
    "draining": {"created": True, "in group": "90 d", "verified": True, "promoted": "90 d"},
}


def span_ms(text):
    count, unit = text.split()
    return int(count) * UNITS[unit]


def traits(words):
    """Return the traits of one key: `signing 1 d, not in group`."""
    key_traits: dict[str, Any] = {}
    for word in words.split(", "):
        match = re.fullmatch(r"([a-z ]+?)(?: (\d+ [smhd]))?", word)
        assert match, word
        named, amount = match.groups()
        key_traits |= MEANS.get(named, {})
        if named == "signing":
            key_traits["promoted"] = amount
        elif named == "draining":
            key_traits["replaced"] = amount
        elif named in {"not in group", "unverified", "not created"}:
            # No group names a key that does not exist.
            for trait in {"unverified": ["verified"], "not created": ["created", "in group"]}.get(
                named, ["in group"]
            ):
                key_traits.pop(trait, None)
        elif named not in MEANS:
            key_traits[named] = amount or True
    return key_traits


def cast(text):
    """Return the traits of every key of a row, by its letter; and the count of foreign ones."""
    keys: dict[str, Any] = {}
    foreign = 0
    for part in filter(None, re.split("; ", text)):
        if part in {"nothing", "no group"}:
            continue
        if re.fullmatch(r"\d+ foreign", part):
            foreign = int(part.split()[0])
            continue
        letters, _, words = part.partition(" ")
        keys |= {letter: traits(words) for letter in letters.split(",")}
    return keys, foreign


def named(letter):
    return NAME_PREFIX + fingerprint(letter)[: model.FINGERPRINT_LENGTH]


def fingerprint(letter):
    return hashlib.sha256(letter.encode()).hexdigest()


def record(letter, traits):
    def ago(trait):
        since = traits.get(trait)
        return None if since is None else NOW_MS - (span_ms(since) if since is not True else 0)

    return Record(
        named(letter),
        key_id=f"K{letter}",
        generated_at_ms=NOW_MS - 100 * UNITS["d"],
        added_at_ms=ago("in group") if traits.get("in group") is not True else None,
        verified_at_ms=NOW_MS - UNITS["d"] if "verified" in traits else None,
        promoted_at_ms=ago("promoted"),
        replaced_at_ms=ago("replaced"),
        max_lifetime_s=span_ms(traits["max lifetime"]) // 1000
        if "max lifetime" in traits
        else 3_600,
        removed_at_ms=ago("removed"),
        revoked_at_ms=NOW_MS if {"revoked", "forced"} & traits.keys() else None,
        forced_at_ms=NOW_MS if "forced" in traits else None,
    )


def version(letter, traits):
    stages = {traits.get("stage"), model.CURRENT if "current" in traits else None} - {None}
    if "signed again" in traits:
        stages.add(model.PREVIOUS)
    return Version(
        f"v{letter}",
        frozenset(stages),
        "generated" if stages == {model.GENERATED} else "key",
        name=named(letter),
        key_id="" if stages == {model.GENERATED} else f"K{letter}",
        kind="RSA-2048" if "rsa" in traits else "ECDSA-P256",
    )


def observed(text):
    """Return the observation that a row of the table describes."""
    keys, foreign = cast(text)
    public = [
        PublicKey(f"K{letter}", named(letter), fingerprint(letter))
        if "foreign" not in traits
        else PublicKey(f"K{letter}", "somebody's", fingerprint(letter))
        for letter, traits in keys.items()
        if {"created", "foreign"} & traits.keys()
    ]
    public += [PublicKey(f"F{number}", f"f{number}", "") for number in range(foreign)]
    versions = [version(letter, traits) for letter, traits in keys.items()]
    if not any(model.CURRENT in one.stages for one in versions):
        versions.append(Version("v0", frozenset({model.CURRENT}), "placeholder"))
    members = [f"K{letter}" for letter, traits in keys.items() if "in group" in traits]
    return Observed(
        name_prefix=NAME_PREFIX,
        group=None if text.startswith("no group") else KeyGroup("g", "E1", "group", tuple(members)),
        public_keys=tuple(public),
        versions=tuple(one for one in versions if one.stages),
        records={
            named(letter): record(letter, traits)
            for letter, traits in keys.items()
            if "foreign" not in traits
        },
        max_lifetimes=((NOW_MS - 90 * UNITS["d"], 3_600),),
    )


def spelled(step):
    """Write a step as the table does."""
    letters = {named(letter): letter for letter in "abcdex"} | {
        f"v{letter}": letter for letter in "abcdex"
    }
    if isinstance(step, Wait):
        if step.due_at_ms is None:
            return "wait"
        left_ms = step.due_at_ms - NOW_MS
        unit = next(unit for unit in "dhms" if left_ms >= UNITS[unit])
        return f"wait {-(-left_ms // UNITS[unit])} {unit}"
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(step).__name__).lower()
    traits = dataclasses.asdict(step)
    whom = letters.get(traits.get("name", traits.get("version_id", "")), "")
    return " ".join(filter(None, [words, whom]))


# Python 3.13 takes the indentation off by itself.
TABLE = inspect.cleandoc(decide.__doc__ or "")
ROWS = re.findall(r"^\| (.*?)\s+\| (.*?)\s+\|$", TABLE, re.MULTILINE)[1:]


class TestTable:
    @pytest.mark.parametrize(("keys", "step"), ROWS)
    def test_row(self, keys, step):
        """
        What the docstring's table says of a situation is what is decided.
        """
        assert spelled(decide(observed(keys), now_ms=NOW_MS, rules=RULES)) == step

    def test_every_step(self):
        """
        The table shows every step that there is, but for what only keys in KMS need.
        """
        shown = {type(decide(observed(keys), now_ms=NOW_MS, rules=RULES)) for keys, _ in ROWS}

        assert shown == {*steps.Step.__args__, Wait} - {steps.DeleteKmsKey}


# ── Whatever there is ─────────────────────────────────────────────────────────────────────────────

LETTERS = st.sampled_from("abcdex")
MOMENTS = st.none() | st.integers(NOW_MS - 100 * UNITS["d"], NOW_MS + UNITS["h"])
RECORDS = st.builds(
    lambda letter, **traits: Record(named(letter), key_id=f"K{letter}", **traits),
    LETTERS,
    kms_key=st.sampled_from(["", "arn"]),
    added_at_ms=MOMENTS,
    verified_at_ms=MOMENTS,
    promoted_at_ms=MOMENTS,
    replaced_at_ms=MOMENTS,
    max_lifetime_s=st.none() | st.integers(0, 2_592_000),
    removed_at_ms=MOMENTS,
    revoked_at_ms=MOMENTS,
    forced_at_ms=MOMENTS,
    deleted_at_ms=MOMENTS,
)
VERSIONS = st.builds(
    lambda letter, stages, form, kind, named_so: Version(
        f"v{letter}{form}",
        frozenset(stages),
        form,
        name=named(letter) if named_so else "",
        key_id=f"K{letter}",
        kind=kind,
    ),
    LETTERS,
    st.sets(st.sampled_from([model.CURRENT, model.STANDBY, model.PREVIOUS, model.GENERATED])),
    st.sampled_from(["placeholder", "generated", "key", "unreadable"]),
    st.sampled_from(["ECDSA-P256", "RSA-2048", ""]),
    st.booleans(),
)
PUBLIC_KEYS = st.builds(
    lambda letter, ours: PublicKey(
        f"K{letter}", named(letter) if ours else "theirs", fingerprint(letter)
    ),
    LETTERS,
    st.booleans(),
)
GROUPS = st.builds(
    lambda letters: KeyGroup("g", "E1", "group", tuple(f"K{letter}" for letter in letters)),
    st.lists(LETTERS, unique=True, max_size=5),
)
OBSERVATIONS = st.builds(
    lambda records, **traits: Observed(
        name_prefix=NAME_PREFIX, records={one.name: one for one in records}, **traits
    ),
    st.lists(RECORDS, max_size=6),
    group=st.none() | GROUPS,
    public_keys=st.lists(PUBLIC_KEYS, max_size=6, unique_by=lambda one: one.id).map(tuple),
    versions=st.lists(VERSIONS, max_size=5).map(tuple),
    in_other_groups=st.frozensets(LETTERS.map("K{}".format)),
    max_lifetimes=st.lists(
        st.tuples(st.integers(0, NOW_MS), st.integers(0, 2_592_000)), max_size=3
    ).map(lambda found: tuple(sorted(found))),
)


def decided(seen):
    return decide(seen, now_ms=NOW_MS, rules=RULES)


class TestWhatever:
    @given(OBSERVATIONS)
    def test_total(self, seen):
        """
        Whatever is observed there is an answer, the same each time, and no wait that is over.
        """
        step = decided(seen)

        assert step == decided(seen)
        if isinstance(step, Wait):
            assert step.due_at_ms is None or step.due_at_ms > NOW_MS

    @given(OBSERVATIONS)
    def test_promotes(self, seen):
        """
        Only what is verified, created, trusted and not revoked comes to sign.
        """
        step = decided(seen)

        if isinstance(step, steps.Promote):
            known = seen.records[step.name]
            (chosen,) = {one.key_id for one in seen.versions if one.id == step.version_id}
            assert known.verified_at_ms is not None
            assert known.revoked_at_ms is None
            assert chosen in seen.group.key_ids
            assert chosen in {key.id for key in seen.public_keys}

    @given(OBSERVATIONS)
    def test_removes(self, seen):
        """
        Only a key of ours that is drained, or a revoked one, leaves the group; never the last one.
        """
        step = decided(seen)

        if isinstance(step, steps.RemoveFromKeyGroup):
            known = seen.records[step.name]
            left = [key_id for key_id in seen.group.key_ids if key_id != step.key_id]
            drained_ms = (known.replaced_at_ms or NOW_MS) + 1000 * (
                1_510
                + (RULES.max_lifetime_s if known.max_lifetime_s is None else known.max_lifetime_s)
            )
            assert left
            assert known.revoked_at_ms is not None or drained_ms <= NOW_MS

    @given(OBSERVATIONS)
    def test_touches_ours(self, seen):
        """
        No public key of anybody else is deleted, nor one that any group names.
        """
        step = decided(seen)

        if isinstance(step, steps.DeletePublicKey):
            key = next(one for one in seen.public_keys if one.id == step.key_id)
            assert model.is_ours(key, name_prefix=NAME_PREFIX)
            assert key.id not in {*seen.group.key_ids, *seen.in_other_groups}
