"""Which keys decide about a URL: its distribution, its behavior, and the keys trusted there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdn.cloudfront import behaviors, public_keys
from cdn.errors import NotServedError
from cdn.signing import urls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient


@dataclass(frozen=True, slots=True)
class AccessRules:
    """
    Which keys a URL needs a signature of.

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


def read(client: CloudFrontClient, url: str) -> AccessRules:
    """
    Return the distribution, the behavior and the trusted keys that decide about *url*.

    Raises:
        NotServedError: No distribution of this account answers for the URL's host.
    """
    parts = urls.split(url)
    distribution_id = _distribution_id(client, parts["host"])
    response = client.get_distribution_config(Id=distribution_id)
    behavior = next(
        candidate
        for candidate in behaviors.in_order(response["DistributionConfig"])
        if behaviors.matches(candidate["PathPattern"], parts["path"] or "/")
    )
    groups = tuple(behavior.get("TrustedKeyGroups", {}).get("Items", ()))
    members = [
        key_id
        for group in groups
        for key_id in client.get_key_group(Id=group)["KeyGroup"]["KeyGroupConfig"]["Items"]
    ]
    return AccessRules(
        distribution_id=distribution_id,
        pattern=behavior["PathPattern"],
        key_group_ids=groups,
        key_ids=tuple(dict.fromkeys(members)),
        public={key.id: key.pem for key in public_keys.list_all(client)},
    )


def _distribution_id(client: CloudFrontClient, host: str) -> str:
    name = host.lower().partition(":")[0]
    best: tuple[int, str] | None = None
    for page in client.get_paginator("list_distributions").paginate():
        for summary in page["DistributionList"].get("Items", ()):
            # An alias to the letter beats a wildcard, the longer wildcard the shorter.
            rank = max(
                (_match_rank(host_name, name) for host_name in _host_names(summary)), default=0
            )
            if rank and (best is None or rank > best[0]):
                best = rank, summary["Id"]
    if best is None:
        raise NotServedError(host)
    return best[1]


def _host_names(summary: Any) -> Iterator[str]:  # noqa: ANN401  # a DistributionSummary
    yield summary["DomainName"].lower()
    yield from (alias.lower() for alias in summary["Aliases"].get("Items", ()))


def _match_rank(host_name: str, name: str) -> int:
    if host_name == name:
        return len(name) + 1
    matched = host_name.startswith("*.") and name.partition(".")[2] == host_name[2:]
    return len(host_name) if matched else 0
