"""
A site with private pictures: pages, media, a provider of identities, and a key to sign with.

`python -m local.demo.gallery` serves it, and says how to open it.
"""

from __future__ import annotations

import json
import math
import secrets
import signal
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from local.demo import browser, site
from local.edge.forwarding import ALL_VIEWER_EXCEPT_HOST
from local.identity import Identity
from local.loopback import Answer, Request, Response
from local.stack import embedded
from local.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES, MEDIA, LOGIN = "app.example.org", "media.example.com", "login.example.net"
ORIGIN, ISSUER = f"https://{PAGES}", f"https://{LOGIN}"
USERS = ("ada", "ben")
FRAMES = 24

Way = Literal["urls", "cookies"]
WAYS: tuple[Way, ...] = ("urls", "cookies")

PARAMETERS = {
    "UploadBuckets": "media",
    "JwtIssuer": ISSUER,
    "JwtAudience": "gallery",
    "AllowedOrigins": ORIGIN,
    # The API is a behavior of the distribution of the media; the pages are another site's.
    "CookieHost": MEDIA,
    "CrossSitePages": "yes",
}
"""The parameters that the stack needs for this site."""

_PARTS = ("own", "others")
_ROOT = Path(__file__).parents[2]
_GRANTS_PARAMETER = "/cloudfront-autopilot/grants"
_GRANTS = {
    "version": 1,
    "grants": [
        {
            "name": "own-files",
            "claims": {"token_use": "access"},
            "path_templates": ["https://{host}/users/{sub}/*"],
            "hosts": [MEDIA],
            "access_methods": ["url", "cookies"],
            "max_lifetime_s": 3600,
            "bind_ip": False,
        }
    ],
}
_CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
_CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
_METHODS = ["HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"]
# Until edges know new keys, and distributions are deployed.
_DEPLOYED_S = 300


@dataclass(slots=True)
class Gallery:
    """The site, and what its owner does with it."""

    world: World
    identity: Identity
    key_group_id: str = ""
    key_ids: list[str] = field(default_factory=list)

    @property
    def api_host(self) -> str:
        (api,) = self.world.deployment.apis
        return api.host

    def token(self, user: str) -> str:
        return self.identity.token(user, aud=PARAMETERS["JwtAudience"], token_use="access")

    def put(self, key: str, body: bytes, *, content_type: str, bucket: str = "media") -> None:
        self.world.client("s3").put_object(
            Bucket=bucket, Key=key, Body=body, ContentType=content_type
        )

    def publish_key(self) -> tuple[str, str]:
        """Create a key pair, publish its public half, and return its id and the private half."""
        pair = ec.generate_private_key(ec.SECP256R1())
        name = f"gallery-{secrets.token_hex(4)}"
        spki, pkcs8 = PublicFormat.SubjectPublicKeyInfo, PrivateFormat.PKCS8
        made = self.world.client("cloudfront").create_public_key(
            PublicKeyConfig={
                "CallerReference": name,
                "Name": name,
                "EncodedKey": pair.public_key().public_bytes(Encoding.PEM, spki).decode(),
            }
        )["PublicKey"]["Id"]
        self.key_ids.append(made)
        return made, pair.private_bytes(Encoding.PEM, pkcs8, NoEncryption()).decode()

    def sign_with(self, key_id: str, private_key: str) -> None:
        """Let the endpoint sign with this key from now on."""
        secret = {"key_id": key_id, "private_key": private_key, "hash_algorithm": "SHA256"}
        self.world.client("secretsmanager").put_secret_value(
            SecretId=self.world.outputs["SigningSecretArn"], SecretString=json.dumps(secret)
        )

    def trust(self, key_ids: Sequence[str]) -> None:
        """Let the edges trust these keys alone, wait until they do, and delete all others."""
        cloudfront = self.world.client("cloudfront")
        response = cloudfront.get_key_group_config(Id=self.key_group_id)
        cloudfront.update_key_group(
            Id=self.key_group_id,
            IfMatch=response["ETag"],
            KeyGroupConfig=response["KeyGroupConfig"] | {"Items": list(key_ids)},
        )
        self.world.run(limit_s=_DEPLOYED_S)
        for key_id in set(self.key_ids).difference(key_ids):
            etag = cloudfront.get_public_key(Id=key_id)["ETag"]
            cloudfront.delete_public_key(Id=key_id, IfMatch=etag)
        self.key_ids[:] = key_ids

    def rotate(self) -> None:
        """Put a new key in the place of the old one at once: what that signed is refused."""
        key = self.publish_key()
        self.sign_with(*key)
        self.trust([key[0]])


