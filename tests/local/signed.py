"""The suite with its signing endpoint, in front of private content that an edge guards."""

import json
import textwrap
import time
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

from cdn.signing import key_pairs
from functions.rotate_keys import app as rotate_keys
from functions.sign_access import app as sign_access
from local import stack
from local.demo import outside
from local.identity import Identity
from local.loopback import Request
from tests.local import suite
from tests.secrecy import leaks

HANDLERS = suite.HANDLERS | {
    "sign_access": sign_access.lambda_handler,
    "rotate_keys": rotate_keys.lambda_handler,
}
ISSUER = "https://identity.example"
HOST = "media.example.com"
ORIGIN = "https://app.example.com"
GRANTS = {
    "version": 1,
    "grants": [
        {
            "name": "own-files",
            "claims": {"token_use": "access"},
            "path_templates": ["https://{host}/users/{sub}/*"],
            "hosts": [HOST],
            "access_methods": ["url", "cookies"],
            "max_lifetime_s": 3600,
            "bind_ip": False,
        },
        {
            "name": "bound",
            "claims": {"token_use": "access"},
            "path_templates": ["https://{host}/bound/*"],
            "hosts": [HOST, "other.example.net"],
            "access_methods": ["url", "cookies"],
            "max_lifetime_s": 300,
            "bind_ip": True,
        },
        {
            "name": "elsewhere",
            "claims": {"token_use": "access"},
            "path_templates": ["https://{host}/users/{sub}/*"],
            "hosts": ["media.example.org"],
            "access_methods": ["cookies"],
            "max_lifetime_s": 300,
            "bind_ip": False,
        },
    ],
}
PARAMETERS = {
    "UploadBuckets": "site",
    "JwtIssuer": ISSUER,
    "JwtAudience": "front-end",
    "CookieHost": HOST,
    "AllowedOrigins": ORIGIN,
}


@cache
def private_key(kind="ECDSA-P256", number=0):
    """Make a key, once: RSA takes a second."""
    del number
    return key_pairs.generate(kind)


