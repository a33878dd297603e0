"""Which refusals of AWS pass by themselves, so that the same request may be made again."""

from collections.abc import Mapping
from typing import Any

# What botocore retries as throttling or as transient, and what it does not know:
# TooManyInvalidationsInProgress.
_PASSING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
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
    }
)

_FIRST_SERVER_ERROR = 500


def passes(refusal: Mapping[str, Any]) -> bool:
    """
    Tell whether *refusal* (a `ClientError.response`) is throttling or a fault of AWS's own.

    >>> passes({"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400}})
    True
    >>> passes({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}})
    False
    """
    status: int = refusal.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code(refusal) in _PASSING_CODES or status >= _FIRST_SERVER_ERROR


def code(refusal: Mapping[str, Any]) -> str:
    """Name the error of a `ClientError.response`."""
    name: str = refusal.get("Error", {}).get("Code", "")
    return name


def pause_ms(refusals: int) -> int:
    """
    Wait longer each time: 5 s after the first refusal in a row, never over 2 minutes.

    >>> [pause_ms(refusals) // 1000 for refusals in (1, 2, 3, 9)]
    [5, 10, 20, 120]
    """
    return min(5_000 << min(refusals - 1, 10), 120_000)
