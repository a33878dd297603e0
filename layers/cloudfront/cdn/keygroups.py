"""Which keys CloudFront knows, and which of them count for a URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdn import distributions, routes, urls
from cdn.errors import NotServedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient


@dataclass(frozen=True, slots=True)
class Guard:
    """
    What guards a URL.

    Attributes:
        pattern: Of the behavior that decides.
        key_group_ids: Those that the behavior trusts; where there are none, everybody gets in.
        key_ids: Of the public keys in these groups.
        public: All public keys of the account, PEM by id.
    """

    distribution_id: str
    pattern: str
    key_group_ids: tuple[str, ...]
    key_ids: tuple[str, ...]
    public: Mapping[str, str]


def guard_of(client: CloudFrontClient, url: str) -> Guard:
    """
    Find the distribution, the behavior and the keys that decide about *url*.

    Raises:
        NotServedError: No distribution of this account answers for the URL's host.
    """
    parts = urls.split(url)
    distribution_id = _by_host(client, parts["host"])
    answer = client.get_distribution_config(Id=distribution_id)
    behavior = next(
        one
        for one in distributions.behaviors(answer["DistributionConfig"])
        if routes.matches(one["PathPattern"], parts["path"] or "/")
    )
    groups = tuple(behavior.get("TrustedKeyGroups", {}).get("Items", ()))
    members = [
        key_id
        for group in groups
        for key_id in client.get_key_group(Id=group)["KeyGroup"]["KeyGroupConfig"]["Items"]
    ]
    return Guard(
        distribution_id=distribution_id,
        pattern=behavior["PathPattern"],
        key_group_ids=groups,
        key_ids=tuple(dict.fromkeys(members)),
        public=dict(_public_keys(client)),
    )


def _by_host(client: CloudFrontClient, host: str) -> str:
    name = host.lower().partition(":")[0]
    best: tuple[int, str] | None = None
    for page in client.get_paginator("list_distributions").paginate():
        for summary in page["DistributionList"].get("Items", ()):
            # An alias to the letter beats a wildcard, the longer wildcard the shorter.
            rank = max((_fit(owned, name) for owned in _names(summary)), default=0)
            if rank and (best is None or rank > best[0]):
                best = rank, summary["Id"]
    if best is None:
        raise NotServedError(host)
    return best[1]


def _names(summary: Any) -> Iterator[str]:  # noqa: ANN401  # a DistributionSummary
    yield summary["DomainName"].lower()
    yield from (alias.lower() for alias in summary["Aliases"].get("Items", ()))


def _fit(owned: str, name: str) -> int:
    if owned == name:
        return len(name) + 1
    wild = owned.startswith("*.") and name.partition(".")[2] == owned[2:]
    return len(owned) if wild else 0


def _public_keys(client: CloudFrontClient) -> Iterator[tuple[str, str]]:
    for page in client.get_paginator("list_public_keys").paginate():
        for summary in page["PublicKeyList"].get("Items", ()):
            yield summary["Id"], summary["EncodedKey"]