def pem_of(der):
    """Write a public key as CloudFront wants it, of the form in which KMS gives it."""
    lines = "\n".join(textwrap.wrap(b64encode(der).decode(), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"


@dataclass(slots=True)
class Cloud:
    """A stack that signs, a distribution that trusts its key, and an issuer of tokens."""

    world: Any
    identity: Identity
    distribution_id: str
    domain_name: str
    key_group_id: str
    key_ids: list[str]

    def publish(self, pem, name):
        """Make a public key of CloudFront's, and name it."""
        made = self.world.client("cloudfront").create_public_key(
            PublicKeyConfig={"CallerReference": name, "Name": name, "EncodedKey": pem}
        )["PublicKey"]["Id"]
        self.key_ids.append(made)
        return made

    def trust(self, pem, name):
        """Publish a public key and add it to the key group, and name it."""
        key_id = self.publish(pem, name)
        cloudfront = self.world.client("cloudfront")
        group = cloudfront.get_key_group(Id=self.key_group_id)
        config = group["KeyGroup"]["KeyGroupConfig"]
        config["Items"] = [*config["Items"], key_id]
        cloudfront.update_key_group(
            Id=self.key_group_id, IfMatch=group["ETag"], KeyGroupConfig=config
        )
        return key_id

    def keep(self, secret):
        """Put *secret* where the function finds it."""
        self.world.client("secretsmanager").put_secret_value(
            SecretId=self.world.outputs["SigningSecretArn"],
            SecretString=secret if isinstance(secret, str) else json.dumps(secret),
        )

    def grant(self, document):
        self.world.client("ssm").put_parameter(
            Name="/cloudfront-autopilot/grants",
            Type="String",
            Value=document if isinstance(document, str) else json.dumps(document),
            Overwrite=True,
        )

    def token(self, subject="42", **claims):
        return self.identity.token(subject, **{"aud": "front-end", "token_use": "access"} | claims)

    def ask(self, method, path, body=None, *, token=None, headers=(), by_cloudfront=True):
        """Send a request as a front end does, and read the answer."""
        sent = [("authorization", f"Bearer {token or self.token()}")]
        if by_cloudfront:
            sent.append(("x-amz-cf-id", "edge"))
        if body is not None:
            sent.append(("content-type", "application/json"))
        text = body if isinstance(body, (str, type(None))) else json.dumps(body)
        request = Request(
            method=method,
            target=path,
            headers=[*sent, *headers],
            body=(text or "").encode(),
            source_ip="192.0.2.7",
        )
        answer = self.world.apis.handle(request, host=self.world.deployment.apis[0].host)
        return Answer(answer.status, answer.headers, json.loads(answer.body or b"null"))

    def urls(self, *urls, token=None, by_cloudfront=True, **more):
        body = {"urls": list(urls), **more}
        return self.ask("POST", "/signed-urls", body, token=token, by_cloudfront=by_cloudfront)

    def cookies(self, *url_patterns, token=None, by_cloudfront=True, **more):
        body = {"url_patterns": list(url_patterns), **more}
        return self.ask("POST", "/signed-cookies", body, token=token, by_cloudfront=by_cloudfront)

    def clear(self, *url_patterns, token=None):
        query = urlencode([("url_pattern", url_pattern) for url_pattern in url_patterns])
        return self.ask("DELETE", f"/signed-cookies?{query}", token=token)

    def fetch(self, url, *, cookies=None, address="192.0.2.7"):
        """Ask the edge for *url*, as a viewer with these cookies."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"cookie": "; ".join(cookies)} if cookies else {}
        return self.world.edge.fetch("GET", parts.netloc, target, headers, address=address)


@dataclass(slots=True)
class Answer:
    status: int
    headers: Any
    body: Any

    def header(self, name):
        return next((value for key, value in self.headers if key == name), None)

    @property
    def set_cookies(self):
        return [value for key, value in self.headers if key == "set-cookie"]

    def sent_back(self, path):
        """Tell the cookies that a browser would send with a request for *path*."""
        kept = []
        for one in self.set_cookies:
            pair, *attributes = one.split("; ")
            scope = next(a.removeprefix("Path=") for a in attributes if a.startswith("Path="))
            if path.startswith(scope) and "Max-Age=0" not in attributes:
                kept.append(pair)
        return kept


def forget():
    """Make the handler as new as in a sandbox that has just started."""
    sign_access._sandbox.cache_clear()


@contextmanager
def running(*, key="ECDSA-P256", algorithm="SHA256", parameters=None, **how):
    """
    Run it, with a proven key of the kind, and files of two users.

    With no kind, there is no key but the one that the stack itself makes.
    """
    identity = Identity(ISSUER, now=time.time)
    forget()
    with stack.inline(
        suite.TEMPLATE,
        parameters=PARAMETERS | (parameters or {}),
        handlers=HANDLERS,
        fetch=identity.document,
        **how,
    ) as world:
        cloud = _build(world, identity, key and private_key(key), algorithm)
        world.run(limit_s=300)
        world.faults.restart()
        yield cloud
        said = "".join(line for name in HANDLERS for line in world.logs(name))
        assert leaks(said + json.dumps(suite.all_rows(cloud), default=str)) == []


def _build(world, identity, key, algorithm):
    s3 = world.client("s3")
    s3.create_bucket(Bucket="site")
    for path in ("users/42/a.jpg", "users/42/é b.jpg", "users/43/a.jpg", "bound/a.jpg"):
        s3.put_object(Bucket="site", Key=path, Body=path.encode())
    cloud = Cloud(world, identity, "", "", world.outputs["KeyGroupId"], [])
    made = outside.guard(world, bucket="site", host=HOST, key_group_id=cloud.key_group_id)
    cloud.distribution_id, cloud.domain_name = made["Id"], made["DomainName"]
    cloud.grant(GRANTS)
    if key:
        secret = {"private_key": key_pairs.private_pem(key), "hash_algorithm": algorithm}
        cloud.keep(secret | {"key_id": cloud.trust(key_pairs.public_pem(key), "first")})
    return cloud
