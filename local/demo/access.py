"""Private content: a front end asks, and what it gets opens; what it must not have stays shut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from local.demo import frontend, outside
from local.demo.claims import Claims
from local.demo.frontend import HOST, FrontEnd, film
from local.demo.narration import Narrator
from local.demo.outside import Cloud
from local.world import World

# Keys in the secret sign all the same; boto3 is at hand for the one that is in KMS.
PARAMETERS = frontend.PARAMETERS | {"SigningKeys": "kms"}

_BUCKET = "films"
_ROOT = Path(__file__).parents[2]


def play(cloud: Cloud, _files: dict[str, bytes], narrator: Narrator, claims: Claims) -> None:
    """Guard a bucket's objects, and let those in who may."""
    stage = Stage.build(cloud.world, narrator, claims)
    stage.unsigned()
    stage.url()
    stage.cookies()
    stage.outside_grant()
    stage.tampered()
    stage.expired()
    stage.other_keys()
    stage.kms()


@dataclass(frozen=True, slots=True)
class Stage:
    """A front end of Ada's, a distribution that guards her films, and keys that open them."""

    world: World
    page: FrontEnd
    key_group_id: str
    narrator: Narrator
    claims: Claims
    links: list[str] = field(default_factory=list)

    @classmethod
    def build(cls, world: World, narrator: Narrator, claims: Claims) -> Stage:
        cloudfront = world.client("cloudfront")
        frontend.furnish(world, bucket=_BUCKET)
        key = ec.generate_private_key(ec.SECP256R1())
        key_id = _publish(world, key.public_key(), "ecdsa")
        group = cloudfront.create_key_group(KeyGroupConfig={"Name": "films", "Items": [key_id]})
        stage = cls(world, FrontEnd(world), group["KeyGroup"]["Id"], narrator, claims)
        outside.guard(world, bucket=_BUCKET, host=HOST, key_group_id=stage.key_group_id)
        stage._keep({"key_id": key_id, "private_key": _pem(key)})
        with narrator.busy("The distribution is deployed"):
            world.run(limit_s=300)
        return stage

    def unsigned(self) -> None:
        status, body = self.page.fetch(film(0))
        self.narrator.say(f"Somebody opens {film(0)} without a signature: {status}.")
        self.claims.check(
            "unsigned-refused",
            "Without a signature, CloudFront refuses.",
            against={
                "the status is 403": status == HTTPStatus.FORBIDDEN,
                "for want of a key": b"MissingKey" in body,
            },
        )

    def url(self) -> None:
        films = [film(number) for number in range(3)]
        status, answer, _ = self.page.ask("POST", "/signed-urls", {"urls": films})
        self.links.extend(signed["url"] for signed in answer.get("signed", ()))
        self.narrator.say("Ada's page asks POST /signed-urls for her three films, with her token:")
        self.narrator.line(f"          {self.links[0] if self.links else answer}")
        opened = [self.page.fetch(link) for link in self.links]
        self.claims.check(
            "signed-url-opens",
            "The URLs that the endpoint signs open the films, in the order asked.",
            against={
                "the endpoint answered 200": status == HTTPStatus.OK,
                "each opened": [body for _, body in opened]
                == [f"ada's film {number}".encode() for number in range(3)],
            },
        )

    def cookies(self) -> None:
        folder = f"https://{HOST}/users/ada/*"
        status, _, cookies = self.page.ask("POST", "/signed-cookies", {"url_patterns": [folder]})
        jar = _jar(cookies)
        opened = [self.page.fetch(film(number), cookies=jar) for number in range(3)]
        bobs_status, _ = self.page.fetch(film(0, user="bob"), cookies=jar)
        self.narrator.say(
            f"Then POST /signed-cookies for the folder: {len(jar)} cookies, one signature."
        )
        self.claims.check(
            "signed-cookies-open-folder",
            "Signed cookies open everything in the folder, and nothing beside it.",
            against={
                "the endpoint answered 200": status == HTTPStatus.OK,
                "each film opened": all(status == HTTPStatus.OK for status, _ in opened),
                "Bob's did not": bobs_status == HTTPStatus.FORBIDDEN,
                "they are sent to the folder alone": all(
                    "; Path=/users/ada/;" in cookie for cookie in cookies
                ),
            },
        )

    def outside_grant(self) -> None:
        wanted = {
            film(0, user="bob"): HTTPStatus.FORBIDDEN,
            f"https://{HOST}/users/ada/../bob/film-0.mp4": HTTPStatus.BAD_REQUEST,
            f"https://{HOST}/users/ada/%2e%2e/bob/film-0.mp4": HTTPStatus.BAD_REQUEST,
            f"https://{HOST}@evil.example/users/ada/film-0.mp4": HTTPStatus.BAD_REQUEST,
            f"https://{HOST}/users/*": HTTPStatus.FORBIDDEN,
        }
        responses = {url: self.page.ask("POST", "/signed-urls", {"urls": [url]}) for url in wanted}
        reasons = [answer["errors"][0]["reason"] for _, answer, _ in responses.values()]
        self.narrator.say(f"Ada asks for what is not hers, in five ways: {', '.join(reasons)}.")
        nobody = self.page.ask("POST", "/signed-urls", {"urls": [film(0)]}, token="")
        self.claims.check(
            "outside-grant-refused",
            "What the grants do not allow is not signed, however it is written.",
            against={
                **{f"{url} was refused": responses[url][0] == code for url, code in wanted.items()},
                "without a token, nothing is": nobody[0] == HTTPStatus.UNAUTHORIZED,
            },
        )

    def tampered(self) -> None:
        link = self.links[0]
        expires = link.partition("Expires=")[2].partition("&")[0]
        changed = {
            "another film": link.replace("film-0", "film-1"),
            "another user": link.replace("/ada/", "/bob/"),
            "a later expiry": link.replace(expires, str(int(expires) + 1)),
            "another signature": link.replace("Signature=M", "Signature=N"),
        }
        self.narrator.say(f"Ada changes her link: {', '.join(changed)}.")
        self.claims.check(
            "tampered-refused",
            "A link that was changed opens nothing.",
            against={
                **{
                    f"{what}: 403": self.page.fetch(url)[0] == HTTPStatus.FORBIDDEN
                    for what, url in changed.items()
                },
                "the link itself opens": self.page.fetch(link)[0] == HTTPStatus.OK,
            },
        )
        if self.world.aws_url:
            self._doctor(changed)
        else:
            self.claims.skip("doctor-names-cause", "AWS cannot be reached over HTTP here")

    def _doctor(self, changed: dict[str, str]) -> None:
        link = self.links[0]
        later = int(link.partition("Expires=")[2].partition("&")[0]) + 60
        key_id = link.partition("Key-Pair-Id=")[2].partition("&")[0]
        cases = {
            "signature": (changed["another signature"], None),
            "expired": (link, later),
            "unknown_key": (link.replace(key_id, "KNOBODY"), None),
            "unsigned": (film(0), None),
        }
        with self.narrator.busy("The doctor checks"):
            verdicts = {cause: self._diagnosed(url, at) for cause, (url, at) in cases.items()}
        self.narrator.say(f"autopilot doctor: {verdicts['expired']['finding']}")
        self.claims.check(
            "doctor-names-cause",
            "Of each link that got a 403, the doctor names the check that failed.",
            against={f"{cause}": verdicts[cause].get("cause") == cause for cause in cases},
        )

    def _diagnosed(self, url: str, at: float | None) -> dict[str, Any]:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "commands", "doctor", "--json", url),
                *("--at", str(at or self.world.virtual_time.now())),
            ],
            cwd=_ROOT,
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": f".{os.pathsep}layers/cloudfront",
                "AWS_ENDPOINT_URL": self.world.aws_url,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "AKIAOUTSIDE000000000",
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        # 1 says that the doctor found something.
        if done.returncode not in {0, 1} or not done.stdout:
            return {"cause": done.stderr, "finding": done.stderr}
        verdict: dict[str, Any] = json.loads(done.stdout)
        return verdict

    def expired(self) -> None:
        signed = self.page.sign(film(0), expires_in=600)
        self.world.virtual_time.jump_to(signed["expires_at"] - 2)
        before, _ = self.page.fetch(signed["url"])
        self.world.virtual_time.jump_to(signed["expires_at"])
        after, _ = self.page.fetch(signed["url"])
        self.narrator.say(f"Two seconds before its end a link opens ({before}), then not: {after}.")
        self.claims.check(
            "expired-refused",
            "A link opens until the second that the endpoint named, and no longer.",
            against={"before": before == HTTPStatus.OK, "after": after == HTTPStatus.FORBIDDEN},
        )

    def other_keys(self) -> None:
        old = self._sign()
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        key_id = self._trust(key.public_key(), "rsa")
        self._keep({"key_id": key_id, "private_key": _pem(key), "hash_algorithm": "SHA1"})
        self.world.run(limit_s=61)
        new = self._sign()
        self.narrator.say(
            f"The key becomes another one: {len(old)} characters with ECDSA, {len(new)} with RSA."
        )
        self.claims.check(
            "ecdsa-and-rsa-open",
            "Both kinds of key open, with SHA-256 and SHA-1; a link of the old key opens on.",
            against={
                "the key is another": f"Key-Pair-Id={key_id}" in new and key_id not in old,
                "ECDSA, SHA-256": "Hash-Algorithm=SHA256" in old and self._opens(old),
                "RSA, SHA-1": "Hash-Algorithm" not in new and self._opens(new),
            },
        )

    def kms(self) -> None:
        client = self.world.client("kms")
        made = client.create_key(
            KeyUsage="SIGN_VERIFY",
            KeySpec="ECC_NIST_P256",
            Tags=[{"TagKey": "cloudfront-autopilot", "TagValue": "autopilot"}],
        )["KeyMetadata"]
        der = client.get_public_key(KeyId=made["KeyId"])["PublicKey"]
        public = serialization.load_der_public_key(der)
        key_id = self._trust(public, "kms")
        self._keep({"key_id": key_id, "kms_key": made["Arn"], "kind": "ECDSA-P256"})
        self.world.run(limit_s=61)
        link = self._sign()
        signed = [call for call in self.world.faults.calls if call.operation == "Sign"]
        self.narrator.say(f"The next key never leaves KMS, which signed {len(signed)} time.")
        self.claims.check(
            "kms-key-opens",
            "A link that KMS signed opens; the private key was nowhere else.",
            against={
                "KMS signed": len(signed) > 0 and f"Key-Pair-Id={key_id}" in link,
                "it opens": self._opens(link),
            },
        )

    def _sign(self) -> str:
        return str(self.page.sign(film(0))["url"])

    def _opens(self, link: str) -> bool:
        return self.page.fetch(link)[0] == HTTPStatus.OK

    def _keep(self, secret: dict[str, str]) -> None:
        self.world.client("secretsmanager").put_secret_value(
            SecretId=self.world.outputs["SigningSecretArn"], SecretString=json.dumps(secret)
        )

    def _trust(self, public_key: Any, name: str) -> str:  # noqa: ANN401  # of either kind
        """Publish a key and add it to the group."""
        key_id = _publish(self.world, public_key, name)
        cloudfront = self.world.client("cloudfront")
        group = cloudfront.get_key_group(Id=self.key_group_id)
        config = group["KeyGroup"]["KeyGroupConfig"]
        config["Items"].append(key_id)
        cloudfront.update_key_group(
            Id=self.key_group_id, IfMatch=group["ETag"], KeyGroupConfig=config
        )
        return key_id


def _publish(world: World, public_key: Any, name: str) -> str:  # noqa: ANN401  # of either kind
    pem = public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    config = {"CallerReference": name, "Name": name, "EncodedKey": pem}
    made = world.client("cloudfront").create_public_key(PublicKeyConfig=config)
    return str(made["PublicKey"]["Id"])


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _jar(cookies: Iterable[str]) -> list[str]:
    """Keep what a browser would: not the cookies that are cleared at once."""
    return [cookie.partition(";")[0] for cookie in cookies if "Max-Age=0" not in cookie]
