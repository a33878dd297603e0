"""What answers in the place of AWS, or of the stack's function, is said in a sentence."""

import io
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from commands import keys
from commands.errors import RefusedError
from commands.exit_codes import Exit
from commands.output import Output
from tests.unit.commands import aws_server
from tests.unit.commands.running import run_here

NO_STACKS = (
    b'<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
    b"<DescribeStacksResult><Stacks/></DescribeStacksResult></DescribeStacksResponse>"
)
NO_TIME = NO_STACKS.replace(
    b"<Stacks/>",
    b"<Stacks><member><StackName>a</StackName><CreationTime>[/x]</CreationTime></member></Stacks>",
)
NESTED = b"<a>" * 50_000 + b"</a>" * 50_000


@contextmanager
def answering(body, *, status=200):
    """Answer every request so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815  # BaseHTTPRequestHandler's name

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def credentials(nowhere, monkeypatch):
    for name, value in aws_server.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


class TestNotAws:
    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>hi", b'{"a":', b"\xff\xfe\x00", b"<a/>", NO_TIME, NESTED],
        ids=["nothing", "page", "json", "binary", "other", "no-time", "nested"],
    )
    def test_stack(self, credentials, monkeypatch, body):
        """
        A proxy's page, or anything else that is not AWS, is refused in one line that says so.
        """
        with answering(body) as url:
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            done = run_here("keys", "--json")

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "what answers DescribeStacks is not AWS: " in done.stderr
        assert len(done.stderr) < 500
        assert done.stdout == ""

    @pytest.mark.parametrize("status", [301, 302, 307])
    def test_redirected(self, credentials, monkeypatch, status):
        """
        Who is sent elsewhere, to sign in to a network for one, has not reached AWS.
        """
        with answering(b"<a/>", status=status) as url:
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            done = run_here("doctor", "https://media.example.com/a.jpg")

        assert done.returncode == Exit.AWS_UNREACHABLE

    def test_no_stack(self, credentials, monkeypatch):
        """
        An answer without any stack is that there is none.
        """
        with answering(NO_STACKS) as url:
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            done = run_here("keys", "--stack", "my-stack")

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "there is no stack my-stack" in done.stderr


class TestSettings:
    @pytest.mark.parametrize(
        "setting",
        [
            "credential_process = no/such/program",
            "credential_process = echo []",
            "credential_process = echo nonsense",
            "role_arn = x\nweb_identity_token_file = no/such/file",
            "max_attempts = many",
        ],
    )
    def test_unusable(self, nowhere, monkeypatch, setting):
        """
        A setting of the AWS CLI that cannot be used is named, and nothing is sent to AWS.
        """
        file = nowhere / "config"
        file.write_text(f"[default]\nregion = eu-west-1\n{setting}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

        done = run_here("keys")

        assert done.returncode == Exit.AWS_UNREACHABLE
        assert "Are the AWS CLI's credentials and region set" in done.stderr


class Function:
    """Answers with these bytes."""

    def __init__(self, payload):
        self.payload = payload

    def invoke(self, **_):
        return {"Payload": io.BytesIO(self.payload)}


def nested(depth):
    answer: list[object] = []
    for _ in range(depth):
        answer = [answer]
    return answer


class TestFunction:
    def test_deep(self):
        """
        An answer nested deeper than Python reads is the function's failure.
        """
        with pytest.raises(keys.FailedError, match="function failed"):
            keys.ask(Function(b'{"keys": ' + b"[" * 100_000), "rotate-keys", {})

    @pytest.mark.parametrize("as_json", [True, False])
    @pytest.mark.parametrize(
        "answer",
        [
            {"keys": [], "next": {"step": nested(100_000)}, "attention": []},
            {"keys": [], "next": {"step": float("nan")}, "attention": float("inf")},
        ],
        ids=["deep", "no-number"],
    )
    def test_unprintable(self, answer, as_json):
        """
        What JSON cannot hold, or nobody can print, is refused before anything stands there.
        """
        file = io.StringIO()

        with pytest.raises(RefusedError, match="otherwise than this one expects"):
            keys.show(answer, Output.to(file, None, as_json=as_json))

        assert not as_json or file.getvalue() == ""

    def test_json_only(self, account):
        """
        No answer makes standard output anything but JSON.
        """
        account.answer = {"keys": [float("nan")], "attention": []}

        done = run_here("keys", "--stack", aws_server.STACK, "--json")

        assert done.returncode == Exit.REFUSED_OR_FOUND
        assert done.stdout == ""
