"""The description is true: whatever it allows is understood, and each answer is as it says."""

import json
from pathlib import Path

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as of_openapi
from werkzeug.wrappers import Request as WsgiRequest
from werkzeug.wrappers import Response as WsgiResponse

from cdn.signing import signing_secret
from local.loopback import Request
from tests.local import signed

DOCUMENT = json.loads(
    (Path(__file__).parents[3] / "functions/sign_access/openapi.json").read_text(encoding="utf-8")
)
CHECKS = [
    checks.not_a_server_error,
    of_openapi.status_code_conformance,
    of_openapi.content_type_conformance,
    of_openapi.response_headers_conformance,
    of_openapi.response_schema_conformance,
    of_openapi.negative_data_rejection,
]


@pytest.fixture(scope="module")
def cloud():
    with signed.running() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def description(cloud):
    """Read the description from the API, through the interface that the tester speaks."""

    @WsgiRequest.application
    def app(asked):
        answer = cloud.world.apis.handle(
            Request(
                method=asked.method,
                target=asked.environ["REQUEST_URI"],
                headers=[*asked.headers.items()],
                body=asked.get_data(),
                source_ip="192.0.2.7",
            ),
            host=cloud.world.deployment.apis[0].host,
        )
        return WsgiResponse(answer.body, answer.status, list(answer.headers))

    return schemathesis.openapi.from_wsgi("/openapi.json", app)


OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_generated(description, cloud, path, method, mode):
    """
    Requests made from the description, right and wrong ones, are answered as it says.
    """
    token = cloud.token()
    operation = description[path][method]

    @settings(max_examples=40, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        answer = case.call(headers={"authorization": f"Bearer {token}"})
        case.validate_response(answer, checks=CHECKS)

    if mode is GenerationMode.POSITIVE or path != "/openapi.json":
        ask()


def schema_of(operation, status):
    """Tell what the description says of a JSON answer, by itself alone."""
    about = operation["responses"][str(status)]
    if "$ref" in about:
        about = DOCUMENT["components"]["responses"][about["$ref"].rpartition("/")[2]]
    content = about["content"]
    media_type = "application/json" if status == 200 else "application/problem+json"
    return content[media_type]["schema"] | {"components": DOCUMENT["components"]}


class TestAnswers:
    @pytest.mark.parametrize(
        ("path", "field", "url_pattern", "status"),
        [
            ("/signed-urls", "urls", f"https://{signed.HOST}/users/42/a.jpg", 200),
            ("/signed-urls", "urls", f"https://{signed.HOST}/users/42/*", 200),
            ("/signed-urls", "urls", f"https://{signed.HOST}/users/43/a.jpg", 403),
            ("/signed-urls", "urls", "ftp://a", 400),
            ("/signed-cookies", "url_patterns", f"https://{signed.HOST}/users/42/*", 200),
            ("/signed-cookies", "url_patterns", f"https://{signed.HOST}/users/43/*", 403),
            ("/signed-cookies", "url_patterns", "https://media.example.org/users/42/*", 409),
        ],
    )
    def test_described(self, cloud, path, field, url_pattern, status):
        """
        Each kind of answer is as described, to the last member.
        """
        answer = cloud.ask("POST", path, {field: [url_pattern]})

        assert answer.status == status
        jsonschema.validate(answer.body, schema_of(DOCUMENT["paths"][path]["post"], status))

    def test_no_key(self, cloud):
        """
        So is the one that says to come again.
        """
        signed.forget()
        cloud.keep(signing_secret.PLACEHOLDER)

        answer = cloud.ask("POST", "/signed-urls", {"urls": ["https://a.example/b"]})

        assert answer.status == 503
        assert answer.header("retry-after").isdecimal()
        jsonschema.validate(answer.body, schema_of(DOCUMENT["paths"]["/signed-urls"]["post"], 503))

    def test_routes(self, cloud):
        """
        The description names every route of the API, and no other.
        """
        described = {
            f"{method.upper()} {path}"
            for path, methods in DOCUMENT["paths"].items()
            for method in methods
        }

        assert {route.key for route in cloud.world.deployment.apis[0].routes} == described
