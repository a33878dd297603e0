"""Which paths viewers have for an object of a bucket, and why.

Asks the account of a deployed stack, or shows an example with a distribution of each kind.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cdn.cloudfront import behaviors, distributions, paths
from cdn.cloudfront.behaviors import Distribution
from cdn.invalidation import routes
from commands.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_cloudfront import CloudFrontClient

    from commands.account import Stack
    from commands.output import Output


@dataclass(frozen=True, slots=True)
class ShownPath:
    """One path, or why there is none: then *path* is empty."""

    distribution: str
    origin: str
    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Site:
    """
    What decides about paths.

    Attributes:
        buckets: Those that the stack looks after.
        access_points: Buckets by the access points that lead to them.
        both_forms: Whether a key that scripts write differently has two paths.
    """

    buckets: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    access_points: Mapping[str, str]
    both_forms: bool = True


def explain(site: Site, bucket: str, key: str) -> list[ShownPath]:
    """Return every path that an invalidation of *key* would name, distribution by distribution."""
    into = routes.into(
        bucket,
        site.distributions,
        both_forms=site.both_forms,
        access_points=site.access_points,
    )
    return [
        *(path for route in into for path in _of_route(route, key)),
        *(
            ShownPath("", "", "", sentence)
            for sentence in routes.undeclared(site.distributions, site.access_points)
        ),
    ]


def _of_route(route: routes.Route, key: str) -> Iterator[ShownPath]:
    where = (route.distribution.id, route.origin.domain_name + route.origin.path)
    if unreached := route.why_not(key):
        yield ShownPath(*where, "", unreached)
        return
    for item in route.explain(key):
        cannot = paths.why_not(item.path)
        yield ShownPath(*where, "" if cannot else item.path, cannot or item.why)


def read_site(stack: Stack, output: Output) -> Site:
    """
    Read what decides about the paths of *stack*.

    Raises:
        RefusedError: It is no stack of CloudFront Autopilot.
        RetryLaterError: CloudFront throttles.
    """
    if "UploadBuckets" not in stack.parameters:
        raise RefusedError(
            f"stack {stack.name} is not CloudFront Autopilot: it has no parameter UploadBuckets"
        )
    pairs = stack.parameters.get("AccessPoints", "").split(",")
    access_points = {
        name: bucket for name, equals, bucket in (pair.partition("=") for pair in pairs) if equals
    }
    with output.status("Asking CloudFront"):
        read = read_distributions(stack.client("cloudfront"), access_points)
    return Site(
        buckets=tuple(stack.parameters["UploadBuckets"].split(",")),
        distributions=read,
        access_points=access_points,
        both_forms=stack.parameters.get("UrlForms", "both") == "both",
    )


def read_distributions(
    client: CloudFrontClient, access_points: Mapping[str, str]
) -> tuple[Distribution, ...]:
    """
    Read the distributions that have an origin in S3.

    Raises:
        RetryLaterError: CloudFront throttles.
    """
    survey = distributions.survey(client, access_points=access_points)
    configs = {id_: distributions.config(client, id_) for id_ in sorted(survey.etags)}
    return tuple(
        behaviors.of_config(id_, config[1], with_queries=survey.with_queries)
        for id_, config in configs.items()
        if config
    )


def show(shown: Sequence[ShownPath], bucket: str, key: str, output: Output) -> None:
    """Print *shown*, distribution by distribution."""
    if output.as_json:
        output.json({"routes": [asdict(path) for path in shown]})
        return
    output.line(f"What shows s3://{bucket}/{key} to viewers:")
    width = max((len(path.path) for path in shown), default=0)
    for (distribution, origin), group in groupby(shown, lambda p: (p.distribution, p.origin)):
        output.line()
        if distribution:
            output.line(f"{distribution}, from {origin}")
        for path in group:
            output.line(f"  {path.path or '(none)':{width}}  {path.why}")
    if not shown:
        output.line("No enabled distribution has this bucket as an origin.")


_WITH_QUERIES = "4cc15a8a-d715-48a4-82b8-cc0b614638fe"
_PLAIN = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def example() -> Site:
    """Return a site with a distribution of each kind, made up for the purpose."""
    known = (
        ("E7467TOZJ346V8", "site.s3.eu-west-1.amazonaws.com", "", _PLAIN),
        ("EAWVUON9BA8GEH", "site.s3-website-eu-west-1.amazonaws.com", "", _PLAIN),
        ("EDFDVBD6EXAMPLE", "site.s3.eu-west-1.amazonaws.com", "/docs", _WITH_QUERIES),
        ("EXAMPLEPHOTOS1", "photos-x1y2-s3alias.s3.eu-west-1.amazonaws.com", "", _PLAIN),
    )
    return Site(
        buckets=("site",),
        distributions=tuple(
            behaviors.of_config(
                id_, _config(host, path, policy), with_queries=frozenset({_WITH_QUERIES})
            )
            for id_, host, path, policy in known
        ),
        access_points={},
    )


def _config(host: str, path: str, policy: str) -> dict[str, Any]:
    return {
        "DefaultRootObject": "index.html",
        "Origins": {
            "Quantity": 1,
            "Items": [{"Id": "site", "DomainName": host, "OriginPath": path}],
        },
        "DefaultCacheBehavior": {"TargetOriginId": "site", "CachePolicyId": policy},
    }
