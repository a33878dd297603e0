"""Show for an object of a bucket which paths viewers have for it, and why.

Asks the account of a deployed stack. Without one it shows an account made up for the purpose, with
a distribution of each kind.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from cdn.cloudfront import behaviors, distributions, paths
from cdn.errors import CdnError
from cdn.invalidation import routes
from commands import account
from local import aws
from local.cloudfront import CloudFront, doors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient


@dataclass(frozen=True, slots=True)
class Told:
    """One path, or why there is none: then *path* is empty."""

    distribution: str
    origin: str
    path: str
    why: str


def explain(
    client: CloudFrontClient,
    bucket: str,
    key: str,
    *,
    both_forms: bool,
    access_points: Mapping[str, str],
) -> list[Told]:
    """
    Tell every path that an invalidation of *key* would name, distribution by distribution.

    Raises:
        RetryLaterError: CloudFront is busy.
    """
    survey = distributions.survey(client, access_points=access_points)
    read = {one: distributions.config(client, one) for one in sorted(survey.etags)}
    known = tuple(
        behaviors.of_config(one, found[1], with_queries=survey.with_queries)
        for one, found in read.items()
        if found
    )
    into = routes.into(bucket, known, both_forms=both_forms, access_points=access_points)
    return [
        *(told for route in into for told in _of_route(route, key)),
        *(Told("", "", "", sentence) for sentence in routes.undeclared(known, access_points)),
    ]


def _of_route(route: routes.Route, key: str) -> Iterator[Told]:
    where = (route.distribution.id, route.origin.domain_name + route.origin.path)
    if unreached := route.why_not(key):
        yield Told(*where, "", unreached)
        return
    for item in route.explain(key):
        cannot = paths.why_not(item.path)
        yield Told(*where, "" if cannot else item.path, cannot or item.why)


def main() -> int:
    """Ask the deployed stack that is named, or the example."""
    told = _arguments()
    console = Console(stderr=told.json, soft_wrap=True)
    try:
        with console.status("Asking CloudFront …"):
            if told.stack:
                stack = account.deployed(told.stack)
                client, parameters = stack.client("cloudfront"), stack.parameters
            else:
                client, parameters = _example()
        bucket = told.bucket or parameters["UploadBuckets"].partition(",")[0]
        found = explain(
            client,
            bucket,
            told.key,
            both_forms=parameters.get("UrlForms", "both") == "both",
            access_points=dict(
                pair.split("=", 1) for pair in parameters.get("AccessPoints", "").split(",") if pair
            ),
        )
    except (BotoCoreError, ClientError, CdnError) as exc:
        console.print(f"routes: {exc}", markup=False)
        console.print(account.HELP)
        return 2
    if told.json:
        json.dump({"routes": [asdict(one) for one in found]}, sys.stdout)
        return 0
    _show(console, told, bucket, found)
    return 0


def _show(console: Console, told: argparse.Namespace, bucket: str, found: list[Told]) -> None:
    if not told.stack:
        console.print("An example account; STACK=name asks your own.")
    console.print(f"What shows s3://{bucket}/{told.key} to viewers:", markup=False)
    width = max((len(one.path) for one in found), default=0)
    for (distribution, origin), group in groupby(found, lambda one: (one.distribution, one.origin)):
        console.print()
        if distribution:
            console.print(f"{distribution}, from {origin}", markup=False, highlight=False)
        for one in group:
            console.print(f"  {one.path or '(none)':{width}}  {one.why}", markup=False)
    if not found:
        console.print("No enabled distribution has this bucket as an origin.")


def _example() -> tuple[CloudFrontClient, dict[str, str]]:
    session = aws.session(access_key=aws.OUTSIDE)
    core = CloudFront(now=time.time, random=Random(0))  # noqa: S311  # the same ids each time
    doors.attach(session.events, core)
    by_query = "4cc15a8a-d715-48a4-82b8-cc0b614638fe"
    plain = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    for number, (host, path, policy) in enumerate(
        [
            ("site.s3.eu-west-1.amazonaws.com", "", plain),
            ("site.s3-website-eu-west-1.amazonaws.com", "", plain),
            ("site.s3.eu-west-1.amazonaws.com", "/docs", by_query),
            ("photos-x1y2-s3alias.s3.eu-west-1.amazonaws.com", "", plain),
        ]
    ):
        core.call("CreateDistribution", {"DistributionConfig": _config(number, host, path, policy)})
    return session.client("cloudfront"), {"UploadBuckets": "site"}


def _config(number: int, host: str, path: str, policy: str) -> dict[str, Any]:
    origin: dict[str, Any] = {"Id": "site", "DomainName": host, "OriginPath": path}
    origin |= {"S3OriginConfig": {"OriginAccessIdentity": ""}} if ".s3." in host else {}
    return {
        "CallerReference": str(number),
        "Comment": "",
        "Enabled": True,
        "DefaultRootObject": "index.html",
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "site",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": policy,
        },
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make routes", description=__doc__)
    parser.add_argument("--stack", help="the deployed stack's name")
    parser.add_argument("--bucket", help="if not the stack's first")
    parser.add_argument("--key", required=True, help="the object")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
