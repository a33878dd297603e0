"""The toy's HTTP API: inline in this thread, and over HTTP with a function in a process."""

import http.client
import json
import os
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from local import stack
from local.faults import Does, Rule
from local.function import Outcome
from local.identity import Identity
from local.loopback import Request
from local.world import World

TOY = Path(__file__).parents[1] / "toy" / "template.yaml"
ISSUER = "https://identity.example"
PARAMETERS = {"Issuer": ISSUER}
START = datetime(2026, 11, 22, 8, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def identity():
    """Its time is the stack's, while there is one."""
    return Identity(ISSUER, now=time.time)


def ask(path: str, **query: str) -> tuple[int, str]:
    """Ask the extension, as the toy does."""
    port = int(os.environ["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"])
    extension = http.client.HTTPConnection("localhost", port)
    token = {"X-Aws-Parameters-Secrets-Token": os.environ["AWS_SESSION_TOKEN"]}
    extension.request("GET", f"{path}?{urlencode(query)}", headers=token)
    answer = extension.getresponse()
    said = answer.status, answer.read().decode()
    extension.close()
    return said


def greet(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Tell the secret to whoever is known."""
    _, secret = ask("/secretsmanager/get", secretId=os.environ["WORD"])
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    return {"word": json.loads(secret)["SecretString"], "viewer": claims["sub"]}


def nothing(_event: Any, _context: Any) -> None:
    """Stand for the toy's other functions."""


@pytest.fixture
def start(identity):
    def do(handler=greet, **changes):
        return stack.inline(
            TOY,
            parameters=PARAMETERS,
            handlers={"relay": nothing, "count": nothing, "greet": handler},
            fetch=identity.document,
            **changes,
        )

    return do


def word(world: World, token: str) -> Any:
    request = Request(method="GET", target="/word", headers=[("Authorization", token)])
    return world.apis.handle(request, host=world.deployment.apis[0].host)


class TestInline:
    def test_answers(self, start, identity):
        """
        A request with a token invokes the handler at once, which reads its secret.
        """
        with start() as world:
            answer = word(world, identity.token("ada", aud="toy"))

            assert json.loads(answer.body) == {"word": "open sesame", "viewer": "ada"}
            assert world.virtual_time.now() < START + 0.1
            assert [i.function for i in world.invocations] == ["greet"]

    def test_origin(self, start, identity):
        """
        A distribution may have the API as its origin.
        """
        with start() as world:
            client, (api,) = world.client("cloudfront"), world.deployment.apis
            custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
            origin = {"Id": "api", "DomainName": api.host, "CustomOriginConfig": custom}
            made = client.create_distribution(
                DistributionConfig={
                    "CallerReference": "api",
                    "Comment": "",
                    "Enabled": True,
                    "Origins": {"Quantity": 1, "Items": [origin]},
                    "DefaultCacheBehavior": {
                        "TargetOriginId": "api",
                        "ViewerProtocolPolicy": "https-only",
                        "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                        "OriginRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
                    },
                }
            )["Distribution"]

            sent = {"authorization": identity.token("ada", aud="toy")}
            answer = world.edge.fetch("GET", made["DomainName"], "/word", sent)

            assert json.loads(answer.body) == {"word": "open sesame", "viewer": "ada"}

    def test_callers(self, start, identity):
        """
        What the extension asks AWS for is the function's call.
        """
        with start() as world:
            word(world, identity.token("ada", aud="toy"))

            calls = [(call.caller, call.operation) for call in world.faults.calls]
            assert calls == [("greet", "GetSecretValue")]

    def test_expired(self, start, identity):
        """
        Tokens end by the stack's clock.
        """
        with start() as world:
            token = identity.token("ada", aud="toy")

            world.run(limit_s=3600)

            assert word(world, token).status == 401

    def test_fails(self, start, identity):
        """
        What AWS refuses the extension refuses, and says no more.
        """
        said = []

        def look(_event, _context):
            said.append(ask("/secretsmanager/get", secretId=os.environ["WORD"]))

        with start(look) as world:
            world.faults.rules.append(Rule(does=Does.FAIL, operation="GetSecretValue"))
            word(world, identity.token("ada", aud="toy"))

        assert said == [(400, "an unexpected error occurred while executing request")]

    def test_crash(self, start, identity):
        """
        A crash at a call of the extension ends its function.
        """
        with start() as world:
            world.faults.rules.append(Rule(does=Does.CRASH_AFTER, operation="GetSecretValue"))
            token = identity.token("ada", aud="toy")

            assert word(world, token).status == 500
            assert word(world, token).status == 200
            assert "crashed" in str(world.invocations[0].outcome.error)

    def test_repeats(self, start, identity):
        """
        Two runs with the same seed are the same.
        """
        seen = []
        for _ in range(2):
            with start(seed=3) as world:
                word(world, identity.token("ada", aud="toy"))
                seen.append((world.invocations, world.faults.calls, world.virtual_time.now()))

        assert seen[0] == seen[1]

    def test_in_flight(self, start):
        """
        The clock does not jump while somebody waits for an answer.
        """
        with start() as world:
            pending: Future[Outcome] = Future()
            seen = []

            def end():
                seen.append(world.virtual_time.now())
                world.apis._in_flight.discard(pending)
                pending.set_result(Outcome())

            world.apis._in_flight.add(pending)
            threading.Timer(0.2, end).start()
            world.run(limit_s=100)

            assert seen[0] < START + 1
            assert world.virtual_time.now() > START + 99

    def test_no_thread_left(self, start):
        """
        Afterwards nothing listens.
        """
        before = set(threading.enumerate())

        with start():
            pass

        assert set(threading.enumerate()) == before

    def test_conditioned_away(self):
        """
        Without an issuer there is no API, and no function behind it.
        """
        handlers = {"relay": nothing, "count": nothing}
        with stack.inline(TOY, parameters={}, handlers=handlers) as world:
            assert world.deployment.apis == ()
            assert "ApiUrl" not in world.outputs


@pytest.fixture(scope="module")
def whole(identity) -> Iterator[World]:
    with stack.embedded(TOY, parameters=PARAMETERS, fetch=identity.document) as world:
        yield world


@pytest.fixture
def fetch(whole):
    """Ask the API over HTTP."""

    def do(path, method="GET", **headers):
        api = http.client.HTTPConnection(whole.api_urls["Api"].removeprefix("http://"), timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        api.request(method, path, headers=named)
        answer = api.getresponse()
        said = answer.status, answer.headers, answer.read()
        api.close()
        return said

    return do


class TestEmbedded:
    """One stack for all of these."""

    def test_open(self, fetch):
        """
        An open route answers anybody; while the function began, its extension was not ready.
        """
        status, _, body = fetch("/open")

        assert status == 200
        assert json.loads(body) == {
            "at_start": [400, "not ready to serve traffic, please wait"],
            "asked": "/open",
        }

    def test_secret(self, whole, fetch, identity):
        """
        A known viewer gets what the function read, as its own calls, and both cookies.
        """
        whole.faults.restart()

        status, headers, body = fetch("/word", authorization=identity.token("ada", aud="toy"))

        assert status == 200
        assert json.loads(body) == {
            "word": "open sesame",
            "rules": '{"allow": "all"}',
            "viewer": "ada",
        }
        assert headers.get_all("set-cookie") == [
            "one=1; Secure; Path=/a",
            "two=2; Secure; Path=/b",
        ]
        calls = [(call.caller, call.operation) for call in whole.faults.calls]
        assert ("greet", "GetSecretValue") in calls

    def test_cache(self, whole, fetch, identity):
        """
        The template's settings reach the extension: the secret is read anew, the parameter is not.
        """
        client, made = whole.client, whole.deployment.resources
        token = identity.token("ada", aud="toy")
        fetch("/word", authorization=token)
        client("secretsmanager").put_secret_value(SecretId=made["Word"], SecretString="new")
        client("ssm").put_parameter(Name=made["Rules"], Value="new", Overwrite=True)

        body = json.loads(fetch("/word", authorization=token)[2])

        assert (body["word"], body["rules"]) == ("new", '{"allow": "all"}')

    def test_crash(self, whole, fetch, identity, capfd):
        """
        A crash at a call of the extension ends the function's process, and the next one answers.
        """
        token = identity.token("ada", aud="toy")
        crash = Rule(does=Does.CRASH_BEFORE, caller="greet", operation="GetSecretValue")
        whole.faults.restart()
        whole.faults.rules[:] = [crash]

        statuses = [fetch("/word", authorization=token)[0] for _ in range(2)]

        whole.faults.rules.clear()
        assert statuses == [500, 200]
        assert any("SIGKILL" in str(i.outcome.error) for i in whole.invocations)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("GET", "/word", 401), ("POST", "/things/1", 401), ("GET", "/none", 404)],
    )
    def test_refused(self, fetch, method, path, status):
        """
        Without a token, or a route, there is nothing.
        """
        assert fetch(path, method)[0] == status

    def test_scope(self, fetch, identity):
        """
        A route's scope is asked for.
        """
        reader = identity.token("ada", aud="toy", scope="read")
        writer = identity.token("ada", aud="toy", scope="read write")

        assert fetch("/things/a/b", "PUT", authorization=reader)[0] == 403
        assert fetch("/things/a/b", "PUT", authorization=writer)[0] == 200

    def test_preflight(self, fetch):
        """
        A browser's preflight is answered by the template's CORS.
        """
        site = "https://www.example.org"

        status, headers, body = fetch(
            "/word", "OPTIONS", origin=site, access_control_request_method="GET"
        )

        assert (status, body) == (204, b"")
        assert headers["access-control-allow-origin"] == site
        assert headers["access-control-allow-headers"] == "authorization"

    def test_run(self, whole, fetch, identity):
        """
        Requests are answered while the stack runs.
        """
        answered: list[int] = []

        def often():
            for _ in range(5):
                # Made just before, so that a jump between does not end it.
                token = identity.token("ada", aud="toy", exp=int(time.time()) + 100_000)
                answered.append(fetch("/word", authorization=token)[0])

        viewer = threading.Thread(target=often)
        viewer.start()
        whole.run(until=lambda: len(answered) == 5, limit_s=50_000)
        viewer.join()

        assert answered == [200] * 5

    def test_url(self, whole):
        """
        The template's own references name the API as AWS would.
        """
        (api,) = whole.deployment.apis

        assert whole.outputs["ApiUrl"] == f"https://{api.host}"

    def test_by_url(self, whole):
        """
        Under its own URL the API is found where all https hosts are.
        """
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": whole.edge_url}),
            urllib.request.HTTPSHandler(
                context=ssl.create_default_context(cafile=whole.edge_authority)
            ),
        )

        with opener.open(f"{whole.outputs['ApiUrl']}/open", timeout=60) as answer:
            assert (answer.status, "apigw-requestid" in answer.headers) == (200, True)
