"""Awslambdaric's C module `runtime_client` in plain Python, for where it cannot be built."""

import http.client
import os

_BASE = "/2018-06-01/runtime/invocation"


def initialize_client(user_agent: str) -> None:
    """Nothing to prepare: each call opens its own connection."""


def next() -> tuple[bytes, dict[str, str]]:  # noqa: A001  (the name that awslambdaric calls)
    return _talk("GET", f"{_BASE}/next")


def post_invocation_result(
    invoke_id: str, body: bytes, content_type: str, invocation_id: str | None = None
) -> None:
    del invocation_id
    _talk("POST", f"{_BASE}/{invoke_id}/response", body, {"Content-Type": content_type})


def post_error(
    invoke_id: str, error: str, xray_fault: str, invocation_id: str | None = None
) -> None:
    del xray_fault, invocation_id
    _talk("POST", f"{_BASE}/{invoke_id}/error", error.encode())


def _talk(
    method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[bytes, dict[str, str]]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    if answer.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"{method} {path}: {answer.status}")
    return answer.read(), dict(answer.getheaders())
