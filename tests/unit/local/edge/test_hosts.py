"""Tests of local.edge.hosts, and of a distribution that has one as its origin."""

import http.client
import ssl

import pytest

from local.edge import Edge, EdgeServer, OriginResponse, hosts, origins
from local.edge.forwarding import ALL_VIEWER_EXCEPT_HOST
from local.loopback import Response

NAME = "abc.execute-api.us-east-1.amazonaws.com"
UNCACHED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
METHODS = ["HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"]


class Api:
    """
    Notes what it is asked, and sets two cookies.
    """

    def __init__(self):
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        if request.method == "OPTIONS":
            return Response(status=204, headers=(("x-said", "preflight"),))
        cookies = (("set-cookie", "a=1; Path=/x/"), ("set-cookie", "b=2"))
        return Response(status=201, headers=(("x-said", "yes"), *cookies), body=b"made")


@pytest.fixture
def api():
    return Api()


def s3(_asked):
    return OriginResponse(200, {}, b"from S3")


def ask(origin, domain):
    asked = origins.request(
        {"DomainName": domain, "OriginPath": ""},
        method="POST",
        path="/a",
        query="x=1",
        headers={"authorization": "t"},
        body=b"sent",
    )
    return origin(asked)


class TestBeside:
    def test_host(self, api):
        """
        A custom origin whose name is a host's is that host, and may set many cookies.
        """
        answer = ask(hosts.beside(s3, {NAME: api}), NAME)

        assert (answer.status, answer.headers, answer.body) == (201, {"x-said": "yes"}, b"made")
        assert answer.cookies == ("a=1; Path=/x/", "b=2")
        asked = api.asked[0]
        assert (asked.method, asked.target, asked.body) == ("POST", "/a?x=1", b"sent")
        assert asked.fields == {"authorization": "t"}

    def test_others(self, api):
        """
        All other origins are S3's.
        """
        origin = hosts.beside(s3, {NAME: api})

        assert ask(origin, "site.s3.us-east-1.amazonaws.com").body == b"from S3"
        assert ask(origin, "www.example.com").body == b"from S3"
        assert api.asked == []


@pytest.fixture
def behind(world, api):
    """
    A distribution whose origin is the API, with the policies that an API needs.
    """
    world.edge = Edge(world.core, origin=hosts.beside(s3, {NAME: api}), now=world.virtual_time)
    world.distribute(
        origin={
            "Id": "bucket",
            "DomainName": NAME,
            "CustomOriginConfig": {
                "HTTPPort": 80,
                "HTTPSPort": 443,
                "OriginProtocolPolicy": "https-only",
            },
        },
        behavior={
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "https-only",
            "CachePolicyId": UNCACHED,
            "OriginRequestPolicyId": ALL_VIEWER_EXCEPT_HOST,
            "AllowedMethods": {"Quantity": len(METHODS), "Items": METHODS},
        },
    )
    return world


class TestAsOrigin:
    def test_asked(self, behind, api):
        """
        The API gets method, target, body and headers of the viewer, but not his Host.
        """
        sent = {"Host": behind.host, "Authorization": "t"}
        behind.edge.fetch("POST", behind.host, "/signed?x=1&x=2", sent, body=b"sent")

        asked = api.asked[0]
        assert (asked.method, asked.target, asked.body) == ("POST", "/signed?x=1&x=2", b"sent")
        assert asked.fields.pop("x-amz-cf-id")
        assert asked.fields == {"authorization": "t"}

    def test_cookies(self, behind):
        """
        Each cookie that it sets reaches the viewer.
        """
        answer = behind.edge.fetch("POST", behind.host, "/", body=b"")

        assert (answer.status, answer.body) == (201, b"made")
        assert answer.cookies == ("a=1; Path=/x/", "b=2")


@pytest.fixture
def asking(behind, api):
    """
    Send a request over https, and read the answer.
    """
    with EdgeServer(behind.edge, hosts={NAME: api}) as server:
        context = ssl.create_default_context(cadata=server.authority_pem.decode())

        def ask(host, method="POST", *, secure=True):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
            if secure:
                connection = http.client.HTTPSConnection(
                    "127.0.0.1", server.port, timeout=5, context=context
                )
                connection.set_tunnel(host)
            connection.request(method, "/a?x=1", body=b"sent", headers={"Host": host})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer, body

        yield ask


class TestServed:
    @pytest.mark.parametrize("by", ["itself", "distribution"])
    def test_asked(self, asking, behind, api, by):
        """
        By its own name and behind a distribution the API is asked the same, and answers the same.
        """
        answer, body = asking(NAME if by == "itself" else behind.host)

        assert (answer.status, body, answer.headers["x-said"]) == (201, b"made", "yes")
        assert answer.headers.get_all("set-cookie") == ["a=1; Path=/x/", "b=2"]
        asked = api.asked[0]
        assert (asked.method, asked.target, asked.body) == ("POST", "/a?x=1", b"sent")
        assert ("x-cache" in answer.headers) == (by == "distribution")

    def test_any_case(self, asking):
        """
        A name's case and a port do not matter.
        """
        assert asking(NAME.upper())[0].status == 201
        assert asking(f"{NAME}:443")[0].status == 201

    def test_empty(self, asking):
        """
        What has no body has no length.
        """
        answer, body = asking(NAME, "OPTIONS")

        assert (answer.status, body) == (204, b"")
        assert "content-length" not in answer.headers

    def test_plain(self, asking, api):
        """
        Without https these hosts are not there.
        """
        assert asking(NAME, secure=False)[0].status == 403
        assert api.asked == []
