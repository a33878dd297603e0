"""A request passes routes, CORS and tokens to its function, and the answer comes back."""

import random
import threading
from concurrent.futures import Future

import pytest

from local.function import Authorizer, Cors, HttpApi, HttpRoute, Outcome, Throttling
from local.http_api import HttpApis, front
from local.loopback import Request
from tests.unit.local.http_api.functions import FUNCTION

ISSUER = "https://identity.example"
SITE = "https://www.example.org"
HEADER = Authorizer(
    issuer=ISSUER, audience=("site",), identity_source="$request.header.Authorization"
)
QUERY = Authorizer(issuer=ISSUER, audience=("site",), identity_source="$request.querystring.token")
API = HttpApi(
    logical_id="Api",
    api_id="0123456789",
    routes=(
        HttpRoute(key="GET /open", function=FUNCTION),
        HttpRoute(key="POST /closed", function=FUNCTION, authorizer=HEADER),
        HttpRoute(key="GET /query", function=FUNCTION, authorizer=QUERY),
        HttpRoute(
            key="ANY /scoped/{proxy+}",
            function=FUNCTION,
            authorizer=HEADER,
            scopes=("write", "admin"),
        ),
        HttpRoute(
            key="GET /limited", function=FUNCTION, throttling=Throttling(rate_per_s=2, burst=3)
        ),
        HttpRoute(
            key="POST /limited",
            function=FUNCTION,
            authorizer=HEADER,
            throttling=Throttling(rate_per_s=2, burst=3),
        ),
    ),
    cors=Cors(allow_origins=(SITE,), allow_methods=("POST",), allow_credentials=True),
)


class Front:
    """An API, what its function was given, and what it answers next."""

    def __init__(self, identity):
        self.now = 1_800_000_000.0
        self.events = []
        self.outcome = Outcome(answer={"statusCode": 200, "body": "hello"})
        self.takes_s = 0
        self.apis = HttpApis(
            [API],
            invoke=self.invoke,
            now=lambda: self.now,
            fetch=identity.document,
            random=random.Random(0),
        )

    def invoke(self, _function, event):
        self.events.append(event)
        self.now += self.takes_s
        done: Future[Outcome] = Future()
        done.set_result(self.outcome)
        return done

    def ask(self, method, target, host=API.host, **headers):
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return self.apis.handle(Request(method=method, target=target, headers=named), host=host)


@pytest.fixture
def api(identity):
    return Front(identity)


class TestRoute:
    def test_open(self, api):
        """
        A route without an authorizer takes anybody, and the function gets no token.
        """
        answer = api.ask("GET", "/open?a=1")

        assert (answer.status, answer.body) == (200, b"hello")
        (event,) = api.events
        assert event["rawQueryString"] == "a=1"
        assert "authorizer" not in event["requestContext"]

    def test_request_id(self, api):
        """
        Each answer names its request as the event does.
        """
        answers = [api.ask("GET", "/open"), api.ask("GET", "/open")]

        ids = [event["requestContext"]["requestId"] for event in api.events]
        assert [answer.header("apigw-requestid") for answer in answers] == ids
        assert len(set(ids)) == 2

    @pytest.mark.parametrize(("method", "path"), [("GET", "/none"), ("PUT", "/open")])
    def test_none(self, api, method, path):
        """
        A request without a route is not found, and invokes nobody.
        """
        answer = api.ask(method, path)

        assert (answer.status, answer.body) == (404, b'{"message":"Not Found"}')
        assert api.events == []

    def test_unknown_host(self, api):
        """
        Neither is an API of another name.
        """
        assert api.ask("GET", "/open", host="other.example").status == 404


class TestThrottling:
    def test_burst(self, api):
        """
        What is beyond the burst is answered with 429, and invokes nobody.
        """
        statuses = [api.ask("GET", "/limited").status for _ in range(5)]

        assert statuses == [200, 200, 200, 429, 429]
        assert len(api.events) == 3
        assert api.ask("GET", "/limited").body == b'{"message":"Too Many Requests"}'

    def test_rate(self, api):
        """
        After the burst a route takes as many a second as its rate says, and never saves up more.
        """
        for wait_s, taken in ((0, 3), (1, 2), (60, 3)):
            api.now += wait_s
            statuses = [api.ask("GET", "/limited").status for _ in range(10)]
            assert statuses.count(200) == taken

    def test_without_token(self, api):
        """
        Requests without a token count, too.
        """
        statuses = [api.ask("POST", "/limited").status for _ in range(4)]

        assert statuses == [401, 401, 401, 429]

    def test_apart(self, api):
        """
        One route's requests count for no other.
        """
        for _ in range(5):
            api.ask("GET", "/limited")

        assert api.ask("POST", "/limited").status == 401
        assert api.ask("GET", "/open").status == 200


