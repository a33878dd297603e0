"""Key rotation without the rest of the stack: AWS, an edge, an endpoint that signs, viewers."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from itertools import count
from random import Random
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws

from cdn.access import grant_document, grants, issuing
from cdn.access.cached import SECRET_MAX_AGE_S, TtlCache
from cdn.access.cookie_rules import CookieRules
from cdn.aws.announcements import Announcer
from cdn.aws.rows import KeyRange
from cdn.aws.table import Table
from cdn.errors import KeyMaterialError, RetryLaterError, UnavailableError
from cdn.rotation import key_group_resource, reconcile, reports
from cdn.rotation.context import RotationContext
from cdn.rotation.model import RotationRules
from cdn.rotation.secret_versions import Secret
from cdn.rotation.steps import Wait
from cdn.signing import key_pairs, kms, signing_secret
from local import aws, inprocess
from local.cloudfront import CloudFront, Lags, Quotas
from local.edge import Edge
from local.edge.origins import OriginResponse
from local.faults import Crash, Faults
from local.virtual_time import VirtualTime
from tests.secrecy import leaks

NO_COOKIES = CookieRules(None, None, cross_site=False)
START = datetime(2026, 11, 22, 8, tzinfo=UTC)
CALLER = "rotate_keys"
READS = ("Get", "List", "Describe", "Query")
HOST = "media.example.com"
URL = f"https://{HOST}/film.mp4"
CANARY = f"https://{HOST}/canary.txt"
HOUR_S, DAY_S = 3_600, 86_400
RULES = RotationRules(
    period_s=30 * DAY_S,
    hold_s=24 * HOUR_S,
    kind="ECDSA-P256",
    hash_algorithm="SHA256",
    in_kms=False,
    secret_max_age_s=SECRET_MAX_AGE_S,
    signer_timeout_s=30,
    max_lifetime_s=grants.MAX_LIFETIME_S,
)


def grants_of(max_lifetime_s):
    """Let everybody open the film, for so long."""
    return json.dumps(
        {
            "version": 1,
            "grants": [
                {
                    "name": "film",
                    "claims": {"token_use": "access"},
                    "path_templates": ["https://{host}/*"],
                    "hosts": [HOST],
                    "access_methods": ["url"],
                    "max_lifetime_s": max_lifetime_s,
                    "bind_ip": False,
                }
            ],
        }
    )


@dataclass(frozen=True, slots=True)
class Link:
    """A link that the endpoint gave out."""

    url: str
    key_id: str
    expires_at_s: int


@dataclass(slots=True)
class Interruptible(Faults):
    """Lets something else happen at a call, as if it came at the same moment."""

    at: int | None = None
    meanwhile: Any = None

    def number(self):
        """Return how many calls rotation has made."""
        return self._counts[CALLER]

    def before_call(self, **call):
        due = call["caller"] == CALLER and self._counts[CALLER] + 1 == self.at
        if due:
            # What comes between is not interrupted itself.
            self.at = None
            self.meanwhile()
        return Faults.before_call(self, **call)


@dataclass(slots=True)
class Cloud:
    """
    What rotation works on, and what must hold all along.

    Attributes:
        hurt: Keys that somebody has taken from the edges by hand, until they have them again.
        revoked: Keys whose links may die.
        since_s: Since when each key is in the group without a break, by watching.
        made: Every call that a tick has made, with its step.
    """

    context: RotationContext
    virtual_time: VirtualTime
    faults: Interruptible
    cloudfront: CloudFront
    edge: Edge
    lag_s: float
    group_id: str = ""
    containers: list[Any] = field(default_factory=list)
    unreadable: bool = False
    links: list[Link] = field(default_factory=list)
    hurt: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    since_s: dict[str, float] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)

    # ── The endpoint and its viewers ──

    def sign(self, container=0):
        """Ask the endpoint for a link, and keep it; None while it has no key."""
        signer, allowed = self.containers[container]
        try:
            context = issuing.IssuingContext(
                allowed.get(), signer.get(), NO_COOKIES, self.virtual_time.now
            )
        except UnavailableError:
            return None
        caller = issuing.Caller({"token_use": "access", "sub": "42"}, None, by_cloudfront=True)
        (access,) = issuing.sign_urls(context, caller, issuing.SigningRequest([URL]))
        link = Link(access.text, context.signer.key_id, access.expires_at_s)
        if link not in self.links:
            self.links.append(link)
        return link

    def container(self):
        """Start one more container of the endpoint."""

        def read(what):
            def now():
                if self.unreadable:
                    raise UnavailableError("it", "down")
                return what()

            return now

        def signer():
            text = self.client("secretsmanager").get_secret_value(SecretId="signing")
            try:
                return signing_secret.signer(text["SecretString"], kms=kms.signing)
            except KeyMaterialError as exc:
                raise UnavailableError("the signing key", exc.reason) from None

        def allowed():
            text = self.client("ssm").get_parameter(Name="/grants")["Parameter"]["Value"]
            return grant_document.parse(text)

        now = self.virtual_time.now
        self.containers.append((TtlCache(read(signer), now), TtlCache(read(allowed), now)))

    def fetch(self, url):
        parts = urlsplit(url)
        return self.edge.fetch("GET", parts.netloc, f"{parts.path}?{parts.query}", {}).status

    def look(self):
        """Let viewers open every link that should open; return those that do not."""
        now = self.virtual_time.now()
        self.links = [link for link in self.links if link.expires_at_s > now]
        # What comes back in the group comes back at the edges later, and goes from them before.
        self.hurt -= {key for key, at in self.since_s.items() if at + self.lag_s < now}
        return [
            link
            for link in self.links
            if link.key_id not in self.hurt | self.revoked and self.fetch(link.url) != 200
        ]

    # ── What is there ──

    def client(self, service):
        return inprocess.client(service)

    def call(self, operation, **parameters):
        """Ask CloudFront, past all faults."""
        return self.cloudfront.call(operation, parameters)

    def members(self):
        return self.call("GetKeyGroup", Id=self.group_id)["KeyGroup"]["KeyGroupConfig"]["Items"]

    def public_keys(self):
        """Return the public keys of the account, names by ids."""
        listed = self.call("ListPublicKeys")["PublicKeyList"].get("Items", [])
        return {key["Id"]: key["Name"] for key in listed}

    def watch(self):
        """Notice since when each key is in the group."""
        now, members = self.virtual_time.now(), self.members()
        self.since_s = {key: self.since_s.get(key, now) for key in members}

    def versions(self):
        """Return the versions of the secret, by their stages."""
        found = self.context.secret.versions()
        return {stage: version for version in found for stage in version.stages}

    # ── Rotation ──

    def tick(self) -> Any:
        """Take a step; None where the function dies on the way, or AWS is throttling."""
        world = inprocess._SWITCHBOARD.current()
        before, first = world.caller, len(self.faults.calls)
        world.caller = CALLER
        tick: Any = None
        try:
            tick = reconcile.tick(self.context)
        except (Crash, RetryLaterError) as end:
            step = type(end).__name__
        else:
            step = type(tick.step).__name__
        finally:
            world.caller = before
        self.steps.append(step)
        # Others in between have noted theirs.
        self.made += [(step, call) for call in self.faults.calls[first:] if call.caller == CALLER]
        self.watch()
        return tick

    def observe(self):
        """Observe as rotation does, past all faults."""
        return reconcile.observe(self.context)

    def states(self):
        """Return the states of all keys, by their names."""
        now_ms = self.context.now_ms()
        return reports.states(self.observe(), now_ms=now_ms, rules=self.context.rules)

    def settle(self, *, max_ticks, until=None, before=None):
        """
        Take steps until rotation waits, jumping to what it waits for; return how many it took.

        *until* may say that it shall go on all the same; *before* is called before each.
        """
        for ticks in range(max_ticks):
            if before:
                before()
            tick = self.tick()
            for container in range(len(self.containers)):
                self.sign(container)
            assert self.look() == [], self.steps[-20:]
            if tick and isinstance(tick.step, Wait):
                if until is None or until(tick):
                    return ticks
                if tick.step.due_at_ms is None:
                    break
                self.virtual_time.jump_to(tick.step.due_at_ms / 1000)
            else:
                self.virtual_time.advance(300)
        raise AssertionError(f"it does not settle within {max_ticks} ticks: {self.steps[-20:]}")

    def rows(self):
        return list(self.context.ledger.query(KeyRange("signing-keys", "a", "z")))


@contextmanager
def running(
    *,
    rules=RULES,
    canary=False,
    lags=None,
    quotas=None,
    seed=0,
    max_lifetime_s=HOUR_S,
    trusted=True,
):
    """Run it until there is a key group, which a distribution trusts."""
    random, lags = Random(seed), lags or Lags()
    with VirtualTime(START, ticking=False) as virtual_time, mock_aws(), aws.mended(seed=seed):
        faults = Interruptible()
        cloudfront = CloudFront(
            now=virtual_time.now, random=random, lags=lags, quotas=quotas or Quotas()
        )
        with inprocess.connected(faults=faults, cloudfront=cloudfront, virtual_time=virtual_time):
            _provide(max_lifetime_s)
            edge = Edge(cloudfront, origin=_shows, now=virtual_time.now)
            cloud = Cloud(
                _rotation_context(rules, virtual_time, seed),
                virtual_time,
                faults,
                cloudfront,
                edge,
                lags.key_group_s,
            )
            if canary:
                cloud.context = replace(cloud.context, canary_url=CANARY, fetch=cloud.fetch)
            cloud.group_id = key_group_resource.create(
                cloud.context, key_group_id="", adopt_foreign=False
            )
            if trusted:
                distribute(cloud)
            cloud.container()
            faults.restart()
            yield cloud
            faults.rules.clear()
            assert leaks(json.dumps(cloud.rows(), default=str)) == []


def _shows(_request):
    return OriginResponse(200, {"cache-control": "max-age=1000000"}, b"shown")


@cache
def _announcer():
    return Announcer(inprocess.client("events"), "default", inprocess.client("sns"), {})


def announcer():
    """Announce to the default bus, and to topics that are made here."""
    create = inprocess.client("sns").create_topic
    topics = {name: create(Name=name)["TopicArn"] for name in ("attention", "routine")}
    return replace(_announcer(), topic_arns=topics)


def _rotation_context(rules, virtual_time, seed):
    client = inprocess.client
    return RotationContext(
        ledger=Table(client("dynamodb"), "ledger"),
        cloudfront=client("cloudfront"),
        secret=Secret(client("secretsmanager"), "signing"),
        ssm=client("ssm"),
        kms=lambda: client("kms"),
        grants_parameter="/grants",
        rules=rules,
        name_prefix="stack-us-east-1-",
        stack="stack",
        canary_url=None,
        fetch=lambda _url: 0,
        generate=_keys(seed),
        now=virtual_time.now,
    )


def foreign_key(number):
    """Make a key of somebody else's."""
    return ec.derive_private_key(10**9 + number, ec.SECP256R1())


def _keys(seed):
    """Make keys, the same with the same *seed*."""
    numbers = count(1 + seed * 1_000)

    def generate(kind):
        if kind == "RSA-2048":
            return key_pairs.generate(kind)
        return ec.derive_private_key(next(numbers), ec.SECP256R1())

    return generate


def _provide(max_lifetime_s):
    client = inprocess.client
    client("dynamodb").create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )
    client("secretsmanager").create_secret(Name="signing", SecretString=signing_secret.PLACEHOLDER)
    client("ssm").put_parameter(Name="/grants", Type="String", Value=grants_of(max_lifetime_s))


def distribute(cloud, *, enabled=True, host=HOST):
    """Make a distribution that trusts the group."""
    origin = {
        "Id": "site",
        "DomainName": "site.s3.us-east-1.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    trusted = {"Enabled": True, "Quantity": 1, "Items": [cloud.group_id]}
    config = {
        "CallerReference": host,
        "Comment": "",
        "Enabled": enabled,
        "Aliases": {"Quantity": 1, "Items": [host]},
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "site",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            "TrustedKeyGroups": trusted,
        },
    }
    return cloud.call("CreateDistribution", DistributionConfig=config)["Distribution"]["Id"]
