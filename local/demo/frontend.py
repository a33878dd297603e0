"""A front end: a page of somebody who is signed in, and what her browser fetches."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from local import loopback
from local.identity import Identity
from local.world import World

ISSUER = "https://identity.example.com"
AUDIENCE = "front-end"
HOST = "media.example.com"
PARAMETERS = {
    "JwtIssuer": ISSUER,
    "JwtAudience": AUDIENCE,
    "CookieHost": HOST,
    "AllowedOrigins": "https://app.example.com",
}
IDENTITY = Identity(ISSUER, now=time.time)
_GRANTS_PARAMETER = "/cloudfront-autopilot/grants"


def film(number: int, *, user: str = "ada") -> str:
    """Return the URL of one of a user's films."""
    return f"https://{HOST}/users/{user}/film-{number}.mp4"


def furnish(world: World, *, bucket: str, max_lifetime_s: int = 3_600) -> None:
    """Put three films of each user into *bucket*, and let users open their own for so long."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket=bucket)
    for user in ("ada", "bob"):
        for number in range(3):
            key = film(number, user=user).partition(f"{HOST}/")[2]
            s3.put_object(Bucket=bucket, Key=key, Body=f"{user}'s film {number}".encode())
    grant = {
        "name": "own-films",
        "claims": {"token_use": "access"},
        "path_templates": ["https://{host}/users/{sub}/*"],
        "hosts": [HOST],
        "access_methods": ["url", "cookies"],
        "max_lifetime_s": max_lifetime_s,
        "bind_ip": False,
    }
    world.client("ssm").put_parameter(
        Name=_GRANTS_PARAMETER,
        Type="String",
        Value=json.dumps({"version": 1, "grants": [grant]}),
    )


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Ada's page, on this stack."""

    world: World

    def ask(
        self, method: str, path: str, body: dict[str, Any], *, token: str | None = None
    ) -> tuple[int, dict[str, Any], list[str]]:
        """Ask the endpoint; tell status, answer and cookies."""
        if token is None:
            token = IDENTITY.token("ada", aud=AUDIENCE, token_use="access")
        request = loopback.Request(
            method=method,
            target=path,
            headers=[
                ("content-type", "application/json"),
                ("authorization", f"Bearer {token}"),
                # As CloudFront adds it, of whose distribution the API is a behavior.
                ("x-amz-cf-id", "edge"),
            ],
            body=json.dumps(body).encode(),
            source_ip="192.0.2.7",
        )
        answer = self.world.apis.handle(request, host=self.world.deployment.apis[0].host)
        cookies = [value for name, value in answer.headers if name == "set-cookie"]
        return answer.status, json.loads(answer.body), cookies

    def sign(self, url: str, **more: Any) -> dict[str, Any]:
        """Return one URL signed; nothing where it is refused."""
        _, answer, _ = self.ask("POST", "/signed-urls", {"urls": [url], **more})
        signed: list[dict[str, Any]] = answer.get("signed", [{}])
        return signed[0]

    def fetch(self, url: str, *, cookies: Iterable[str] = ()) -> tuple[int, bytes]:
        """Open *url* over https, as browsers do, through the edge."""
        trusted = ssl.create_default_context(cafile=self.world.edge_authority)
        opener = build_opener(
            ProxyHandler({"https": self.world.edge_url}), HTTPSHandler(context=trusted)
        )
        sent = {"Cookie": "; ".join(cookies)} if cookies else {}
        request = Request(url, headers=sent)  # noqa: S310  # an https URL of this stage
        try:
            with opener.open(request) as answer:
                return int(answer.status), answer.read()
        except HTTPError as refused:
            return refused.code, refused.read()
