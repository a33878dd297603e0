"""Lines of logs become metrics as CloudWatch Logs makes them."""

import json

import pytest

from local.cloudformation import TemplateError
from local.log_metrics import Datum, MetricFilter, document_of, embedded
from local.metrics import Metric

COUNTED = {"MetricNamespace": "autopilot", "MetricName": "Found", "MetricValue": "1"}


def read(pattern, **transformation):
    return MetricFilter.read(
        "Filter",
        {
            "LogGroupName": "group",
            "FilterPattern": pattern,
            "MetricTransformations": [COUNTED | transformation],
        },
    )


class TestDocument:
    @pytest.mark.parametrize("line", ["", "Traceback", "[1]", "{", '"{}"'])
    def test_text(self, line):
        """
        A line that is no JSON object has nothing to match.
        """
        assert document_of(line) is None


class TestEmbedded:
    def test_values(self):
        """
        Each value of each metric is a datum of the moment that the line says.
        """
        about = {"Namespace": "n", "Dimensions": [[], ["site"]], "Metrics": [{"Name": "Paths"}]}
        line = {
            "_aws": {"Timestamp": 5_000, "CloudWatchMetrics": [about]},
            "site": "a",
            "Paths": [3, 4],
        }

        data = list(embedded(json.loads(json.dumps(line))))

        whole, one_site = Metric("n", "Paths"), Metric("n", "Paths", frozenset({("site", "a")}))
        assert data == [
            Datum(metric=metric, value=value, at_s=5.0)
            for metric in (whole, one_site)
            for value in (3.0, 4.0)
        ]

    def test_plain(self):
        """
        Any other line has no data.
        """
        assert not list(embedded({"level": "INFO"}))


class TestMetricFilter:
    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ('{ $.level = "ERROR" }', True),
            ('{ $.level = "WARNING" }', False),
            ('{ $.level.name = "ERROR" }', False),
            ('{ $.record.status = "timeout" && ($.count = 3) }', True),
            ('{ ($.level = "ERROR") && $.count = 4 }', False),
            ("{ $.missing = 3 }", False),
        ],
    )
    def test_matches(self, pattern, found):
        """
        A line is found that has all of a pattern's terms.
        """
        line = {"level": "ERROR", "record": {"status": "timeout"}, "count": 3}

        assert read(pattern).matches(line) is found

    @pytest.mark.parametrize(
        "pattern",
        ["", "ERROR", '{ $.level != "ERROR" }', '{ $.a = "b" || $.c = "d" }', '{ $.a = "b*" }'],
    )
    def test_unknown_pattern(self, pattern):
        """
        A pattern of another kind is refused: it would find something else.
        """
        with pytest.raises(TemplateError, match="Filter"):
            read(pattern)

    @pytest.mark.parametrize("more", [{"DefaultValue": 0}, {"MetricValue": "$.paths"}])
    def test_unknown_transformation(self, more):
        """
        A filter that does not count lines is refused.
        """
        with pytest.raises(TemplateError, match="Filter"):
            read('{ $.level = "ERROR" }', **more)
