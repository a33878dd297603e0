"""HTTP on this machine: a request, a response, and a server on a port of its own."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """
    A request as it came.

    *target* is path and query as the client wrote them. *headers* may name one twice, in any case.
    """

    method: str
    target: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    source_ip: str = "127.0.0.1"

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """
        The headers by their names in lower case; what was sent twice is joined by commas.

        >>> Request(method="GET", target="/", headers=[("A", "1"), ("a", "2")]).fields
        {'a': '1,2'}
        """
        fields_by_name: dict[str, str] = {}
        for name, value in self.headers:
            key = name.lower()
            # RFC 9113: a cookie's parts are joined by what divides them.
            by = "; " if key == "cookie" else ","
            fields_by_name[key] = (
                f"{fields_by_name[key]}{by}{value}" if key in fields_by_name else value
            )
        return fields_by_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Names of headers are in lower case; only `set-cookie` comes more than once."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


Answer = Callable[[Request], Response]


class Listener(ThreadingHTTPServer):
    """Listens on 127.0.0.1 from `start` to `stop`; each connection has a thread of its own."""

    daemon_threads = True
    # The default of 5 refuses a browser that opens all its connections at once.
    request_queue_size = 128

    def __init__(
        self,
        handler: type[BaseHTTPRequestHandler],
        *,
        port: int = 0,
        ignored: tuple[type[BaseException], ...] = (ConnectionError,),
    ) -> None:
        """Make a *handler* for each connection; *ignored* errors there are not printed."""
        super().__init__(("127.0.0.1", port), handler)
        self.connections: set[socket.socket] = set()
        self._ignored = ignored
        # The poll is what a shutdown waits for.
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End at once, connections that clients keep open included."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        # Each connection's thread reads its end, and goes.
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as socketserver has it
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        if not isinstance(sys.exception(), self._ignored):
            super().handle_error(request, client_address)


class Server:
    """Listens on 127.0.0.1; *answer* is called in the thread of a connection."""

    def __init__(self, answer: Answer) -> None:
        self._listener = _Listener(answer)
        self.port: int = self._listener.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._listener.start()

    def stop(self) -> None:
        """End at once, connections that clients keep open included."""
        self._listener.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class _Listener(Listener):
    def __init__(self, answer: Answer) -> None:
        super().__init__(_Handler)
        self.answer = answer


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    # Without it each answer waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.answer(
            Request(
                method=self.command,
                # `path` has lost doubled slashes.
                target=self.requestline.split(" ")[1],
                headers=self.headers.items(),
                body=body,
                source_ip=self.client_address[0],
            )
        )
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        # RFC 9110: these have neither a body nor its length.
        bodiless = answer.status in {204, 304}
        if not bodiless:
            self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if not bodiless and self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Be quiet: what is worth saying, the demo says."""
