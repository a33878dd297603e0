"""Tests of local.edge.server."""

import http.client
import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request

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


class Seen:
    """
    An edge that notes what it is asked.
    """

    def __init__(self, edge):
        self.edge = edge
        self.asked = []

    def fetch(self, method, host, raw_target, headers, **viewer):
        self.asked.append((host, raw_target, viewer))
        return self.edge.fetch(method, host, raw_target, headers, **viewer)


@pytest.fixture
def seen(site):
    return Seen(site.edge)


@pytest.fixture
def noting(seen):
    with EdgeServer(seen) as server:
        yield server


@pytest.fixture
def opener(noting):
    """
    Python's own client, which believes its proxy settings and the edge's authority.
    """
    context = ssl.create_default_context(cafile=noting.authority_path)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": noting.url, "http": noting.url}),
        urllib.request.HTTPSHandler(context=context),
    )
    opener.addheaders = []
    return opener


class TestEncrypted:
    def test_proxy(self, opener, site, seen):
        """
        Through the proxy each https host is the edge, which hears the host and the scheme.
        """
        with opener.open(f"https://{site.host}/a.html", timeout=5) as answer:
            body = answer.read()

        viewer = {"scheme": "https", "address": "127.0.0.1", "body": b""}
        assert body == b"old"
        assert seen.asked == [(site.host, "/a.html", viewer)]

    def test_plain_proxy(self, opener, site, seen):
        """
        Through the proxy a plain request comes with its whole URL, and arrives as any other.
        """
        with opener.open(f"http://{site.host}/a.html?x=1", timeout=5) as answer:
            body = answer.read()

        viewer = {"scheme": "http", "address": "127.0.0.1", "body": b""}
        assert body == b"old"
        assert seen.asked == [(site.host, "/a.html?x=1", viewer)]

    def test_variables(self, noting, site):
        """
        A process of its own needs two variables, and no more.
        """
        code = (
            "import sys, urllib.request as r;"
            "sys.stdout.buffer.write(r.urlopen(sys.argv[1], timeout=5).read())"
        )
        environment = os.environ | {
            "HTTPS_PROXY": noting.url,
            "SSL_CERT_FILE": str(noting.authority_path),
        }
        for name in ("https_proxy", "no_proxy", "NO_PROXY"):
            environment.pop(name, None)

        done = subprocess.run(
            [sys.executable, "-c", code, f"https://{site.host}/a.html"],
            env=environment,
            capture_output=True,
            check=False,
        )

        assert (done.stdout, done.stderr) == (b"old", b"")

    def test_resolved(self, noting, site, seen):
        """
        Where names lead to its address, one port takes https and http.
        """
        host, port = noting.address.split(":")
        context = ssl.create_default_context(cadata=noting.authority_pem.decode())
        plain = socket.create_connection((host, int(port)), timeout=5)
        connection = http.client.HTTPSConnection(site.host, context=context)
        connection.sock = context.wrap_socket(plain, server_hostname=site.host)

        bodies = []
        for _ in range(2):
            connection.request("GET", "/a.html")
            bodies.append(connection.getresponse().read())
        connection.close()

        assert bodies == [b"old", b"old"]
        assert {viewer["scheme"] for _, _, viewer in seen.asked} == {"https"}

    def test_unknown_host(self, opener):
        """
        A host that nobody owns is reached as well, and refused.
        """
        with pytest.raises(urllib.error.HTTPError) as refused:
            opener.open("https://unknown.example.org/", timeout=5)
        refused.value.close()

        assert refused.value.code == 403

    def test_not_trusted(self, site, capfd):
        """
        Who does not trust the authority goes, and the edge says nothing of it.
        """
        before = set(threading.enumerate())
        with EdgeServer(site.edge) as server:
            proxy = urllib.request.ProxyHandler({"https": server.url})
            opener = urllib.request.build_opener(proxy)
            with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
                opener.open(f"https://{site.host}/a.html", timeout=5)
        for thread in set(threading.enumerate()) - before:
            thread.join(2)

        assert capfd.readouterr() == ("", "")

    def test_redirect(self, noting, world, opener):
        """
        From http a client follows to https on its own.
        """
        world.bucket.put("b", b"followed")
        world.virtual_time.seconds += 1
        world.distribute(
            behavior={
                "TargetOriginId": "bucket",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            }
        )

        with opener.open(f"http://{world.host}/b", timeout=5) as answer:
            assert (answer.url, answer.read()) == (f"https://{world.host}/b", b"followed")

    def test_authority_goes(self, site):
        """
        The authority's file lives as long as the edge.
        """
        with EdgeServer(site.edge) as server:
            there = server.authority_path.read_bytes()

        assert there == server.authority_pem
        assert not server.authority_path.exists()


class TestStop:
    def test_encrypted(self, site):
        """
        Connections through the proxy end as well.
        """
        before = set(threading.enumerate())
        with EdgeServer(site.edge) as server:
            context = ssl.create_default_context(cadata=server.authority_pem.decode())
            viewer = http.client.HTTPSConnection(
                "127.0.0.1", server.port, timeout=5, context=context
            )
            viewer.set_tunnel(site.host)
            viewer.request("GET", "/a.html")
            viewer.getresponse().read()
        for thread in set(threading.enumerate()) - before:
            thread.join(2)
        left = set(threading.enumerate()) - before

        viewer.close()
        assert left == set()

    def test_clean(self, site):
        """
        A stop ends connections that viewers keep open, and leaves no thread.
        """
        before = set(threading.enumerate())
        server = EdgeServer(site.edge)
        server.start()
        viewer = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        viewer.request("GET", "/a.html", headers={"Host": site.host})
        viewer.getresponse().read()

        server.stop()
        rest = viewer.sock.recv(1)
        for thread in set(threading.enumerate()) - before:
            thread.join(2)
        left = set(threading.enumerate()) - before

        viewer.close()
        assert rest == b""
        assert left == set()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
