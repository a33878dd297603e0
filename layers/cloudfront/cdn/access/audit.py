"""One line of JSON for each thing that was opened or refused, and one of metrics a request.

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

    from cdn.access.issuing import Opened
    from cdn.errors import CdnError, Refusal


_LONGEST_RESOURCE = 512


class Trail(NamedTuple):
    """
    Who asks, and for what: `url` or `cookies`.

    Attributes:
        namespace: Of the metrics.
    """

    subject: object
    way: str
    namespace: str

    def granted(self, opened: Sequence[Opened], *, key_id: str, now_s: float) -> Iterator[str]:
        """Tell of each resource that was opened."""
        start = f'{{"level":"INFO","message":"access granted","subject":{_json(self.subject)}'
        by, key = _text(self.way), _text(key_id)
        for one in opened:
            # By hand, since json takes as long as a tenth of a signature.
            yield (
                f'{start},"by":{by},"resource":{_text(one.resource)},"grant":{_text(one.grant)},'
                f'"key_id":{key},"expires_at":{one.expires_at_s}}}'
            )
        yield metrics(self.namespace, int(now_s * 1000), {"Granted": len(opened), "Refused": 0})

    def refused(
        self, wanted: Sequence[str], refusals: Sequence[Refusal], *, now_s: float
    ) -> Iterator[str]:
        """Tell of each resource that was refused, and why; the others were not opened either."""
        start = {"level": "INFO", "message": "access refused", "subject": self.subject}
        for one in refusals:
            # A query that was refused may hold a signature that somebody sent along.
            resource = wanted[one.index].partition("?")[0][:_LONGEST_RESOURCE]
            told = {"by": self.way, "resource": resource, "reason": one.reason}
            yield _json(start | told)
        yield metrics(self.namespace, int(now_s * 1000), {"Granted": 0, "Refused": len(refusals)})


def trouble(error: CdnError) -> str:
    """Tell of what a person must mend; an alarm counts these."""
    return _json({"level": "ERROR", "message": "nothing can be signed", "error": str(error)})


def metrics(namespace: str, at_ms: int, numbers: Mapping[str, int]) -> str:
    """
    Write *numbers* in CloudWatch's embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

    >>> metrics("autopilot", 1_790_000_000_000, {"Granted": 1})[-14:]
    '},"Granted":1}'
    """
    return _form(namespace, tuple(numbers)) % (at_ms, *numbers.values())


@cache
def _form(namespace: str, names: tuple[str, ...]) -> str:
    """Write such a line with a `%d` for the time and for each number."""
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