def build(world: World, identity: Identity) -> Gallery:
    """Make the site in the account of *world*, whose tokens come from *identity*."""
    gallery = Gallery(world, identity)
    world.hosts[LOGIN] = _login(gallery)
    for bucket in ("media", "pages"):
        world.client("s3").create_bucket(Bucket=bucket)
    made = gallery.publish_key()
    gallery.sign_with(*made)
    group = world.client("cloudfront").create_key_group(
        KeyGroupConfig={"Name": "viewers", "Items": [made[0]]}
    )
    gallery.key_group_id = group["KeyGroup"]["Id"]
    world.client("ssm").put_parameter(
        Name=_GRANTS_PARAMETER, Type="String", Value=json.dumps(_GRANTS)
    )
    _distribute(gallery)
    _upload(gallery)
    world.run(limit_s=_DEPLOYED_S)
    return gallery


def _login(gallery: Gallery) -> Answer:
    """Give tokens to anybody: this provider asks for no password."""

    def answer(request: Request) -> Response:
        user = parse_qs(request.query).get("user", [""])[0]
        if request.path != "/token" or user not in USERS:
            return Response(status=404)
        headers = (
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("access-control-allow-origin", ORIGIN),
        )
        body = json.dumps({"token": gallery.token(user)}).encode()
        return Response(status=200, headers=headers, body=body)

    return answer


def _distribute(gallery: Gallery) -> None:
    create = gallery.world.client("cloudfront").create_distribution
    page = {"TargetOriginId": "pages", "ViewerProtocolPolicy": "redirect-to-https"}
    page["CachePolicyId"] = _CACHING_DISABLED
    create(DistributionConfig=_config(PAGES, [_bucket("pages")], default=page))

    media = {
        "TargetOriginId": "media",
        "ViewerProtocolPolicy": "https-only",
        "CachePolicyId": _CACHING_OPTIMIZED,
        "ResponseHeadersPolicyId": _cors_policy(gallery.world),
        "TrustedKeyGroups": {"Enabled": True, "Quantity": 1, "Items": [gallery.key_group_id]},
    }
    signing = [
        {
            "PathPattern": pattern,
            "TargetOriginId": "api",
            "ViewerProtocolPolicy": "https-only",
            "CachePolicyId": _CACHING_DISABLED,
            "OriginRequestPolicyId": ALL_VIEWER_EXCEPT_HOST,
            "AllowedMethods": {"Quantity": len(_METHODS), "Items": _METHODS},
        }
        for pattern in ("/signed-urls", "/signed-cookies")
    ]
    ports = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    api = {"Id": "api", "DomainName": gallery.api_host, "CustomOriginConfig": ports}
    behaviors = {"Quantity": len(signing), "Items": signing}
    config = _config(MEDIA, [_bucket("media"), api], default=media)
    create(DistributionConfig=config | {"CacheBehaviors": behaviors})


