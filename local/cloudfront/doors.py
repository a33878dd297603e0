"""The two ways in: over HTTP through moto's router, and without HTTP through botocore's events."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.hooks import BaseEventHooks
from botocore.model import OperationModel
from moto.cloudfront import urls
from moto.core.model import OperationModel as RoutedOperation
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from werkzeug.exceptions import NotFound

from local.cloudfront.errors import ServiceError

# What the catch-all matches is of no interest: botocore's model says what a URL means.
CATCH_ALL = "{0}/2020-05-31/(?P<cf_path>.+)$"

_PROTOCOL = "rest-xml"
_NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
_REQUEST_ID = "00000000-0000-0000-0000-000000000000"
_PARAMETERS = "local.cloudfront.parameters"


class Core(Protocol):
    """Whatever can be called as `CloudFront` can."""

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]: ...


Response = tuple[int, dict[str, str], str | bytes]


def mount_on_moto(core: Core) -> Callable[[], None]:
    """
    Let *core* answer whatever moto receives for CloudFront; what is returned undoes it.

    Mount before moto's server or mock starts. moto's router, parser and XML
    writer do their work, but not its `BaseResponse`: that guesses members that
    an answer leaves out from similar names, turns every status that the model
    lacks into 400, and warns about error codes that the model lacks, such as
    the `Throttling` of any AWS service.
    """

    # Not to be named "dispatch": of that name moto expects a class method.
    def route(request: Request, _full_url: str, _headers: object) -> Response:
        return _answer(core, request)

    before = dict(urls.url_paths)
    urls.url_paths.clear()
    urls.url_paths[CATCH_ALL] = route

    def unmount() -> None:
        urls.url_paths.clear()
        urls.url_paths.update(before)

    return unmount


def attach(events: BaseEventHooks, core: Core) -> Callable[[], None]:
    """
    Let *core* answer the CloudFront clients of a session, or one client; undo by what is returned.

    Pass `boto3.Session.events` before the clients are made, or `client.meta.events`.
    """

    def remember(
        params: dict[str, Any], model: OperationModel, context: dict[str, Any], **_rest: object
    ) -> None:
        if model.service_model.service_name == "cloudfront":
            context[_PARAMETERS] = params

    # Typed loosely: botocore's stubs know no handler that answers.
    def answer(model: OperationModel, context: dict[str, Any], **_rest: object) -> Any:  # noqa: ANN401
        if model.service_model.service_name == "cloudfront":
            return _call(core, model, context[_PARAMETERS])
        return None

    # Between the two, botocore checks and serialises the parameters, as it would for AWS.
    # It asks the more exactly named handlers first, so under the widest name the core comes
    # last: a fault that anybody puts before a call, under whatever name, precedes the answer.
    events.register_last("provide-client-params", remember)
    events.register_last("before-call", answer)

    def detach() -> None:
        events.unregister("provide-client-params", remember)
        events.unregister("before-call", answer)

    return detach


def _answer(core: Core, request: Request) -> Response:
    try:
        try:
            operation, in_path = get_service_router("cloudfront").match(request)
        except NotFound as exc:
            where = f"{request.method} {request.raw_path}"
            raise ServiceError("InvalidAction", f"No operation of CloudFront is {where}.") from exc
        parameters = _parsed(operation, request, in_path)
        result = core.call(operation.name, parameters)
    except ServiceError as error:
        return error.status, {"Content-Type": "text/xml"}, _error_body(error)
    serialized = get_serializer_class("cloudfront", _PROTOCOL)(operation).serialize(result)
    headers = {**serialized["headers"], "x-amzn-RequestId": _REQUEST_ID}
    return serialized["status_code"], headers, serialized["body"]


def _parsed(
    operation: RoutedOperation, request: Request, in_path: dict[str, Any]
) -> dict[str, Any]:
    try:
        parameters: dict[str, Any] = PROTOCOL_PARSERS[_PROTOCOL](operation).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": in_path,
            }
        )
    except (RequestParserError, ValueError) as exc:
        raise ServiceError("MalformedXML", "The XML you provided was not well-formed.") from exc
    return parameters


def _error_body(error: ServiceError) -> str:
    sender = error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return (
        f'<?xml version="1.0"?>\n<ErrorResponse xmlns="{_NAMESPACE}"><Error>'
        f"<Type>{'Sender' if sender else 'Receiver'}</Type>"
        f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        f"</Error><RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
    )


def _call(
    core: Core, operation: OperationModel, parameters: dict[str, Any]
) -> tuple[AWSResponse, dict[str, Any]]:
    try:
        answer = core.call(operation.name, parameters)
        status = int(operation.http.get("responseCode", HTTPStatus.OK))
    except ServiceError as error:
        sender = error.status < HTTPStatus.INTERNAL_SERVER_ERROR
        status = error.status
        answer = {
            "Error": {
                "Type": "Sender" if sender else "Receiver",
                "Code": error.code,
                "Message": error.message,
            }
        }
    answer["ResponseMetadata"] = {
        "RequestId": _REQUEST_ID,
        "HTTPStatusCode": status,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
    }
    where = f"https://cloudfront.amazonaws.com{operation.http['requestUri']}"
    return AWSResponse(where, status, HTTPHeaders(), None), answer
