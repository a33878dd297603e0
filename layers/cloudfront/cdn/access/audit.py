"""One line of JSON for each access that was granted or denied, and one of metrics a request.

Written by hand, not by Powertools' Logger and Metrics, which cost more than a signature. No line
has a signature, a policy or a token in it.
"""

from __future__ import annotations

import json
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cdn.access.grants import AccessMethod
    from cdn.access.issuing import SignedAccess
    from cdn.errors import CdnError, Refusal


_MAX_URL_CHARS = 512


class AuditTrail(NamedTuple):
    """
    The lines about one request.

    Attributes:
        subject: Who asks: the token's `sub`.
        namespace: Of the metrics.
    """

    subject: object
    method: AccessMethod
    namespace: str

    def granted(
        self, accesses: Sequence[SignedAccess], *, key_id: str, now_s: float
    ) -> Iterator[str]:
        """Write a line for each access that was granted."""
        start = f'{{"level":"INFO","message":"access granted","subject":{_json(self.subject)}'
        method, key = _text(self.method), _text(key_id)
        for access in accesses:
            # By hand, since json takes as long as a tenth of a signature.
            yield (
                f'{start},"method":{method},"url":{_text(access.url_pattern)},'
                f'"grant":{_text(access.grant)},"key_id":{key},"expires_at":{access.expires_at_s}}}'
            )
        yield metrics(self.namespace, int(now_s * 1000), {"Granted": len(accesses), "Refused": 0})

    def denied(
        self, url_patterns: Sequence[str], refusals: Sequence[Refusal], *, now_s: float
    ) -> Iterator[str]:
        """Write a line for each access that was denied; nothing else was granted with it."""
        start = {"level": "INFO", "message": "access denied", "subject": self.subject}
        for refusal in refusals:
            # A query that was refused may hold a signature that somebody sent along.
            url = url_patterns[refusal.index].partition("?")[0][:_MAX_URL_CHARS]
            yield _json(start | {"method": self.method, "url": url, "reason": refusal.reason})
        yield metrics(self.namespace, int(now_s * 1000), {"Granted": 0, "Refused": len(refusals)})


def unavailable(error: CdnError) -> str:
    """Write a line about what a person must mend; an alarm counts these."""
    return _json({"level": "ERROR", "message": "nothing can be signed", "error": str(error)})


def metrics(namespace: str, at_ms: int, values: Mapping[str, int]) -> str:
    """
    Write *values* in CloudWatch's embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

    >>> metrics("autopilot", 1_790_000_000_000, {"Granted": 1})[-14:]
    '},"Granted":1}'
    """
    return _line_format(namespace, tuple(values)) % (at_ms, *values.values())


@cache
def _line_format(namespace: str, names: tuple[str, ...]) -> str:
    """Return such a line with a `%d` for the time and for each value."""
    described = {
        "Namespace": namespace,
        "Dimensions": [[]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in names],
    }
    about = _json(described).replace("%", "%%")
    values = ",".join(_text(name).replace("%", "%%") + ":%d" for name in names)
    return f'{{"_aws":{{"Timestamp":%d,"CloudWatchMetrics":[{about}]}},{values}}}'


# Whatever a caller has sent, it is one line of ASCII here.
_json = json.JSONEncoder(separators=(",", ":")).encode
_text = encode_basestring_ascii