def _bucket(name: str) -> dict[str, Any]:
    return {
        "Id": name,
        "DomainName": f"{name}.s3.us-east-1.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }


def _config(host: str, origins: list[dict[str, Any]], *, default: dict[str, Any]) -> dict[str, Any]:
    return {
        "CallerReference": host,
        "Comment": "",
        "Enabled": True,
        "Aliases": {"Quantity": 1, "Items": [host]},
        "DefaultRootObject": "demo/index.html",
        "Origins": {"Quantity": len(origins), "Items": origins},
        "DefaultCacheBehavior": default,
    }


def _cors_policy(world: World) -> str:
    """Let scripts of the pages read what they fetch, with cookies or without."""
    made = world.client("cloudfront").create_response_headers_policy(
        ResponseHeadersPolicyConfig={
            "Name": "pages-may-read",
            "CorsConfig": {
                "AccessControlAllowOrigins": {"Quantity": 1, "Items": [ORIGIN]},
                "AccessControlAllowHeaders": {"Quantity": 1, "Items": ["range"]},
                "AccessControlAllowMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
                "AccessControlAllowCredentials": True,
                "OriginOverride": True,
            },
        }
    )
    return str(made["ResponseHeadersPolicy"]["Id"])


def _upload(gallery: Gallery) -> None:
    for path in sorted((_ROOT / "frontend").rglob("*")):
        if path.is_file():
            key = path.relative_to(_ROOT / "frontend").as_posix()
            kind = site.content_type(key)
            gallery.put(key, path.read_bytes(), content_type=kind, bucket="pages")
    settings = {
        "api": f"https://{MEDIA}",
        "media": f"https://{MEDIA}",
        "login": ISSUER,
        "users": USERS,
        "pictures": [f"{name}.svg" for name in _PICTURES],
    }
    gallery.put(
        "demo/settings.json",
        json.dumps(settings).encode(),
        content_type="application/json",
        bucket="pages",
    )
    for user, sun, hertz in zip(USERS, (90, 230), (220, 330), strict=True):
        folder = f"users/{user}"
        for name, hour in _PICTURES.items():
            drawn = _picture(hour=hour, sun=sun)
            gallery.put(f"{folder}/{name}.svg", drawn, content_type="image/svg+xml")
        for frame in range(FRAMES):
            drawn = _picture(hour=4 + 20 * frame / FRAMES, sun=sun, label=str(frame + 1))
            gallery.put(f"{folder}/film/{frame:03}.svg", drawn, content_type="image/svg+xml")
        gallery.put(
            f"{folder}/film/film.m3u8", _playlist(), content_type="application/vnd.apple.mpegurl"
        )
        gallery.put(f"{folder}/tune.wav", _tune(hertz), content_type="audio/wav")


_PICTURES = {"dawn": 6, "forenoon": 10, "dusk": 19, "night": 23}


def _picture(*, hour: float, sun: int, label: str = "") -> bytes:
    """Draw the sky above the sea at an hour of the day, the sun *sun* from the left."""
    height = math.sin(math.pi * (hour - 5) / 15)
    light = max(8, 60 * height)
    # Where the sun is near the horizon.
    glow = max(0.0, 1 - 2.5 * abs(height))
    hue = 25 if glow else 205
    text = f'<text x="20" y="228" font-size="36" fill="#fff">{label}</text>' if label else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240" font-family="sans-serif">'
        '<linearGradient id="sky" x2="0" y2="1">'
        f'<stop stop-color="hsl(210 55% {light:.0f}%)"/>'
        f'<stop offset=".7" stop-color="hsl({hue} 70% {light + 35 * glow + 10:.0f}%)"'
        '/></linearGradient><path fill="url(#sky)" d="M0 0h320v240H0z"/>'
        f'<circle cx="{sun}" cy="{165 - 120 * height:.0f}" r="24" fill="#ffe9a8"/>'
        f'<path fill="hsl(200 45% {light / 3 + 10:.0f}%)" '
        'd="M0 160q40-14 80 0t80 0 80 0 80 0v80H0z"/>'
        f'<path fill="hsl(205 50% {light / 4 + 6:.0f}%)" '
        'd="M0 190q20 12 40 0t40 0 40 0 40 0 40 0 40 0 40 0 40 0v50H0z"/>'
        f"{text}</svg>"
    ).encode()


def _playlist() -> bytes:
    segments = "".join(f"#EXTINF:0.25,\n{frame:03}.svg\n" for frame in range(FRAMES))
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{segments}#EXT-X-ENDLIST\n".encode()


def _tune(hertz: int, *, seconds: int = 8, rate: int = 8_000) -> bytes:
    """Write a slow arpeggio as a WAV file of 16 bits, mono."""
    steps = (1, 5 / 4, 3 / 2, 2)
    samples = (
        int(9_000 * math.sin(2 * math.pi * hertz * steps[at // rate % 4] * at / rate))
        for at in range(seconds * rate)
    )
    sound = b"".join(struct.pack("<h", sample) for sample in samples)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    data = struct.pack("<4sI", b"data", len(sound)) + sound
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(data), b"WAVE") + form + data


def look(page: Page, user: str, *, by: Way) -> dict[str, list[str]]:
    """
    Sign in on the page in a browser, and tell what became of the pictures there.

    Those of the user are `own`, those of the other one `others`; each is `shown` or `refused`.
    """
    page.goto(f"{ORIGIN}/")
    page.check(f"input[value={by}]")
    page.click(f"button[value={user}]")
    page.wait_for_selector("#own figure")
    page.wait_for_function("!document.querySelector('figure:not([data-state])')")
    states = "figures => figures.map(figure => figure.dataset.state)"
    return {part: page.eval_on_selector_all(f"#{part} figure", states) for part in _PARTS}


def main() -> int:
    """Serve the site until somebody stops it."""
    # By itself it would end the process at once, and leave what it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    identity = Identity(ISSUER, now=time.time)
    with embedded(_ROOT / "template.yaml", parameters=PARAMETERS, fetch=identity.document) as world:
        build(world, identity)
        options = " ".join(f"'{flag}'" for flag in browser.flags(world))
        with suppress(KeyboardInterrupt):
            sys.stdout.write(
                "The gallery is open, until Ctrl-C. Visit it with a browser of its own:\n"
                f'  chromium {options} --user-data-dir="$(mktemp -d)" {ORIGIN}/\n'
            )
            sys.stdout.flush()
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
