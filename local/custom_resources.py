"""CloudFormation's custom resources: a function gets a request, and answers by a PUT."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from local.cloudformation import Physical, TemplateError
from local.function import ASYNC_RETRIES_S, Function, Outcome
from local.loopback import Request, Response, Server

Call = Callable[[Function, Mapping[str, Any]], Outcome]

_MAX_RESPONSE_BYTES = 4096
_MAX_PHYSICAL_ID_BYTES = 1024


class CustomResourceError(TemplateError):
    """A custom resource was refused by its function, which may have answered nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A custom resource as it was last asked for."""

    function: Function
    stack_id: str
    logical_id: str
    kind: str
    properties: Mapping[str, Any]
    physical: Physical


@dataclass(slots=True, kw_only=True)
class CustomResources:
    """
    Asks functions for custom resources, and waits until each has answered.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
    What failed is not rolled back: no Delete follows a Create that failed.

    Attributes:
        call:
            Runs a function once, to its end.
        wait:
            Lets so many seconds pass, before an invocation that failed is tried again.

    """

    call: Call
    wait: Callable[[float], None]
    random: random.Random
    _held: dict[str, _Held] = field(default_factory=dict)

    def create(
        self,
        logical_id: str,
        *,
        stack_id: str,
        kind: str,
        function: Function,
        properties: Mapping[str, Any],
    ) -> Physical:
        """
        Create a resource by *function*, of the type *kind*.

        Raises:
            CustomResourceError: It failed.
        """
        self._held[logical_id] = _Held(
            function=function,
            stack_id=stack_id,
            logical_id=logical_id,
            kind=kind,
            properties=_texts(properties),
            physical=Physical("", {}),
        )
        return self.send(logical_id, "Create", {})

    def send(self, logical_id: str, request_type: str, properties: Mapping[str, Any]) -> Physical:
        """
        Create, update or delete a resource, with *properties* in place of those it had.

        A property that is None is left out. If an Update answers with another physical id, the
        old one is deleted, as CloudFormation does.

        Raises:
            CustomResourceError: It failed.
        """
        if logical_id not in self._held:
            raise CustomResourceError(f"there is no custom resource {logical_id}")
        old = self._held[logical_id]
        changed = old.properties | _texts(properties)
        new = replace(
            old, properties={name: value for name, value in changed.items() if value is not None}
        )
        physical = {"PhysicalResourceId": old.physical.ref}
        match request_type:
            case "Create":
                new = replace(new, physical=self._ask(new, "Create", {}))
            case "Update":
                more = physical | {"OldResourceProperties": old.properties}
                new = replace(new, physical=self._ask(new, "Update", more))
                if new.physical.ref != old.physical.ref:
                    self._ask(old, "Delete", physical)
            case "Delete":
                self._ask(new, "Delete", physical)
            case _:
                raise CustomResourceError(f"{request_type} is no Create, Update or Delete")
        self._held[logical_id] = new
        return new.physical

    def _ask(self, held: _Held, request_type: str, more: Mapping[str, Any]) -> Physical:
        request_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        path = quote(f"{held.stack_id}|{held.logical_id}|{request_id}", safe="")
        inbox = _Inbox(f"/{path}?X-Amz-Signature={self.random.getrandbits(256):064x}")
        with Server(inbox.take) as server:
            event = {
                "RequestType": request_type,
                "ServiceToken": held.properties["ServiceToken"],
                "ResponseURL": f"{server.url}{inbox.target}",
                "StackId": held.stack_id,
                "RequestId": request_id,
                "ResourceType": held.kind,
                "LogicalResourceId": held.logical_id,
                "ResourceProperties": held.properties,
                **more,
            }
            outcome = self.call(held.function, event)
            # Lambda knows of no answer: it tries again what ended in an error.
            for pause_s in ASYNC_RETRIES_S:
                if outcome.error is None:
                    break
                self.wait(pause_s)
                outcome = self.call(held.function, event)
        if not inbox.bodies:
            raise CustomResourceError(
                f"{held.logical_id}: {held.function.name} did not answer to {request_type}: "
                f"{outcome.error or 'it ended without a PUT to the ResponseURL'}"
            )
        # What comes later is too late.
        return _answered(inbox.bodies[0], event)


@dataclass(slots=True)
class _Inbox:
    """What a presigned URL of S3's takes."""

    target: str
    bodies: list[bytes] = field(default_factory=list)

    def take(self, request: Request) -> Response:
        if request.method != "PUT":
            return Response(status=HTTPStatus.METHOD_NOT_ALLOWED)
        # AWS's own cfn-response sends an empty type, for another may be no part of the signature.
        if request.target != self.target or request.fields.get("content-type"):
            return Response(status=HTTPStatus.FORBIDDEN, body=b"SignatureDoesNotMatch")
        self.bodies.append(request.body)
        return Response(status=HTTPStatus.OK)


def _answered(body: bytes, event: Mapping[str, Any]) -> Physical:
    """Read an answer to *event* as CloudFormation does."""
    name = event["LogicalResourceId"]
    if len(body) > _MAX_RESPONSE_BYTES:
        raise CustomResourceError(f"{name}: a response has at most {_MAX_RESPONSE_BYTES} bytes")
    try:
        answer = json.loads(body)
    except ValueError:
        raise CustomResourceError(f"{name}: the answer is no JSON") from None
    if not isinstance(answer, dict):
        raise CustomResourceError(f"{name}: the answer is no JSON object")
    for copied in ("StackId", "RequestId", "LogicalResourceId"):
        if answer.get(copied) != event[copied]:
            raise CustomResourceError(f"{name}: the answer must copy {copied} from the request")
    status, reason = answer.get("Status"), answer.get("Reason")
    if status == "FAILED" and isinstance(reason, str) and reason:
        raise CustomResourceError(f"{name}: {event['RequestType']} failed: {reason}")
    if status != "SUCCESS":
        raise CustomResourceError(f"{name}: Status is SUCCESS, or FAILED with a Reason")
    physical_id = answer.get("PhysicalResourceId")
    if not (
        isinstance(physical_id, str) and 0 < len(physical_id.encode()) <= _MAX_PHYSICAL_ID_BYTES
    ):
        raise CustomResourceError(f"{name}: PhysicalResourceId is a text of 1 to 1,024 bytes")
    return Physical(physical_id, _texts(answer.get("Data") or {}))


def _texts(value: Any) -> Any:  # noqa: ANN401
    """
    Make texts of all values, as CloudFormation does.

    >>> _texts({"a": [1, True, {"b": 2.5}], "c": "text", "d": None})
    {'a': ['1', 'true', {'b': '2.5'}], 'c': 'text', 'd': None}
    """
    match value:
        case Mapping():
            return {name: _texts(item) for name, item in value.items()}
        case [*items]:
            return [_texts(item) for item in items]
        case str() | None:
            return value
        case _:
            return json.dumps(value)
