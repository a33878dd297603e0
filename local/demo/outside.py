"""The outside world: what a team has before this suite comes, and how it sees what happens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from local.world import World

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"

ITEM_PRICE_USD = 0.005
"""After the first 1,000 items a month: aws.amazon.com/cloudfront/pricing."""


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What CloudFront's own list says of one invalidation."""

    id: str
    status: str
    created_at: float
    items: tuple[str, ...]

    def covers(self, path: str) -> bool:
        """
        Return whether an item names *path*, or a wildcard starts it, however either is encoded.

        >>> Invalidation("I1", "Completed", 0, ("/css/*", "/a")).covers("/css/site.css")
        True
        """
        named = unquote(path)
        return any(
            named.startswith(unquote(item[:-1])) if item.endswith("*") else named == unquote(item)
            for item in self.items
        )


def covered(sent: Iterable[Invalidation], path: str) -> bool:
    """Return whether any invalidation of *sent* takes *path*."""
    return any(invalidation.covers(path) for invalidation in sent)


def item_count(sent: Iterable[Invalidation]) -> int:
    """Return how many items *sent* is billed as."""
    return sum(len(invalidation.items) for invalidation in sent)


@dataclass(frozen=True, slots=True)
class Cloud:
    """A bucket behind a distribution, and a queue that gets the suite's events."""

    world: World
    bucket: str
    distribution_id: str
    domain_name: str
    announcements_url: str
    received: list[dict[str, Any]] = field(default_factory=list)

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """Upload one object."""
        self.world.client("s3").put_object(
            Bucket=self.bucket, Key=key, Body=body, ContentType=content_type
        )

    def delete(self, key: str) -> None:
        """Delete one object."""
        self.world.client("s3").delete_object(Bucket=self.bucket, Key=key)

    def invalidations(self) -> list[Invalidation]:
        """Ask CloudFront for all invalidations of the distribution, oldest first."""
        cloudfront = self.world.client("cloudfront")
        pages = cloudfront.get_paginator("list_invalidations").paginate(
            DistributionId=self.distribution_id
        )
        summaries = [
            summary for page in pages for summary in page["InvalidationList"].get("Items", ())
        ]
        return [self._invalidation(summary["Id"]) for summary in reversed(summaries)]

    def _invalidation(self, invalidation_id: str) -> Invalidation:
        invalidation = self.world.client("cloudfront").get_invalidation(
            DistributionId=self.distribution_id, Id=invalidation_id
        )["Invalidation"]
        items = tuple(invalidation["InvalidationBatch"]["Paths"]["Items"])
        created_at = invalidation["CreateTime"].timestamp()
        return Invalidation(invalidation["Id"], invalidation["Status"], created_at, items)

    def announcements(self) -> list[dict[str, Any]]:
        """Return every event of the suite that the event bus has delivered so far."""
        sqs = self.world.client("sqs")
        while messages := sqs.receive_message(
            QueueUrl=self.announcements_url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                self.received.append(json.loads(message["Body"]))
                sqs.delete_message(
                    QueueUrl=self.announcements_url, ReceiptHandle=message["ReceiptHandle"]
                )
        return self.received

    def announced(self, invalidations: list[Invalidation]) -> bool:
        """Return whether the end of each of *invalidations* has been announced."""
        ids = {event["detail"]["watch_id"].rpartition("/")[2] for event in self.announcements()}
        return {invalidation.id for invalidation in invalidations} <= ids


def distribute(
    world: World, *, bucket: str, origin_path: str = "", cache_policy_id: str = CACHING_OPTIMIZED
) -> dict[str, Any]:
    """Create a distribution in front of *bucket*; return what CloudFront made."""
    origin = {
        "Id": "site",
        "DomainName": f"{bucket}.s3.us-east-1.amazonaws.com",
        "OriginPath": origin_path,
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    made: dict[str, Any] = world.client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": f"{bucket}{origin_path} {cache_policy_id}",
            "Comment": "",
            "Enabled": True,
            "DefaultRootObject": "index.html",
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "site",
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": cache_policy_id,
            },
        }
    )["Distribution"]
    return made


def guard(world: World, *, bucket: str, host: str, key_group_id: str) -> dict[str, Any]:
    """Put a distribution for *host* in front of *bucket*, which opens only what is signed."""
    cloudfront = world.client("cloudfront")
    made = distribute(world, bucket=bucket)
    response = cloudfront.get_distribution_config(Id=made["Id"])
    config = response["DistributionConfig"]
    config["Aliases"] = {"Quantity": 1, "Items": [host]}
    config["DefaultCacheBehavior"]["TrustedKeyGroups"] = {
        "Enabled": True,
        "Quantity": 1,
        "Items": [key_group_id],
    }
    guarded: dict[str, Any] = cloudfront.update_distribution(
        Id=made["Id"], IfMatch=response["ETag"], DistributionConfig=config
    )["Distribution"]
    return guarded


def cache_policy_by_query(world: World) -> str:
    """Create a cache policy that has all query strings in the cache key; return its id."""
    made: dict[str, Any] = world.client("cloudfront").create_cache_policy(
        CachePolicyConfig={
            "Name": "by-query-string",
            "MinTTL": 1,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": False,
                "HeadersConfig": {"HeaderBehavior": "none"},
                "CookiesConfig": {"CookieBehavior": "none"},
                "QueryStringsConfig": {"QueryStringBehavior": "all"},
            },
        }
    )["CachePolicy"]
    return str(made["Id"])


def build(world: World, *, bucket: str) -> Cloud:
    """Create a bucket that notifies EventBridge, its distribution, and a queue for events."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    made = distribute(world, bucket=bucket)
    sqs, events = world.client("sqs"), world.client("events")
    announcements_url = sqs.create_queue(QueueName="announcements")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=announcements_url, AttributeNames=["QueueArn"])
    events.put_rule(
        Name="announcements", EventPattern=json.dumps({"source": ["cloudfront.autopilot"]})
    )
    events.put_targets(
        Rule="announcements",
        Targets=[{"Id": "announcements", "Arn": attributes["Attributes"]["QueueArn"]}],
    )
    return Cloud(world, bucket, made["Id"], made["DomainName"], announcements_url)
