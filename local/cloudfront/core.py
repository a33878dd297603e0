"""The account as its callers see it: one call, and the views that an edge needs."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from botocore.model import OperationNotFoundError

from local.cloudfront import (
    cache_policies,
    distributions,
    invalidations,
    key_groups,
    model,
    public_keys,
    resources,
    response_headers,
    tags,
)
from local.cloudfront.account import Account, InvalidationRecord, Lags, Quotas, Record
from local.cloudfront.errors import ServiceError

ROWS = (
    distributions.DISTRIBUTION,
    cache_policies.CACHE_POLICY,
    response_headers.RESPONSE_HEADERS_POLICY,
    public_keys.PUBLIC_KEY,
    key_groups.KEY_GROUP,
)


@dataclass(frozen=True, slots=True)
class DistributionView:
    """A distribution as the edges have it: the configuration is to be read, not changed."""

    id: str
    domain_name: str
    config: dict[str, Any]


class CloudFront:
    """
    One account's control plane.

    Statuses are computed from *now*; nothing runs in the background. A new
    distribution is at the edges at once, an updated configuration when it is
    deployed, each update in its turn. So it is with the keys of a key group,
    after a time of their own; a new group has none at the edges until then.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        random: Random,
        lags: Lags | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self._account = Account(
            now=now, random=random, lags=lags or Lags(), quotas=quotas or Quotas()
        )
        self._operations = invalidations.OPERATIONS | tags.OPERATIONS | key_groups.OPERATIONS
        for row in ROWS:
            self._operations |= resources.operations(row)
        self._lock = threading.RLock()
        cache_policies.add_managed(self._account)

    @property
    def operations(self) -> frozenset[str]:
        """Return the operations of the stand-in; it refuses the rest of CloudFront by name."""
        return frozenset(self._operations)

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """
        Do what boto3's client would do, parameters and answer as it takes and gives them.

        Raises:
            ServiceError: CloudFront's error, or `NotImplemented` for what the stand-in lacks.
        """
        act = self._operations.get(operation)
        if act is None:
            raise _unknown(operation)
        if wrong := model.complaints(parameters, operation):
            raise ServiceError("InvalidArgument", wrong)
        with self._lock:
            return act(self._account, parameters)

    def next_change_at(self) -> float | None:
        """Return when a status or an invalidation's effect changes next, if one does."""
        with self._lock:
            return self._account.next_change_at()

    def distribution_by_host(self, host: str) -> DistributionView | None:
        """
        Find who answers for *host*: a domain name, an alias, or `<its first label>.localhost`.

        An alias beats a wildcard alias, the longer wildcard the shorter.
        """
        name = host.lower().partition(":")[0]
        with self._lock:
            best: tuple[int, DistributionView] | None = None
            for record in self._account.of("Distribution").values():
                view = self._view(record)
                rank = _rank(view, name)
                if rank and (best is None or rank > best[0]):
                    best = rank, view
            return best[1] if best else None

    def invalidations_of(self, distribution_id: str, *, since: int = 0) -> list[InvalidationRecord]:
        """List what was accepted, oldest first, without the first *since*."""
        with self._lock:
            return self._account.invalidations.get(distribution_id, [])[since:]

    def cache_policy(self, policy_id: str) -> dict[str, Any] | None:
        """Return a cache policy's configuration, to be read, not changed."""
        with self._lock:
            record = self._account.of("CachePolicy").get(policy_id)
            return record.config if record else None

    def response_headers_policy(self, policy_id: str) -> dict[str, Any] | None:
        """Return a response headers policy's configuration, to be read, not changed."""
        with self._lock:
            record = self._account.of("ResponseHeadersPolicy").get(policy_id)
            return record.config if record else None

    def trusted_keys(self, key_group_id: str) -> Mapping[str, str]:
        """
        Return the public keys of a key group as the edges have them, PEM by id.

        A group that was deleted has none.
        """
        with self._lock:
            record = self._account.of("KeyGroup").get(key_group_id)
            return self._account.at_edges(record) if record else {}

    def _view(self, record: Record) -> DistributionView:
        config = self._account.at_edges(record)
        return DistributionView(record.id, record.traits["DomainName"], config)


def _rank(view: DistributionView, name: str) -> int:
    """Return how well a distribution fits a name: 0 is not at all."""
    exact = 1 + len(name)
    best = 0
    for owned in (view.domain_name, *distributions.aliases(view.config)):
        if owned.startswith("*."):
            if name.endswith(owned[1:]) and "." not in name.removesuffix(owned[1:]):
                best = max(best, len(owned))
        elif name in (owned, f"{owned.partition('.')[0]}.localhost"):
            best = exact
    return best


def _unknown(operation: str) -> ServiceError:
    try:
        model.operation(operation)
    except OperationNotFoundError:
        return ServiceError("InvalidAction", f"CloudFront has no operation {operation}.")
    return ServiceError("NotImplemented", f"The stand-in does not know {operation}.", status=501)
