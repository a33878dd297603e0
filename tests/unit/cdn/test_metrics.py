"""Metrics are written as CloudWatch reads them, under names that alarms watch."""

import json
import re
from pathlib import Path

import pytest

from cdn import metrics

ROOT = Path(__file__).parents[3]


def compact(document):
    """Write JSON as it stands in one line of a log."""
    return json.dumps(document, separators=(",", ":"))


class TestLine:
    @pytest.mark.parametrize("namespace", ["autopilot", "100 %d", 'a"%%:0'])
    def test_form(self, namespace):
        """
        The embedded metric format, to the letter as json would write it.
        """
        numbers = {"Granted": 3, "50%": 0}

        line = metrics.line(namespace, 5, numbers)

        described = {
            "Namespace": namespace,
            "Dimensions": [[]],
            "Metrics": [{"Name": name, "Unit": "Count"} for name in numbers],
        }
        assert line == compact(
            {"_aws": {"Timestamp": 5, "CloudWatchMetrics": [described]}} | numbers
        )


class TestNames:
    def test_watched(self):
        """
        Every metric of the stack's namespace that an alarm watches is one of the code's.
        """
        template = (ROOT / "template.yaml").read_text(encoding="utf-8")
        watched = set(
            re.findall(r"Namespace: !Ref AWS::StackName\n +MetricName: (\w+)", template)
        ) - set(re.findall(r"MetricNamespace: !Ref AWS::StackName\n +MetricName: (\w+)", template))

        assert "StepsFailed" in watched
        assert watched <= metrics.NAMES
