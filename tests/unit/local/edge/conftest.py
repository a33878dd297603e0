"""An edge before a real control plane; its origin is a dictionary, and its time is set."""

from random import Random

import pytest

from local.cloudfront import CloudFront, Lags
from local.edge import Edge, OriginResponse

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


class TimeSource:
    def __init__(self):
        self.seconds = 1_700_000_000.0

    def __call__(self):
        return self.seconds


class Bucket:
    """
    What the origin holds, by key, and what it was asked for.
    """

    def __init__(self):
        self.objects = {}
        self.asked = []

    def __call__(self, asked):
        self.asked.append(asked)
        found = self.objects.get(asked.key)
        if found is None:
            return OriginResponse(404, {"content-type": "application/xml"}, b"<Error/>")
        headers, body = found
        return OriginResponse(200, headers, body)

    def put(self, key, body, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.objects[key] = (named, body)


class World:
    """
    One distribution, and what a viewer and its owner do with it.
    """

    def __init__(self):
        self.virtual_time = TimeSource()
        lags = Lags(deployment_s=180, invalidation_effect_s=5, invalidation_completed_s=20)
        self.core = CloudFront(now=self.virtual_time, random=Random(1), lags=lags)
        self.bucket = Bucket()
        self.edge = Edge(self.core, origin=self.bucket, now=self.virtual_time)
        self.host = ""
        self.id = ""
        self.group = ""
        self.keys = []

    def distribute(self, *, behavior=None, origin=None, **changes):
        """
        Create a distribution; *behavior* and *origin* change its default ones.
        """
        bucket = {
            "Id": "bucket",
            "DomainName": "site.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        default = {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": OPTIMIZED,
        }
        config = {
            "CallerReference": str(self.virtual_time.seconds),
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [bucket | (origin or {})]},
            "DefaultCacheBehavior": default if behavior is None else behavior,
        }
        answer = self.core.call("CreateDistribution", {"DistributionConfig": config | changes})
        self.host = answer["Distribution"]["DomainName"]
        self.id = answer["Distribution"]["Id"]

    def policy(self, **in_key):
        """
        Make a cache policy and a behavior that has it.
        """
        parameters = {
            "EnableAcceptEncodingGzip": False,
            "HeadersConfig": {"HeaderBehavior": "none"},
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        }
        config = {
            "Name": "ours",
            "MinTTL": 0,
            "ParametersInCacheKeyAndForwardedToOrigin": parameters | in_key,
        }
        made = self.core.call("CreateCachePolicy", {"CachePolicyConfig": config})
        return {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": made["CachePolicy"]["Id"],
        }

    def trust(self, *pems, **behavior):
        """
        Make a key group of *pems*, and a behavior that trusts it; *behavior* changes the latter.
        """
        self.keys = []
        for number, pem in enumerate(pems):
            config = {"CallerReference": "r", "Name": str(number), "EncodedKey": pem}
            made = self.core.call("CreatePublicKey", {"PublicKeyConfig": config})
            self.keys.append(made["PublicKey"]["Id"])
        config = {"Name": "readers", "Items": self.keys}
        made = self.core.call("CreateKeyGroup", {"KeyGroupConfig": config})
        self.group = made["KeyGroup"]["Id"]
        return {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": OPTIMIZED,
            "TrustedKeyGroups": {"Enabled": True, "Quantity": 1, "Items": [self.group]},
        } | behavior

    def regroup(self, *keys):
        """
        Let the group hold *keys* and no others.
        """
        got = self.core.call("GetKeyGroupConfig", {"Id": self.group})
        config = got["KeyGroupConfig"] | {"Items": list(keys)}
        sent = {"Id": self.group, "IfMatch": got["ETag"], "KeyGroupConfig": config}
        self.core.call("UpdateKeyGroup", sent)

    def get(self, target, method="GET", *, scheme="https", address="192.0.2.1", **headers):
        return self.edge.fetch(method, self.host, target, headers, scheme=scheme, address=address)

    def seen(self, *targets):
        """
        Fetch, and say of each whether it came from the cache.
        """
        return [self.get(target).headers["x-cache"].partition(" ")[0] for target in targets]

    def invalidate(self, *items):
        paths = {"Quantity": len(items), "Items": list(items)}
        batch = {"CallerReference": str(self.virtual_time.seconds), "Paths": paths}
        sent = {"DistributionId": self.id, "InvalidationBatch": batch}
        self.core.call("CreateInvalidation", sent)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def site(world):
    """
    A world with a plain distribution, and a page in its bucket.
    """
    world.bucket.put("a.html", b"old", content_type="text/html")
    world.distribute()
    return world
