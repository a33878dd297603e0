"""Tests of local.edge.server."""

import http.client
import socket
import threading
import time

import pytest

from local.edge import EdgeServer


@pytest.fixture
def server(site):
    with EdgeServer(site.edge) as server:
        yield server


@pytest.fixture
def request_(server, site):
    """
    Send one request as it is, and read the answer.
    """

    def request(target, method="GET", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or site.host)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), body

    return request


class TestEdgeServer:
    def test_get(self, request_):
        """
        A viewer gets over HTTP what the edge answers.
        """
        status, headers, body = request_("/a.html")

        assert (status, body, headers["x-cache"]) == (200, b"old", "Miss from cloudfront")
        assert headers["content-type"] == "text/html"

    def test_head(self, request_):
        """
        HEAD has a length, and no body.
        """
        status, headers, body = request_("/a.html", "HEAD")

        assert (status, headers["content-length"], body) == (200, "3", b"")

    def test_localhost(self, request_, server, site):
        """
        Under localhost the first label of the domain name chooses the distribution.
        """
        host = server.url_of(site.host).removeprefix("http://")

        assert request_("/a.html", host=host)[0] == 200
        assert request_("/a.html", host=f"127.0.0.1:{server.port}")[0] == 403

    @pytest.mark.parametrize("target", ["//a.html", "/a.html?x=%20+", "/%c3%bc", "/a/../b"])
    def test_raw(self, request_, site, target):
        """
        The target reaches the edge as the viewer wrote it.
        """
        request_(target)

        assert site.bucket.asked[0].path == target.partition("?")[0]

    def test_raw_bytes(self, server, site):
        """
        A viewer that encodes nothing is understood as well.
        """
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as viewer:
            viewer.sendall(f"GET /ü HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode())
            viewer.recv(10_000)

        assert site.bucket.asked[0].key == "ü"

    def test_kept_open(self, server, site):
        """
        A connection serves many requests.
        """
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        seen = []
        for _ in range(3):
            connection.request("GET", "/a.html", headers={"Host": site.host})
            seen.append(connection.getresponse().read())
        connection.close()

        assert seen == [b"old"] * 3

    def test_refused_with_a_body(self, server, site):
        """
        The body of a refused request is read, so that the next one is understood.
        """
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("POST", "/a.html", body=b"x" * 100, headers={"Host": site.host})
        refused = connection.getresponse()
        refused.read()
        connection.request("GET", "/a.html", headers={"Host": site.host})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()

        assert (refused.status, body) == (403, b"old")

    def test_quiet(self, request_, capfd):
        """
        Nothing is printed, neither for an answer nor for an error.
        """
        request_("/a.html")
        request_("/none")

        assert capfd.readouterr() == ("", "")


class TestStop:
    def test_clean(self, site):
        """
        A stop takes no time, ends connections that viewers keep open, and leaves no thread.
        """
        before = set(threading.enumerate())
        server = EdgeServer(site.edge)
        server.start()
        viewer = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        viewer.request("GET", "/a.html", headers={"Host": site.host})
        viewer.getresponse().read()

        began = time.monotonic()
        server.stop()
        took = time.monotonic() - began
        for thread in set(threading.enumerate()) - before:
            thread.join(2)
        left = set(threading.enumerate()) - before

        viewer.close()
        assert took < 1
        assert left == set()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
