"""CloudFormation's custom resources: who is asked must answer, or the stack waits for an hour.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUSES = range(200, 400)


class Put(Protocol):
    """Sends a body to a URL, and returns the status; 0 where nobody answers."""

    def __call__(self, url: str, body: bytes, /, *, headers: Mapping[str, str]) -> int: ...


def physical_id(event: Mapping[str, Any]) -> str:
    """
    Return the id that the resource has, or one that says that it has none yet.

    >>> physical_id({"RequestType": "Create", "LogicalResourceId": "KeyGroup"})
    'none-yet-for-KeyGroup'
    """
    given: str = event.get("PhysicalResourceId", f"none-yet-for-{event['LogicalResourceId']}")
    return given


def respond(
    event: Mapping[str, Any],
    *,
    status: Literal["SUCCESS", "FAILED"],
    reason: str,
    physical_id: str,
    put: Put,
) -> None:
    """
    Answer the request *event* of CloudFormation.

    Raises:
        RetryLaterError: The answer was not taken. Lambda calls again, and all is done again.
    """
    response = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": physical_id,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        "Data": {"Id": physical_id},
    }
    # The URL is signed for no type of content.
    taken = put(event["ResponseURL"], json.dumps(response).encode(), headers={"content-type": ""})
    if taken not in _STATUSES:
        raise RetryLaterError("PUT", "ResponseURL")
