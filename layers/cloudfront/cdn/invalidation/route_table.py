"""The route table: what each distribution's configuration says about paths, kept in the ledger.

All containers share it. Reading it anew costs two lists; a configuration is read only when its
ETag is new. A flush lists again only if a change was collected since the last list, so that no
plan is older than its changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdn.aws import rows, table
from cdn.cloudfront import behaviors, distributions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient

    from cdn.aws.rows import DistributionConfigRow, DistributionListRow
    from cdn.aws.table import Table
    from cdn.cloudfront.behaviors import Distribution
    from cdn.cloudfront.distributions import Survey


def read(
    ledger: Table,
    client: CloudFrontClient,
    *,
    access_points: Mapping[str, str],
    since_ms: int,
    now: Callable[[], float],
) -> tuple[Distribution, ...]:
    """
    Return every enabled distribution with an origin in S3, as of *since_ms* or later.

    Args:
        access_points: See `origins.bucket_of`.

    Raises:
        RetryLaterError: CloudFront must be asked, and is throttling.
    """
    # The list is written last and so read first: no configuration here is older than it says.
    listed = ledger.get(rows.distribution_list())
    configs = {rows.distribution_of(row): row for row in ledger.query(rows.distribution_configs())}
    if (
        listed is None
        or listed["listed_at_ms"] <= since_ms
        or not configs.keys() >= listed["etags"].keys()
    ):
        started_at_ms = int(now() * 1000)
        survey = distributions.survey(client, access_points=access_points)
        listed = _refresh(ledger, client, configs, survey, at_ms=started_at_ms)
    with_queries = frozenset(listed["policies_with_queries"])
    return tuple(
        behaviors.of_config(
            distribution_id, _config(configs[distribution_id]), with_queries=with_queries
        )
        for distribution_id in sorted(listed["etags"])
    )


def _refresh(
    ledger: Table,
    client: CloudFrontClient,
    configs: dict[str, DistributionConfigRow],
    survey: Survey,
    *,
    at_ms: int,
) -> DistributionListRow:
    """Make *configs* and the ledger agree with *survey*."""
    etags: dict[str, str] = {}
    for distribution_id, etag in sorted(survey.etags.items()):
        if not etag or configs.get(distribution_id, {}).get("etag") != etag:
            response = distributions.config(client, distribution_id)
            if response is None:
                continue
            configs[distribution_id] = {"etag": response[0], "config": rows.pack(response[1])}
            ledger.replace(rows.distribution_config(distribution_id), configs[distribution_id])
        etags[distribution_id] = configs[distribution_id]["etag"]
    listed: DistributionListRow = {
        "listed_at_ms": at_ms,
        "etags": etags,
        "policies_with_queries": sorted(survey.with_queries),
    }
    ledger.delete(map(rows.distribution_config, sorted(configs.keys() - etags.keys())))
    # Whoever listed later knows better.
    ledger.create_or_update(
        rows.distribution_list(), put=listed, condition=table.passed("listed_at_ms", at_ms)
    )
    return listed


def _config(row: DistributionConfigRow) -> dict[str, Any]:
    config: dict[str, Any] = rows.unpack(row["config"])
    return config
