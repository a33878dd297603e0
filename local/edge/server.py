"""The edge over HTTP, for browsers and for anything else that can fetch."""

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from local.edge.edge import Edge


class EdgeServer:
    """
    Serve on 127.0.0.1; a Host header chooses the distribution.

    Browsers find `<name>.localhost:PORT` by themselves; whoever does not asks
    `url` and sends the Host header of his choice.
    """

    def __init__(self, edge: Edge, *, port: int = 0) -> None:
        self._server = _Server(edge, port)
        self.port: int = self._server.server_address[1]
        # The poll is what a shutdown waits for.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url_of(self, name: str) -> str:
        """Say where a browser finds the distribution with this domain name or alias."""
        return f"http://{name.partition('.')[0]}.localhost:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End at once, connections that viewers keep open included."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.hang_up()

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # The default of 5 refuses a browser that opens all its connections at once.
    request_queue_size = 128

    def __init__(self, edge: Edge, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.edge = edge
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as socketserver has it
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing of viewers that went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Let each connection's thread read its end, and go."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Without it each answer waits for the viewer's delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        answer = self.server.edge.fetch(
            self.command, self.headers.get("Host", ""), self._target(), dict(self.headers.items())
        )
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def _target(self) -> str:
        """Take the target from the request line: `path` has lost doubled slashes."""
        raw = self.requestline.split(" ")[1].encode("latin-1")
        return raw.decode(errors="surrogateescape")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Be quiet: what is worth saying, the demo says."""
