"""What is signed, by which keys, and for whom: the same for all that is compared."""

import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cdn.signing import key_pairs
from cdn.signing.key_pairs import Kind, PrivateKey
from local.function import Function, HttpApi, HttpRoute
from local.http_api import payload, tokens
from local.http_api.routes import Match
from local.identity import Identity
from local.loopback import Request, Response, Server
from local.secrets_extension import PORT, SecretsExtension

ROOT = Path(__file__).parents[2]
KEY_ID = "K2JCJMDEHXQW5F"
FOLDER = "https://media.example.com/users/42/albums/2026-08/"
SETTINGS = {
    "AWS_SESSION_TOKEN": "local",
    "SIGNING_SECRET": "signing-key",
    "GRANTS_PARAMETER": "/cloudfront-autopilot/grants",
    "COOKIE_HOST": "",
    "COOKIE_DOMAIN": "",
    "CROSS_SITE_PAGES": "no",
    "VIEWER_ADDRESS": "connection",
    "METRICS_NAMESPACE": "cloudfront-autopilot",
    "SECRETS_MANAGER_TTL": "0",
    "SSM_PARAMETER_STORE_TTL": "0",
}

_FUNCTION = Function(
    name="sign_access",
    logical_id="SignAccess",
    physical_name="sign_access",
    folder=ROOT / "functions" / "sign_access",
    handler="app.lambda_handler",
    timeout_s=10,
    memory_mb=1024,
    environment=SETTINGS,
)

_numbers = itertools.count(1)


@cache
def private_key(kind: Kind) -> PrivateKey:
    return key_pairs.generate(kind)


def secret(kind: Kind) -> str:
    """Return the signing secret."""
    pem = key_pairs.private_pem(private_key(kind))
    return json.dumps({"key_id": KEY_ID, "private_key": pem})


def new_url() -> str:
    """Return the URL of a photo that nobody has requested yet."""
    return f"{FOLDER}photo-{next(_numbers):08}.jpg"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is signed in, with a token as long as usual ones are."""

    token: str
    claims: dict[str, str]

    def event(self, urls: Sequence[str]) -> dict[str, Any]:
        """Return the event in which API Gateway hands over a request to sign *urls*."""
        route = HttpRoute(key="POST /signed-urls", function=_FUNCTION)
        return payload.event(
            Request(
                method="POST",
                target="/signed-urls",
                headers=[
                    ("authorization", f"Bearer {self.token}"),
                    ("content-type", "application/json"),
                    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"),
                    ("origin", "https://app.example.com"),
                ],
                body=json.dumps({"urls": list(urls)}).encode(),
                source_ip="192.0.2.7",
            ),
            api=HttpApi(logical_id="Api", api_id="a1b2c3d4e5", routes=(route,)),
            match=Match(route, {}),
            jwt={"claims": self.claims, "scopes": None},
            request_id="JKJaXmPLvHcESHA=",
            trace_id="Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
            now=time.time(),
        )


def viewer() -> Viewer:
    claims = {
        "aud": "front-end",
        "token_use": "access",
        "scope": "openid media/read",
        "jti": "2f0c6f3e-6a3b-4a2f-9a55-0d2b7a7d3a10",
        "username": "forty-two",
        "cognito:groups": ["viewers", "members"],
    }
    issuer = "https://identity.example"
    token = Identity(issuer, now=time.time).token("42", **claims)
    return Viewer(token, tokens.flattened({"iss": issuer, "sub": "42", **claims}))


@dataclass(frozen=True, slots=True)
class _Aws:
    """All of Secrets Manager and the Parameter Store: one secret, one parameter."""

    secret: str
    parameter: str

    def get_secret_value(self, **_: str) -> dict[str, Any]:
        return {"SecretString": self.secret, "VersionStages": ["AWSCURRENT"]}

    def get_parameter(self, **_: Any) -> dict[str, Any]:
        return {"Parameter": {"Value": self.parameter}}


@contextmanager
def secrets_manager(kind: Kind) -> Iterator[str]:
    """Stand in for Secrets Manager itself, with a key of *kind*; return its URL."""
    body = json.dumps({"Name": "signing-key", "SecretString": secret(kind)}).encode()
    with Server(lambda _: Response(status=200, body=body)) as server:
        yield server.url


@contextmanager
def extension(text: str) -> Iterator[int]:
    """Stand in for the extension, with *text* as secret; return its port."""
    aws = _Aws(text, (ROOT / "docs" / "grants.json").read_text(encoding="utf-8"))
    server = SecretsExtension(SETTINGS, client=lambda _: aws, now=time.time)
    server.ready = True
    try:
        yield server.start()
    finally:
        server.stop()


@contextmanager
def settings(port: int) -> Iterator[None]:
    """Let this process have the environment of the function."""
    environment = {**SETTINGS, PORT: str(port)}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, text in before.items():
            os.environ.pop(name)
            if text is not None:
                os.environ[name] = text
