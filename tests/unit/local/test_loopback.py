"""A server on this machine hands over requests as they came."""

import http.client
import socket
import threading

import pytest

from local.loopback import Request, Response, Server


@pytest.fixture
def asked():
    return []


@pytest.fixture
def server(asked):
    def answer(request):
        asked.append(request)
        status = 204 if request.path == "/empty" else 200
        return Response(
            status=status, headers=(("set-cookie", "a=1"), ("set-cookie", "b=2")), body=b"hello"
        )

    with Server(answer) as started:
        yield started


@pytest.fixture
def ask(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)

    def do(method, target, body=None, headers=None):
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    yield do
    connection.close()


class TestServer:
    def test_request(self, ask, asked):
        """
        Method, raw target, headers, body and sender reach whoever answers.
        """
        ask("POST", "//a%20b/../?x=%20+", b"body", {"X-Own": "1"})

        (request,) = asked
        assert request.method == "POST"
        assert request.target == "//a%20b/../?x=%20+"
        assert request.fields["x-own"] == "1"
        assert request.body == b"body"
        assert request.source_ip == "127.0.0.1"

    def test_response(self, ask):
        """
        Status, headers, also those of one name, and body reach whoever asked.
        """
        status, headers, body = ask("GET", "/")

        assert (status, body) == (200, b"hello")
        assert headers.get_all("set-cookie") == ["a=1", "b=2"]

    @pytest.mark.parametrize(("method", "path"), [("HEAD", "/"), ("GET", "/empty")])
    def test_bodiless(self, ask, method, path):
        """
        Answers that have no body leave the connection in order for the next.
        """
        assert ask(method, path)[2] == b""
        assert ask("GET", "/")[2] == b"hello"

    def test_lost_client(self, server, capfd):
        """
        Nothing is said of a client that goes away.
        """
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n")

        assert capfd.readouterr() == ("", "")

    def test_stop(self, asked):
        """
        A stop ends connections that are kept open, and leaves no thread.
        """
        before = set(threading.enumerate())
        server = Server(lambda _: Response(status=200))
        server.start()
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        client.request("GET", "/")
        client.getresponse().read()

        server.stop()

        for thread in set(threading.enumerate()) - before:
            thread.join(2)
        assert set(threading.enumerate()) == before
        client.close()


class TestRequest:
    def test_parts(self):
        """
        Path and query are what the target says, up to and after the first question mark.
        """
        request = Request(method="GET", target="/a%3F?x=?")

        assert (request.path, request.query) == ("/a%3F", "x=?")
