"""Retryable error responses are distinguished from all others."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from cdn.aws import retryable
from cdn.errors import RetryLaterError


def response(code, status):
    return {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


class TestIsRetryable:
    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("Throttling", 400),
            ("TooManyInvalidationsInProgress", 400),
            ("ServiceUnavailable", 503),
            ("InternalError", 500),
        ],
    )
    def test_throttled(self, code, status):
        """
        Throttling and faults of AWS's own are retryable.
        """
        assert retryable.is_retryable(response(code, status))

    @pytest.mark.parametrize(
        ("code", "status"),
        [("AccessDenied", 403), ("NoSuchDistribution", 404), ("InvalidArgument", 400)],
    )
    def test_final(self, code, status):
        """
        What is wrong with the request stays wrong.
        """
        assert not retryable.is_retryable(response(code, status))

    def test_botocore(self):
        """
        Whatever botocore would retry is retryable.
        """
        codes = {
            *getattr(ThrottledRetryableChecker, "_THROTTLED_ERROR_CODES"),  # noqa: B009  # no stub
            *getattr(TransientRetryableChecker, "_TRANSIENT_ERROR_CODES"),  # noqa: B009  # has them
        } - {"EC2ThrottledException"}

        assert [code for code in codes if not retryable.is_retryable(response(code, 400))] == []


class TestBackoff:
    def test_grows(self):
        """
        Backoff doubles from 5 s and ends at two minutes, however many retries there were.
        """
        pauses = [retryable.backoff_ms(retry_count) for retry_count in range(1, 100)]

        assert [5_000, 10_000, 20_000, 40_000, 80_000, 120_000] == pauses[:6]
        assert {120_000} == set(pauses[5:])


class TestRetryLater:
    @pytest.mark.parametrize(
        "error",
        [
            ClientError({"Error": {"Code": "Throttling"}}, "ListDistributions"),
            EndpointConnectionError(endpoint_url="https://cloudfront.amazonaws.com"),
        ],
    )
    def test_passing(self, error):
        """
        Throttling and a network that is down are one error, by which the caller comes back later.
        """
        with pytest.raises(RetryLaterError), retryable.retry_later():
            raise error

    @pytest.mark.parametrize(
        "error",
        [
            ClientError({"Error": {"Code": "AccessDenied"}}, "ListDistributions"),
            NoCredentialsError(),
        ],
    )
    def test_lasting(self, error):
        """
        What does not pass by itself stays what it was.
        """
        with pytest.raises(type(error)), retryable.retry_later():
            raise error

    def test_conflict(self):
        """
        A conflict that the caller names is retried later, too.
        """
        error = ClientError({"Error": {"Code": "PreconditionFailed"}}, "UpdateKeyGroup")

        with pytest.raises(RetryLaterError) as later, retryable.retry_later("PreconditionFailed"):
            raise error

        assert (later.value.operation, later.value.code) == ("UpdateKeyGroup", "PreconditionFailed")
