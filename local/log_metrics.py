"""What CloudWatch Logs makes metrics of: lines in the embedded metric format, metric filters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.cloudformation import TemplateError
from local.metrics import Metric

# `{ $.a.b = "c" && ($.d = 5) }`: all that is emulated of the language of filter patterns.
_PATTERN = re.compile(r"\{(?P<terms>.*)\}", re.DOTALL)
_TERM = re.compile(
    r"\s*\(?\s*\$\.(?P<path>[\w.]+)\s*=\s*(?:\"(?P<text>[^\"*]*)\"|(?P<number>-?\d+))\s*\)?\s*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """A value of a metric, and when it was measured; None for when its line was written."""

    metric: Metric
    value: float
    at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFilter:
    """A filter on a log group: each line that has all of *terms*, by their paths, is a datum."""

    log_group: str
    terms: tuple[tuple[tuple[str, ...], str | int], ...]
    metric: Metric
    value: float

    @classmethod
    def read(cls, logical_id: str, properties: Mapping[str, Any]) -> MetricFilter:
        """
        Read a resource's properties.

        Raises:
            TemplateError: It has something that is not emulated.
        """
        transformation: Mapping[str, Any]
        (transformation,) = properties["MetricTransformations"]
        if (
            properties.keys() - {"LogGroupName", "FilterPattern", "MetricTransformations"}
            or transformation.keys() != {"MetricNamespace", "MetricName", "MetricValue"}
            or not transformation["MetricValue"].isdecimal()
        ):
            raise TemplateError(
                f"{logical_id}: only filters that count what they find are emulated"
            )
        return cls(
            log_group=properties["LogGroupName"],
            terms=tuple(_terms(logical_id, properties["FilterPattern"])),
            metric=Metric(transformation["MetricNamespace"], transformation["MetricName"]),
            value=float(transformation["MetricValue"]),
        )

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Return whether a line that is *document* as JSON is one of those."""
        return all(_at(document, path) == value for path, value in self.terms)


def _terms(logical_id: str, pattern: str) -> Iterator[tuple[tuple[str, ...], str | int]]:
    whole = _PATTERN.fullmatch(pattern.strip())
    for part in whole["terms"].split("&&") if whole else [""]:
        term = _TERM.fullmatch(part)
        if term is None:
            raise TemplateError(f"{logical_id}: a filter pattern like {pattern} is not emulated")
        value = int(term["number"]) if term["text"] is None else term["text"]
        yield tuple(term["path"].split(".")), value


def _at(document: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def document_of(line: str) -> Mapping[str, Any] | None:
    """Return what a line of a log is as JSON, if it is an object."""
    # Most lines of a traceback end here.
    if not line.startswith("{"):
        return None
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, Mapping) else None


def embedded(document: Mapping[str, Any]) -> Iterator[Datum]:
    """
    Yield the data of a line in the embedded metric format; of any other line none.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    about = document.get("_aws")
    if not isinstance(about, Mapping):
        return
    for directive in about["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = frozenset((name, str(document[name])) for name in names)
            for metric in directive["Metrics"]:
                value = document[metric["Name"]]
                for each in value if isinstance(value, list) else [value]:
                    yield Datum(
                        metric=Metric(directive["Namespace"], metric["Name"], dimensions),
                        value=float(each),
                        at_s=about["Timestamp"] / 1000,
                    )
