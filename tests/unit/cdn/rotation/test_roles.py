"""Which key signs, stands by or is a candidate follows from stages, records and public keys."""

import pytest

from cdn.cloudfront.key_groups import KeyGroup
from cdn.cloudfront.public_keys import PublicKey
from cdn.rotation import model
from cdn.rotation.model import Observed, Record, Version
from cdn.rotation.roles import roles_of
from tests.unit.cdn.rotation.test_decide import NOW_MS, RULES

FINGERPRINT = "0123456789abcdef"
NAME = model.key_name("stack-", FINGERPRINT)
KEY = PublicKey("K1", NAME, FINGERPRINT)
STANDBY = Version("v1", frozenset({model.STANDBY}), "key", name=NAME, key_id="K1")
CANDIDATE = Version("v1", frozenset({model.GENERATED}), "generated", name=NAME)


def roles(version, record=None, *, public_keys=(KEY,)):
    observed = Observed(
        "stack-",
        KeyGroup("g", "E1", "group", ("K1",)),
        public_keys,
        (version,),
        {NAME: record or Record(NAME)},
    )
    assert observed.group is not None
    return roles_of(observed, observed.group, now_ms=NOW_MS, rules=RULES)


class TestStandby:
    def test_ready(self):
        """
        A standby may sign at once when it is in the group and verified.
        """
        assert roles(STANDBY, Record(NAME, verified_at_ms=NOW_MS)).ready == STANDBY
        assert roles(STANDBY).ready is None

    def test_not_created(self):
        """
        Without its public key a version is no standby.
        """
        assert roles(STANDBY, public_keys=()).standby is None

    def test_revoked(self):
        """
        A revoked key is no standby.
        """
        assert roles(STANDBY, Record(NAME, revoked_at_ms=NOW_MS)).standby is None


class TestCandidate:
    def test_generated(self):
        """
        What was generated and never signed is a candidate, with the id of its public key.
        """
        with_candidate = roles(CANDIDATE)

        assert with_candidate.candidate == CANDIDATE
        assert with_candidate.key_ids_in_use() == {"K1"}

    @pytest.mark.parametrize(
        "record", [Record(NAME, promoted_at_ms=NOW_MS), Record(NAME, revoked_at_ms=NOW_MS)]
    )
    def test_used_up(self, record):
        """
        One that has signed, or was revoked, is never a candidate again.
        """
        assert roles(CANDIDATE, record).candidate is None

    def test_name_taken(self):
        """
        One whose name another key has is no candidate.
        """
        taken = PublicKey("K2", NAME, "f" * 64)

        assert roles(CANDIDATE, public_keys=(taken,)).candidate is None


class TestDraining:
    def test_end(self):
        """
        A key is drained once its last link has expired by every clock.
        """
        record = Record(NAME, replaced_at_ms=NOW_MS, max_lifetime_s=60)
        seconds = RULES.secret_max_age_s + RULES.signer_timeout_s + 60 + RULES.clock_skew_s

        assert roles(STANDBY).drained_at_ms(record) == NOW_MS + seconds * 1000

    def test_signing(self):
        """
        While a key signs, nothing says when it is drained.
        """
        assert roles(STANDBY).drained_at_ms(Record(NAME)) is None
