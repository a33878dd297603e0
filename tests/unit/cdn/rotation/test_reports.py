"""What a tick reports can be logged, and what needs attention is said once, in a sentence."""

import logging

import pytest

from cdn import telemetry
from cdn.cloudfront.key_groups import KeyGroup
from cdn.rotation import reports, steps
from cdn.rotation.model import Observed, Record
from cdn.rotation.steps import Wait
from tests.unit.cdn.rotation.test_decide import NOW_MS, RULES

# One of each; whatever a field is called, its value is a text or a number.
STEPS = [step(*["k" for _ in step.__dataclass_fields__]) for step in steps.Step.__args__]


class TestStepResult:
    @pytest.mark.parametrize("error", ["", "Throttling"])
    @pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
    def test_logged(self, step, error):
        """
        Every step's log line has fields that a log record takes.
        """
        result = reports.step_result(step, error=error)

        logging.getLogger("rotation").warning(result.outcome, extra=telemetry.log_fields(result))
        assert result.ids["step"] == type(step).__name__
        assert result.reason == error

    def test_wait(self):
        """
        A wait is due at the moment that it waits for, for the reason that it has.
        """
        result = reports.step_result(Wait(NOW_MS, "the next key is promoted then"), error="")

        assert (result.outcome, result.due_at_ms) == ("rotation waits", NOW_MS)
        assert result.reason == "the next key is promoted then"


class TestConcerns:
    def test_no_group(self):
        """
        Without a key group there is one concern, and nothing else is said.
        """
        (concern,) = reports.concerns(Observed("stack-", None), now_ms=NOW_MS, rules=RULES)

        assert concern.id == "signing-keys/group-gone"
        assert concern.detail_type == "Signing Keys Need Attention"

    def test_unknown_key(self):
        """
        A key that the stack did not create is named, with its id.
        """
        observed = Observed("stack-", KeyGroup("g", "E1", "group", ("K1",)))

        concerns = list(reports.concerns(observed, now_ms=NOW_MS, rules=RULES))

        assert ("signing-keys/unknown-key/K1", {"key_id": "K1"}) in [
            (concern.id, concern.details) for concern in concerns
        ]


class TestNews:
    def test_life(self):
        """
        A key is announced when it signs, when it is revoked, and when it is deleted.
        """
        record = Record("k", "K1", promoted_at_ms=1, revoked_at_ms=2, deleted_at_ms=3)

        news = list(reports.news(Observed("stack-", None, records={"k": record})))

        assert [report.detail_type for report in news] == [
            "Signing Key Activated",
            "Signing Key Revoked",
            "Signing Key Deleted",
        ]
