"""Payload format 2.0, to the letter."""

import pytest

from local.function import HttpApi, HttpRoute
from local.http_api import payload
from local.http_api.payload import AnswerError
from local.http_api.routes import Match
from local.loopback import Request
from tests.unit.local.http_api.functions import FUNCTION

ROUTE = HttpRoute(key="POST /pets/{id}", function=FUNCTION)
API = HttpApi(logical_id="Api", api_id="0123456789", routes=(ROUTE,))
HOST = "0123456789.execute-api.us-east-1.amazonaws.com"


def event(request, *, parameters=None, jwt=None):
    return payload.event(
        request,
        api=API,
        match=Match(ROUTE, parameters or {}),
        jwt=jwt,
        request_id="JKJaXmPLvHcESHA=",
        trace_id="Root=1-6553f100-0",
        now=1_583_348_638.39,
    )


class TestEvent:
    def test_whole(self):
        """
        All that a request may have lies where API Gateway puts it.
        """
        request = Request(
            method="POST",
            target="/pets/a%20b?x=1&y=%C3%BC&x=2",
            headers=[
                ("Host", "127.0.0.1:8080"),
                ("User-Agent", "agent"),
                ("Content-Type", "application/json"),
                ("Cookie", "a=1; b=2"),
                ("Cookie", "c=3"),
                ("X-Twice", "1"),
                ("x-twice", "2"),
            ],
            body='{"a":"ü"}'.encode(),
            source_ip="192.0.2.1",
        )

        seen = event(
            request, parameters={"id": "a b"}, jwt={"claims": {"sub": "ada"}, "scopes": None}
        )

        assert seen == {
            "version": "2.0",
            "routeKey": "POST /pets/{id}",
            "rawPath": "/pets/a b",
            "rawQueryString": "x=1&y=%C3%BC&x=2",
            "cookies": ["a=1", "b=2", "c=3"],
            "headers": {
                "content-type": "application/json",
                "host": HOST,
                "user-agent": "agent",
                "x-amzn-trace-id": "Root=1-6553f100-0",
                "x-forwarded-for": "192.0.2.1",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
                "x-twice": "1,2",
            },
            "queryStringParameters": {"x": "1,2", "y": "ü"},
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "0123456789",
                "authorizer": {"jwt": {"claims": {"sub": "ada"}, "scopes": None}},
                "domainName": HOST,
                "domainPrefix": "0123456789",
                "http": {
                    "method": "POST",
                    "path": "/pets/a b",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "agent",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "POST /pets/{id}",
                "stage": "$default",
                "time": "04/Mar/2020:19:03:58 +0000",
                "timeEpoch": 1583348638390,
            },
            "pathParameters": {"id": "a b"},
            "body": '{"a":"ü"}',
            "isBase64Encoded": False,
        }

    def test_least(self):
        """
        What a request does not have is left out, but for the raw query.
        """
        seen = event(Request(method="POST", target="/pets/1"))

        assert seen.keys() == {
            "version",
            "routeKey",
            "rawPath",
            "rawQueryString",
            "headers",
            "requestContext",
            "isBase64Encoded",
        }
        assert seen["rawQueryString"] == ""
        assert "authorizer" not in seen["requestContext"]

    def test_forwarded(self):
        """
        Who asked is put behind those who forwarded before.
        """
        request = Request(
            method="POST",
            target="/pets/1",
            headers=[("X-Forwarded-For", "192.0.2.7")],
            source_ip="192.0.2.8",
        )

        assert event(request)["headers"]["x-forwarded-for"] == "192.0.2.7, 192.0.2.8"

    @pytest.mark.parametrize(
        ("kind", "body", "seen", "encoded"),
        [
            ("text/plain", b"abc", "abc", False),
            ("application/json; charset=utf-8", b"{}", "{}", False),
            ("application/octet-stream", b"abc", "YWJj", True),
            ("text/plain", b"\xff", "/w==", True),
        ],
    )
    def test_body(self, kind, body, seen, encoded):
        """
        A body is a text by its type, and else encoded.
        """
        request = Request(
            method="POST", target="/pets/1", headers=[("Content-Type", kind)], body=body
        )

        made = event(request)

        assert (made["body"], made["isBase64Encoded"]) == (seen, encoded)


class TestResponse:
    def test_whole(self):
        """
        Status, headers, cookies and body are sent as they are answered.
        """
        answer = payload.response(
            {
                "statusCode": 201,
                "headers": {"Content-Type": "text/css", "X-Number": 5, "Content-Length": "99"},
                "cookies": ["a=1; Secure; Path=/", "b=2"],
                "body": "ü",
            }
        )

        assert answer.status == 201
        assert answer.headers == (
            ("content-type", "text/css"),
            ("x-number", "5"),
            ("set-cookie", "a=1; Secure; Path=/"),
            ("set-cookie", "b=2"),
        )
        assert answer.body == "ü".encode()

    def test_least(self):
        """
        A status is enough.
        """
        answer = payload.response({"statusCode": 204})

        assert (answer.status, answer.body) == (204, b"")

    def test_bytes(self):
        """
        An encoded body is decoded.
        """
        answer = payload.response({"statusCode": 200, "body": "/w==", "isBase64Encoded": True})

        assert answer.body == b"\xff"

    @pytest.mark.parametrize(
        ("said", "body"),
        [({"a": 1}, b'{"a": 1}'), ("hello", b"hello"), ([1], b"[1]"), (None, b"null")],
    )
    def test_inferred(self, said, body):
        """
        What has no status is JSON, and all well.
        """
        answer = payload.response(said)

        assert (answer.status, answer.body) == (200, body)
        assert answer.header("content-type") == "application/json"

    @pytest.mark.parametrize(
        "part",
        [
            {"statusCode": "fine"},
            {"statusCode": None},
            {"headers": ["a"]},
            {"cookies": "a=1"},
            {"body": {"a": 1}},
            {"body": "?", "isBase64Encoded": True},
        ],
    )
    def test_nonsense(self, part):
        """
        What cannot be sent on is an error.
        """
        with pytest.raises(AnswerError):
            payload.response({"statusCode": 200} | part)
