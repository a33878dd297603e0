"""The roles' layer: each request of a function is refused unless its role allows it."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.awsrequest import AWSResponse
from botocore.hooks import BaseEventHooks
from botocore.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

from local import required_permissions, role_policies
from local.aws import LOCK
from local.error_responses import ErrorResponse
from local.faults import CREDENTIAL
from local.function import ACCOUNT, Function
from local.role_policies import Permission, Use

_PARAMETERS = "local.authorization.parameters"
# How each service says it; the others as most do.
_DENIALS = {
    "cloudfront": (403, "AccessDenied"),
    "s3": (403, "AccessDenied"),
    "sns": (403, "AuthorizationError"),
    "sqs": (403, "AccessDenied"),
}


class LambdaRoleError(Exception):
    """Lambda could not read a function's queue or write its log, because the role may not."""


class MissingPermissionsError(Exception):
    """Functions asked for what their roles do not allow."""


@dataclass(slots=True)
class Authorization:
    """
    Refuses what roles do not allow, and notes by what they allowed the rest.

    Who is no function may do everything.

    Attributes:
        uses: By the function's name.
        refused: The messages, in their order.
    """

    uses: defaultdict[str, set[Use]] = field(default_factory=lambda: defaultdict(set))
    refused: list[str] = field(default_factory=list)

    def check(
        self, function: Function, service: str, operation: str, parameters: dict[str, Any]
    ) -> ErrorResponse | None:
        """Return how a request of *function* is refused; None if its role allows it."""
        for permission in required_permissions.of_request(service, operation, parameters):
            if not self._allowed(function, permission):
                denial = _denial(function, service, permission)
                self.refused.append(denial.message)
                return denial
        return None

    def check_refused(self) -> None:
        """
        Check that no request was refused.

        Raises:
            MissingPermissionsError: However well the function bore it.
        """
        if self.refused:
            raise MissingPermissionsError("\n".join(dict.fromkeys(self.refused)))

    def check_lambda(self, functions: Iterable[Function]) -> None:
        """
        Check that Lambda may do in the functions' names what it has to.

        Raises:
            LambdaRoleError: On AWS the event source mapping would be refused, or no log written.
        """
        for function in functions:
            for permission in required_permissions.of_lambda(function):
                if not self._allowed(function, permission):
                    raise LambdaRoleError(
                        f"{function.name}: the function's role does not have permissions to call "
                        f"{permission.action} on {permission.resource}"
                    )

    def _allowed(self, function: Function, permission: Permission) -> bool:
        use = role_policies.use_of(function.role, permission)
        if use:
            self.uses[function.name].add(use)
        return use is not None

    def wsgi(
        self, app: WSGIApplication, *, function_of: Callable[[str], Function | None]
    ) -> WSGIApplication:
        """Put this layer before moto; *function_of* is who has an access key, if a function."""

        def layer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            credential = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
            function = credential and function_of(credential["key"])
            if not credential or not function:
                return app(environ, start_response)
            service = credential["service"]
            asked = _asked(service, environ)
            # What a request needs depends on what moto holds.
            with LOCK:
                denial = self.check(function, service, *asked)
            return denial.over_http(start_response) if denial else app(environ, start_response)

        return layer

    def before_call(
        self, *, function: Function, model: OperationModel, context: dict[str, Any]
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        """Handle botocore's `before-call`, whose *context* `remember` has seen."""
        service = model.service_model.signing_name
        denial = self.check(function, service, model.name, context[_PARAMETERS])
        return denial.parsed() if denial else None


def attach(
    events: BaseEventHooks, *, caller: Callable[[], tuple[Authorization, Function | None]]
) -> None:
    """Put the layer before the clients of the session that has *events*, without HTTP."""

    def remember(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context[_PARAMETERS] = params

    # Typed loosely: botocore's stubs know no handler that answers.
    def check(model: OperationModel, context: dict[str, Any], **_: object) -> Any:  # noqa: ANN401
        authorization, function = caller()
        if function is None:
            return None
        return authorization.before_call(function=function, model=model, context=context)

    events.register("provide-client-params", remember)
    events.register("before-call", check)


def _asked(service: str, environ: WSGIEnvironment) -> tuple[str, dict[str, Any]]:
    """Return the operation that a request asks for, and its parameters."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    request = Request(environ)
    operation, in_path = get_service_router(service).match(request)
    protocol = determine_request_protocol(get_service_model(service), request.content_type)
    parameters: dict[str, Any] = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": in_path,
        }
    )
    environ["wsgi.input"] = io.BytesIO(body)
    return operation.name, parameters


def _denial(function: Function, service: str, permission: Permission) -> ErrorResponse:
    status, code = _DENIALS.get(service, (400, "AccessDeniedException"))
    if service == "sns" and permission.action.startswith("kms:"):
        status, code = 400, "KMSAccessDenied"
    user = f"arn:aws:sts::{ACCOUNT}:assumed-role/{function.physical_name}"
    return ErrorResponse(
        service,
        status,
        code,
        f"User: {user} is not authorized to perform: {permission.action} on resource: "
        f"{permission.resource} because no identity-based policy allows the action",
    )
