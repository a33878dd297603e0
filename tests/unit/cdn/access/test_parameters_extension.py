"""What the extension answers is read, and for anything else it says the value is unavailable."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cdn.access.parameters_extension import Extension
from cdn.errors import UnavailableError

SECRET = {"SecretString": "s", "VersionStages": ["AWSCURRENT"], "VersionId": "v"}


@pytest.fixture
def serve():
    """Let something on a port of its own answer like this; return the requests."""
    servers = []

    def start(status, body):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers["X-Aws-Parameters-Secrets-Token"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return Extension(server.server_port, "token"), asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class TestSecret:
    def test_current(self, serve):
        """
        The current version is asked for by name, with the function's own token.
        """
        extension, asked = serve(200, SECRET)

        assert extension.secret("arn:a/b") == "s"
        assert asked == [
            ("/secretsmanager/get?secretId=arn%3Aa%2Fb&versionStage=AWSCURRENT", "token")
        ]

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (400, "an unexpected error occurred"),
            (500, ""),
            (200, SECRET | {"VersionStages": ["AWSPENDING"]}),
            (200, {"VersionStages": ["AWSCURRENT"], "SecretBinary": "aGk="}),
        ],
    )
    def test_unavailable(self, serve, status, body):
        """
        Anything but a current version with a text is none.
        """
        extension, _ = serve(status, body)

        with pytest.raises(UnavailableError):
            extension.secret("a")

    def test_nobody(self):
        """
        Nor is there one where nobody listens.
        """
        with pytest.raises(UnavailableError, match="ConnectionRefusedError"):
            Extension(1, "token").secret("a")


class TestParameter:
    def test_value(self, serve):
        """
        A parameter is asked for by its name.
        """
        extension, asked = serve(200, {"Parameter": {"Value": "v"}})

        assert extension.parameter("/a/b") == "v"
        assert asked == [("/systemsmanager/parameters/get?name=%2Fa%2Fb", "token")]
