"""Error responses of AWS, over HTTP and as botocore gives them to whoever asked without HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from wsgiref.types import StartResponse
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.loaders import Loader
from botocore.model import ServiceModel


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """What *service* (by the name that signs its requests) answers instead of doing something."""

    service: str
    status: int
    code: str
    message: str

    def parsed(self, *, retries: int = 0) -> tuple[AWSResponse, dict[str, Any]]:
        """Return what a handler of botocore's `before-call` answers."""
        return AWSResponse(f"local://{self.service}", self.status, HTTPHeaders(), None), {
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": {
                "HTTPStatusCode": self.status,
                "HTTPHeaders": {},
                "RequestId": "",
                "RetryAttempts": retries,
            },
        }

    def over_http(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application does."""
        headers = [("x-amzn-RequestId", "local")]
        if service_model(self.service).protocol in {"json", "rest-json"}:
            headers += [
                ("Content-Type", "application/x-amz-json-1.0"),
                ("x-amzn-ErrorType", self.code),
            ]
            body = json.dumps({"__type": self.code, "message": self.message})
        else:
            error = f"<Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            headers += [("Content-Type", "text/xml")]
            body = (
                f"<Error>{error}</Error>"
                if self.service == "s3"
                else f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
            )
        headers += [("Content-Length", str(len(body.encode())))]
        start_response(f"{self.status} Refused", headers)
        return [body.encode()]


@cache
def service_model(service: str) -> ServiceModel:
    """Return botocore's description of a service."""
    # A service's own name and the one that signs differ for some, but for none of ours.
    # By a loader of its own: clients change the model of S3 that their sessions' loader has.
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)
