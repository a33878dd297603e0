"""Lambda's Runtime API, as one sandbox sees it: what to do next, and where to put the answer."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import Any, cast

_BASE = "/2018-06-01/runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What `next` hands out."""

    request_id: str
    function_arn: str
    deadline_ms: int
    event: str


class Sign(Enum):
    """What a sandbox shows of itself."""

    READY = auto()
    ANSWER = auto()
    ERROR = auto()
    INIT_ERROR = auto()
    GONE = auto()


class RuntimeApi:
    """Listens on a port of its own, because awslambdaric knows its sandbox by nothing else."""

    def __init__(self) -> None:
        self.signs: queue.SimpleQueue[tuple[Sign, Any]] = queue.SimpleQueue()
        self._invocations: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def hand_out(self, invocation: Invocation) -> None:
        self._invocations.put(invocation)

    def close(self) -> None:
        self._invocations.put(None)
        # Closing alone does not wake the thread that accepts.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            socket.create_connection(self._listener.getsockname()).close()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, client = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, client), daemon=True).start()

    def _serve(self, connection: socket.socket, client: tuple[str, int]) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Nobody is left to answer when the sandbox was killed.
            with suppress(ConnectionError):
                _Talk(connection, client, cast("BaseServer", self))

    def next_invocation(self) -> Invocation | None:
        """Wait for something to do; None when there will be nothing any more."""
        self.signs.put((Sign.READY, None))
        return self._invocations.get()


class _Talk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def api(self) -> RuntimeApi:
        return cast("RuntimeApi", self.server)

    def do_GET(self) -> None:
        invocation = self.api.next_invocation() if self.path == f"{_BASE}/invocation/next" else None
        if invocation is None:
            self.close_connection = True
            return
        self._send(
            HTTPStatus.OK,
            invocation.event.encode(),
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sign = _SIGNS.get(self.path.rsplit("/", 1)[-1])
        if self.path == f"{_BASE}/init/error":
            sign = Sign.INIT_ERROR
        if sign is None:
            self._send(HTTPStatus.NOT_FOUND, b"{}", {})
            return
        # Put before it is answered: the sandbox may ask for its next at once.
        self.api.signs.put((sign, json.loads(body or b"null")))
        self._send(HTTPStatus.ACCEPTED, b'{"status":"OK"}', {})

    def log_message(self, *_: object) -> None:
        """Print nothing on the terminal."""

    def _send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


_SIGNS = {"response": Sign.ANSWER, "error": Sign.ERROR}
