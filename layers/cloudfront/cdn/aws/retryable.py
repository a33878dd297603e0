"""Which error responses of AWS are retryable, and how long to back off before the next attempt."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as AwsConnectionError

from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cdn.telemetry import Outcome

MAX_ERRORS = 12
"""So many unexpected errors exhaust the retries of a flush, a batch or a watch: half a day's."""

ERROR_BACKOFF_MS = 30_000
"""Before a step that met an unexpected error is retried for the first time."""

_MAX_ERROR_BACKOFF_MS = 4 * 60 * 60 * 1_000

# What botocore retries as throttling or as transient, and what it does not know:
# TooManyInvalidationsInProgress, the part of a BatchWriteItem that DynamoDB throttles, and our own
# word for a row that others write again and again.
_RETRYABLE_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "QuotaContended",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyInvalidationsInProgress",
        "TooManyRequestsException",
        "TransactionInProgressException",
        "UnprocessedItems",
    }
)

_FIRST_SERVER_ERROR = 500


def is_retryable(response: Mapping[str, Any]) -> bool:
    """
    Return whether an error response (`ClientError.response`) is throttling or a fault of AWS.

    >>> throttled = {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    >>> is_retryable(throttled)
    True
    >>> is_retryable({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}})
    False
    """  # noqa: E501  # an error response is one line
    status: int = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(response) in _RETRYABLE_CODES or status >= _FIRST_SERVER_ERROR


def outcome_of(error: RetryLaterError) -> Outcome:
    """
    Return what a step is to say that *error* ended: only some codes say that AWS throttles.

    >>> outcome_of(RetryLaterError("PutEvents", "ThrottlingException"))
    'throttled'
    >>> outcome_of(RetryLaterError("PutEvents", "InternalFailure"))
    'step failed'
    """
    return "throttled" if error.code in _RETRYABLE_CODES else "step failed"


def error_code(response: Mapping[str, Any]) -> str:
    """Return the code of an error response; empty where it is none."""
    code: str = response.get("Error", {}).get("Code", "")
    return code


def code_of(error: Exception) -> str:
    """
    Return what AWS or, where it was not AWS, Python calls *error*.

    >>> from botocore.exceptions import EndpointConnectionError
    >>> code_of(EndpointConnectionError(endpoint_url="https://cloudfront.amazonaws.com"))
    'EndpointConnectionError'
    """
    return error_code(error.response) if isinstance(error, ClientError) else type(error).__name__


def error_backoff_ms(error_count: int) -> int:
    """
    Return the pause after an unexpected error: 30 s at first, doubled each time, up to 4 hours.

    A person has to mend what is refused, so that it takes a person's time.

    >>> [error_backoff_ms(error_count) // 1000 for error_count in (1, 2, 3, 11)]
    [30, 60, 120, 14400]
    >>> sum(error_backoff_ms(error_count) for error_count in range(1, MAX_ERRORS)) // 3_600_000
    12
    """
    return min(ERROR_BACKOFF_MS << min(error_count - 1, 20), _MAX_ERROR_BACKOFF_MS)


def backoff_ms(retry_count: int) -> int:
    """
    Return the pause after throttling: 5 s at first, doubled each time, never over 2 minutes.

    >>> [backoff_ms(retry_count) // 1000 for retry_count in (1, 2, 3, 9)]
    [5, 10, 20, 120]
    """
    return min(5_000 << min(retry_count - 1, 10), 120_000)


@contextmanager
def retry_later(*conflicts: str) -> Iterator[None]:
    """
    Raise retryable error responses, and errors of the network, as RetryLaterError.

    Args:
        conflicts: Codes that say here that something has changed since it was read.
    """
    try:
        yield
    except ClientError as exc:
        code = error_code(exc.response)
        if code in conflicts or is_retryable(exc.response):
            raise RetryLaterError(exc.operation_name, code) from exc
        raise
    except (AwsConnectionError, HTTPClientError) as exc:
        raise RetryLaterError("a request to AWS", code_of(exc)) from exc
