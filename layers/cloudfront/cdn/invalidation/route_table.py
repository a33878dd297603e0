"""The route table: what each distribution's configuration says about paths, kept in the ledger.

All containers share it:

    routes  looked                  which configurations were in force at one moment
    routes  distribution#<id>       one configuration, by its ETag

A look costs two lists; a configuration is read only when its ETag is new. A flush looks again
only if a change was noted since the last look, so that no plan is older than its changes.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from cdn.aws import table
from cdn.cloudfront import distributions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient

    from cdn.aws.table import Ledger, Row
    from cdn.cloudfront.distributions import Survey
    from cdn.invalidation.routes import Distribution

_PK = "routes"
_LOOKED = "looked"
_OF_DISTRIBUTION = "distribution#"


def read(
    book: Ledger,
    client: CloudFrontClient,
    *,
    access_points: Mapping[str, str],
    since_ms: int,
    now: Callable[[], float],
) -> tuple[Distribution, ...]:
    """
    Tell every enabled distribution with an origin in S3, as of *since_ms* or later.

    Args:
        access_points: See `routes.bucket_of`.

    Raises:
        RetryLaterError: CloudFront must be looked at, and is busy.
    """
    rows = {row["sk"]: row for row in book.rows(_PK, first=_OF_DISTRIBUTION, last=_LOOKED)}
    looked = rows.pop(_LOOKED, None)
    if looked is None or looked["looked_ms"] <= since_ms or not rows.keys() >= _named(looked):
        started_ms = int(now() * 1000)
        survey = distributions.survey(client, access_points=access_points)
        looked = _bring_up_to_date(book, client, rows, survey, at_ms=started_ms)
    with_queries = frozenset(looked["with_queries"])
    return tuple(
        distributions.of_config(
            sk.removeprefix(_OF_DISTRIBUTION), _unpacked(rows[sk]), with_queries=with_queries
        )
        for sk in sorted(_named(looked))
    )


def _named(looked: Row) -> set[str]:
    return {_OF_DISTRIBUTION + distribution_id for distribution_id in looked["etags"]}


def _bring_up_to_date(
    book: Ledger, client: CloudFrontClient, rows: dict[str, Row], survey: Survey, *, at_ms: int
) -> Row:
    """Make *rows* and the ledger agree with *survey*."""
    etags: dict[str, str] = {}
    for distribution_id, etag in sorted(survey.etags.items()):
        sk = _OF_DISTRIBUTION + distribution_id
        if not etag or rows.get(sk, {}).get("etag") != etag:
            found = distributions.config(client, distribution_id)
            if found is None:
                continue
            rows[sk] = _row(sk, *found)
            book.put(rows[sk])
        etags[distribution_id] = rows[sk]["etag"]
    looked = {"looked_ms": at_ms, "etags": etags, "with_queries": sorted(survey.with_queries)}
    book.delete(_PK, sorted(rows.keys() - _named(looked)))
    # Whoever looked later knows better.
    book.change(_PK, _LOOKED, put=looked, when=table.passed("looked_ms", at_ms))
    return looked


def _row(sk: str, etag: str, config: Mapping[str, Any]) -> Row:
    return {
        "pk": _PK,
        "sk": sk,
        "etag": etag,
        "config": zlib.compress(json.dumps(config).encode()),
    }


def _unpacked(row: Row) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(zlib.decompress(row["config"]))
    return config
