"""The edge over HTTP and HTTPS, for browsers and for anything else that can fetch."""

import socket
import ssl
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from local.edge.certificates import Certificates
from local.edge.edge import Edge
from local.edge.hosts import Hosts
from local.loopback import Headers, Listener, Request

_TLS_HANDSHAKE = b"\x16"
_ABSOLUTE = "http://"


class EdgeServer:
    """
    Serve on 127.0.0.1; a Host header chooses the distribution.

    One port speaks everything. Browsers find `http://<name>.localhost:PORT` by themselves;
    whoever does not asks `url` and sends the Host header of his choice. Every https host is
    reached, with a certificate of its own, through `url` as a proxy (HTTPS_PROXY), or where
    names are resolved to `address` (Chromium: `--host-resolver-rules="MAP * 127.0.0.1:PORT"`).
    For a name of *hosts* not the edge answers, but who stands there; over https alone.

    Attributes:
        authority_pem:
            The authority that a viewer must trust.
        authority_path:
            The same as a file (SSL_CERT_FILE), from start to stop.
        issuer_pin:
            What makes Chromium trust it (`--ignore-certificate-errors-spki-list=PIN`).
    """

    authority_path: Path

    def __init__(self, edge: Edge, *, port: int = 0, hosts: Hosts | None = None) -> None:
        certificates = Certificates()
        self.authority_pem = certificates.authority_pem
        self.issuer_pin = certificates.issuer_pin
        self._listener = _Listener(edge, {} if hosts is None else hosts, port, certificates)
        self.port: int = self._listener.server_port

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def url_of(self, name: str) -> str:
        """Return where a browser finds the distribution with this domain name or alias."""
        return f"http://{name.partition('.')[0]}.localhost:{self.port}"

    def start(self) -> None:
        self._folder = TemporaryDirectory(prefix="local-edge-")
        self.authority_path = Path(self._folder.name, "authority.pem")
        self.authority_path.write_bytes(self.authority_pem)
        self._listener.start()

    def stop(self) -> None:
        """End at once, connections that viewers keep open included."""
        self._listener.stop()
        self._folder.cleanup()

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
    def __init__(self, edge: Edge, hosts: Hosts, port: int, certificates: Certificates) -> None:
        # A viewer may go away, or not trust the certificate.
        super().__init__(_Handler, port=port, ignored=(ConnectionError, ssl.SSLError))
        self.edge = edge
        self.hosts = hosts
        self._certificates = certificates

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as there
        """Talk with a viewer, in a thread of his, encrypted if he begins so."""
        if request.recv(1, socket.MSG_PEEK) != _TLS_HANDSHAKE:
            super().finish_request(request, client_address)
            return
        self.connections.discard(request)
        # The old socket object gives its connection up to the new one.
        with self._certificates.context.wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        ) as encrypted:
            self.connections.add(encrypted)
            try:
                encrypted.do_handshake()
                super().finish_request(encrypted, client_address)
            finally:
                self.connections.discard(encrypted)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    # Without it each answer waits for the viewer's delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host, target = self._asked()
        host_handler = self.server.hosts.get(host.lower().partition(":")[0])
        if host_handler is not None and self._is_encrypted():
            given = host_handler(
                Request(
                    method=self.command,
                    target=target,
                    headers=self.headers.items(),
                    body=body,
                    source_ip=self.client_address[0],
                )
            )
            # RFC 9110: these have neither a body nor its length.
            bodiless = given.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
            length = () if bodiless else (("content-length", str(len(given.body))),)
            nothing = bodiless or self.command == "HEAD"
            self._send(given.status, (*given.headers, *length), b"" if nothing else given.body)
            return
        answer = self.server.edge.fetch(
            self.command,
            host,
            target,
            dict(self.headers.items()),
            scheme="https" if self._is_encrypted() else "http",
            address=self.client_address[0],
            body=body,
        )
        cookies = (("set-cookie", cookie) for cookie in answer.cookies)
        self._send(answer.status, (*answer.headers.items(), *cookies), answer.body)

    def _send(self, status: int, headers: Headers, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def do_CONNECT(self) -> None:
        """Be the proxy, and at once the host behind it, whichever that is."""
        self.close_connection = True
        if self._is_encrypted():
            self.send_response_only(HTTPStatus.METHOD_NOT_ALLOWED)
            self.end_headers()
            return
        self.send_response_only(HTTPStatus.OK, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self.server.finish_request(self.connection, self.client_address)

    def _is_encrypted(self) -> bool:
        return isinstance(self.connection, ssl.SSLSocket)

    def _asked(self) -> tuple[str, str]:
        """Take the target from the request line: `path` has lost doubled slashes."""
        raw = self.requestline.split(" ")[1].encode("latin-1")
        target = raw.decode(errors="surrogateescape")
        # So a proxy is asked for what is not encrypted.
        if target.startswith(_ABSOLUTE):
            host, _, rest = target.removeprefix(_ABSOLUTE).partition("/")
            return host, f"/{rest}"
        return self.headers.get("Host", ""), target

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Be quiet: what is worth saying, the demo says."""
