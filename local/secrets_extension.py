"""
The Parameters and Secrets Lambda extension, as one sandbox sees it.

https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html
On Lambda it listens on port 2773; here many sandboxes share a machine, so each has a port of its
own, which it finds in PARAMETERS_SECRETS_EXTENSION_HTTP_PORT.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from botocore.exceptions import BotoCoreError, ClientError

from local.faults import Crash
from local.loopback import Request, Response, Server

PORT = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"
_DEFAULT_TTL_S = 300
_SECRET, _PARAMETER = "/secretsmanager/get", "/systemsmanager/parameters/get"
# What the extension writes, in its order; what is missing is null.
_SECRET_FIELDS = "ARN CreatedDate Name SecretBinary SecretString VersionId VersionStages"
_PARAMETER_FIELDS = "ARN DataType LastModifiedDate Name Selector SourceResult Type Value Version"

Query = Mapping[str, str]


class SecretsExtension:
    """
    Reads secrets and parameters for one function, with the function's own identity.

    It says no until it is *ready*: as on Lambda, not before the first invocation.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        client: Callable[[str], Any],
        now: Callable[[], float],
    ) -> None:
        """
        Serve whoever has the session token of the function's *environment*, by its settings.

        *client* makes the boto3 client of a service.
        """
        self.ready = False
        self._crash: Crash | None = None
        self._token = environment["AWS_SESSION_TOKEN"]
        self._ttls_s = {
            _SECRET: _ttl_s(environment, "SECRETS_MANAGER_TTL"),
            _PARAMETER: _ttl_s(environment, "SSM_PARAMETER_STORE_TTL"),
        }
        self._client = client
        self._now = now
        self._cached: dict[tuple[str, str], tuple[float, bytes]] = {}
        self._lock = threading.Lock()
        self._server: Server | None = None

    def start(self) -> int:
        """Listen, and tell at which port."""
        self._server = Server(self.answer)
        self._server.start()
        return self._server.port

    def stop(self) -> None:
        if self._server:
            self._server.stop()

    def check_caller(self) -> None:
        """
        Let the caller end as it should have when a call to AWS ended it, and it was not answered.

        Raises:
            Crash: Once for each; only where callers are no processes.
        """
        crash, self._crash = self._crash, None
        if crash:
            raise crash

    def answer(self, request: Request) -> Response:
        if not self.ready:
            return _text(HTTPStatus.BAD_REQUEST, "not ready to serve traffic, please wait")
        # Without it, whoever makes a function fetch a URL would read its secrets.
        if request.fields.get("x-aws-parameters-secrets-token") != self._token:
            return _text(HTTPStatus.UNAUTHORIZED, "missing or invalid token")
        path = request.path.rstrip("/")
        if path not in self._ttls_s:
            return _text(HTTPStatus.NOT_FOUND, "404 page not found")
        # One at a time, so that what is asked for twice is fetched once.
        with self._lock:
            return self._cached_or_read(path, request.query)

    def _cached_or_read(self, path: str, query: str) -> Response:
        read_at, body = self._cached.get((path, query), (0.0, b""))
        if not body or self._now() - read_at >= self._ttls_s[path]:
            try:
                body = self._read(path, dict(parse_qsl(query)))
            except Crash as crash:
                self._crash = crash
                raise ConnectionAbortedError from crash
            except (BotoCoreError, ClientError, KeyError):
                # Whatever went wrong, a function learns nothing else.
                text = "an unexpected error occurred while executing request"
                return _text(HTTPStatus.BAD_REQUEST, text)
            self._cached[path, query] = self._now(), body
        return Response(status=200, headers=(("content-type", "text/plain"),), body=body)

    def _read(self, path: str, query: Query) -> bytes:
        if path == _SECRET:
            wanted = {"SecretId": query["secretId"]}
            wanted |= _given(query, VersionId="versionId", VersionStage="versionStage")
            secret = self._client("secretsmanager").get_secret_value(**wanted)
            return _json({**_fields(secret, _SECRET_FIELDS), "ResultMetadata": {}})
        selector = query.get("version") or query.get("label")
        parameter = self._client("ssm").get_parameter(
            Name=f"{query['name']}:{selector}" if selector else query["name"],
            WithDecryption=query.get("withDecryption") == "true",
        )["Parameter"]
        return _json({"Parameter": _fields(parameter, _PARAMETER_FIELDS), "ResultMetadata": {}})


def _ttl_s(environment: Mapping[str, str], name: str) -> float:
    """Return for how long a response is cached: from 0, not at all, to five minutes."""
    if environment.get("PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED", "true").lower() == "false":
        return 0
    return min(_DEFAULT_TTL_S, float(environment.get(name, _DEFAULT_TTL_S)))


def _given(query: Query, **names: str) -> dict[str, str]:
    return {argument: query[name] for argument, name in names.items() if name in query}


def _fields(response: Mapping[str, Any], names: str) -> dict[str, Any]:
    return {name: response.get(name) for name in names.split()}


def _json(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":"), default=_as_json).encode()


def _as_json(value: Any) -> str:  # noqa: ANN401
    """
    Write what JSON has no type for as Go does.

    >>> _as_json(b"secret"), _as_json(datetime(2026, 11, 22, 8, tzinfo=UTC))
    ('c2VjcmV0', '2026-11-22T08:00:00Z')
    """
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        whole = value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        return f"{whole.rstrip('0').rstrip('.') if '.' in whole else whole}Z"
    raise TypeError(f"{type(value)} has no form in JSON")


def _text(status: HTTPStatus, text: str) -> Response:
    return Response(
        status=status, headers=(("content-type", "text/plain; charset=utf-8"),), body=text.encode()
    )