class TestToken:
    def test_missing(self, api):
        """
        Without a token the answer is 401, asks for one, and the function is not invoked.
        """
        answer = api.ask("POST", "/closed")

        assert (answer.status, answer.body) == (401, b'{"message":"Unauthorized"}')
        assert answer.header("www-authenticate") == "Bearer"
        assert api.events == []

    def test_invalid(self, api, identity):
        """
        With a token that will not do, the answer says why, in the documented words.
        """
        token = identity.token("ada", aud="elsewhere")

        answer = api.ask("POST", "/closed", authorization=f"Bearer {token}")

        assert (answer.status, answer.body) == (401, b'{"message":"Unauthorized"}')
        assert answer.header("www-authenticate") == (
            'Bearer scope="" error="invalid_token" '
            'error_description="the token does not have a valid audience"'
        )

    @pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "{}"])
    def test_valid(self, api, identity, form):
        """
        A valid token opens the route, and its claims are passed as texts.
        """
        token = identity.token("ada", aud="site", groups=["a", "b"], scope="read")

        answer = api.ask("POST", "/closed", authorization=form.format(token))

        assert answer.status == 200
        assert api.events[0]["requestContext"]["authorizer"] == {
            "jwt": {
                "claims": {
                    "iss": ISSUER,
                    "sub": "ada",
                    "iat": "1800000000",
                    "exp": "1800003600",
                    "aud": "site",
                    "groups": "[a b]",
                    "scope": "read",
                },
                "scopes": None,
            }
        }

    def test_expires(self, api, identity):
        """
        A token ends by virtual time.
        """
        token = identity.token("ada", aud="site", exp=1_800_000_060)
        assert api.ask("POST", "/closed", authorization=token).status == 200

        api.now += 60

        assert api.ask("POST", "/closed", authorization=token).status == 401

    def test_query(self, api, identity):
        """
        An identity source may be a query parameter.
        """
        token = identity.token("ada", aud="site")

        assert api.ask("GET", f"/query?token={token}").status == 200
        assert api.ask("GET", "/query", authorization=token).status == 401


class TestScopes:
    @pytest.mark.parametrize("claims", [{"scope": "read admin"}, {"scp": ["write"]}])
    def test_one(self, api, identity, claims):
        """
        One of the route's scopes is enough, and the function gets the token's.
        """
        token = identity.token("ada", aud="site", **claims)

        answer = api.ask("PUT", "/scoped/x", authorization=token)

        assert answer.status == 200
        scopes = api.events[0]["requestContext"]["authorizer"]["jwt"]["scopes"]
        assert scopes in (["read", "admin"], ["write"])

    @pytest.mark.parametrize("claims", [{}, {"scope": "read"}, {"scope": "writer"}])
    def test_none(self, api, identity, claims):
        """
        Without any of them the answer is 403, and the function is not invoked.
        """
        token = identity.token("ada", aud="site", **claims)

        answer = api.ask("PUT", "/scoped/x", authorization=token)

        assert (answer.status, answer.body) == (403, b'{"message":"Forbidden"}')
        assert "insufficient_scope" in str(answer.header("www-authenticate"))
        assert api.events == []


class TestCors:
    def test_preflight(self, api):
        """
        The API answers a preflight itself, and asks for no token.
        """
        answer = api.ask("OPTIONS", "/closed", origin=SITE, access_control_request_method="POST")

        assert (answer.status, answer.body) == (204, b"")
        assert answer.header("access-control-allow-origin") == SITE
        assert answer.header("access-control-allow-credentials") == "true"
        assert api.events == []

    def test_preflight_of_any(self, api):
        """
        A route of any method takes a preflight too, and wants its token.
        """
        answer = api.ask("OPTIONS", "/scoped/x", origin=SITE, access_control_request_method="PUT")

        assert answer.status == 401

    def test_answer(self, api):
        """
        A function's answer gets the headers for an allowed origin, and only for that.
        """
        allowed = api.ask("GET", "/open", origin=SITE)
        other = api.ask("GET", "/open", origin="https://evil.example")

        assert allowed.header("access-control-allow-origin") == SITE
        assert other.status == 200
        assert other.header("access-control-allow-origin") is None

    def test_error_response(self, api):
        """
        An answer of the API's own has none: AWS promises them for functions' answers only.
        """
        answer = api.ask("POST", "/closed", origin=SITE)

        assert answer.status == 401
        assert answer.header("access-control-allow-origin") is None


class TestFunction:
    @pytest.mark.parametrize(
        "outcome", [Outcome(error="ValueError: secret"), Outcome(answer={"statusCode": "x"})]
    )
    def test_fails(self, api, outcome):
        """
        A function that fails, or answers nonsense, is an internal error without details.
        """
        api.outcome = outcome

        answer = api.ask("GET", "/open")

        assert (answer.status, answer.body) == (500, b'{"message":"Internal Server Error"}')

    def test_cookies(self, api):
        """
        Each cookie is a header of its own.
        """
        api.outcome = Outcome(answer={"statusCode": 200, "cookies": ["a=1", "b=2"]})

        answer = api.ask("GET", "/open")

        assert [v for n, v in answer.headers if n == "set-cookie"] == ["a=1", "b=2"]

    @pytest.mark.parametrize(("takes_s", "status"), [(30, 200), (31, 503)])
    def test_late(self, api, takes_s, status):
        """
        A function that needs more than 30 seconds of virtual time is not waited for.
        """
        api.takes_s = takes_s

        assert api.ask("GET", "/open").status == status

    def test_never(self, api, identity, monkeypatch):
        """
        Nor is one that does not end; while it is waited for it is in flight.
        """
        monkeypatch.setattr(front, "_TIMEOUT_S", 0.2)
        seen: list[Future[Outcome]] = []
        stuck: Future[Outcome] = Future()
        apis = HttpApis(
            [API],
            invoke=lambda *_: stuck,
            now=lambda: 0,
            fetch=identity.document,
            random=random.Random(0),
        )
        looker = threading.Timer(0.1, lambda: seen.extend(apis.in_flight))
        looker.start()

        answer = apis.handle(Request(method="GET", target="/open"), host=API.host)

        looker.join()
        assert (answer.status, answer.body) == (503, b'{"message":"Service Unavailable"}')
        assert seen == [stuck]
        assert apis.in_flight == []
