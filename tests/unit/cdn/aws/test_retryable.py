"""Refusals that pass are told from those that stay."""

import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from cdn.aws import retryable


def refusal(code, status):
    return {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


class TestPasses:
    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("Throttling", 400),
            ("TooManyInvalidationsInProgress", 400),
            ("ServiceUnavailable", 503),
            ("InternalError", 500),
        ],
    )
    def test_busy(self, code, status):
        """
        Throttling and faults of AWS's own pass.
        """
        assert retryable.passes(refusal(code, status))

    @pytest.mark.parametrize(
        ("code", "status"),
        [("AccessDenied", 403), ("NoSuchDistribution", 404), ("InvalidArgument", 400)],
    )
    def test_final(self, code, status):
        """
        What is wrong with the request stays wrong.
        """
        assert not retryable.passes(refusal(code, status))

    def test_botocore(self):
        """
        Whatever botocore would try again, passes.
        """
        codes = {
            *getattr(ThrottledRetryableChecker, "_THROTTLED_ERROR_CODES"),  # noqa: B009  # no stub
            *getattr(TransientRetryableChecker, "_TRANSIENT_ERROR_CODES"),  # noqa: B009  # has them
        } - {"EC2ThrottledException"}

        assert [code for code in codes if not retryable.passes(refusal(code, 400))] == []


class TestPause:
    def test_grows(self):
        """
        Pauses double from 5 s and end at two minutes, however many refusals there were.
        """
        pauses = [retryable.pause_ms(refusals) for refusals in range(1, 100)]

        assert [5_000, 10_000, 20_000, 40_000, 80_000, 120_000] == pauses[:6]
        assert {120_000} == set(pauses[5:])
