"""What is logged is one line of JSON, whatever a caller has sent."""

import json

import pytest

from cdn.access import audit
from cdn.access.audit import Trail
from cdn.access.issuing import Opened

NOW_S = 1_790_000_000.25


def written(told):
    """As json itself writes it in the least space."""
    return json.dumps(told, separators=(",", ":"))


class TestGranted:
    @pytest.mark.parametrize("subject", ["42", 'a"b\\c\n\u2028é', None, 7, ["a"], {"a": "b"}])
    @pytest.mark.parametrize(
        "resource", ["https://m.example/a.jpg", 'https://m.example/"\\\n\u2028é']
    )
    def test_line(self, subject, resource):
        """
        Each resource has its line, to the letter as json would write it.
        """
        opened = [Opened(resource, "signed", 1_790_000_060, "own"), Opened("b", "x", 9, "é")]

        *lines, _ = Trail(subject, "url", "ns").granted(opened, key_id="K2JC", now_s=NOW_S)

        start = {"level": "INFO", "message": "access granted", "subject": subject, "by": "url"}
        assert lines == [
            written(
                start
                | {
                    "resource": one.resource,
                    "grant": one.grant,
                    "key_id": "K2JC",
                    "expires_at": one.expires_at_s,
                }
            )
            for one in opened
        ]

    def test_metrics(self):
        """
        The last line counts them.
        """
        *_, last = Trail("42", "url", "ns").granted([], key_id="K", now_s=NOW_S)

        assert last == audit.metrics("ns", 1_790_000_000_250, {"Granted": 0, "Refused": 0})


class TestMetrics:
    @pytest.mark.parametrize("namespace", ["autopilot", "100 %d", 'a"%%:0'])
    def test_form(self, namespace):
        """
        The embedded metric format, to the letter as json would write it.
        """
        numbers = {"Granted": 3, "50%": 0}

        line = audit.metrics(namespace, 5, numbers)

        described = {
            "Namespace": namespace,
            "Dimensions": [[]],
            "Metrics": [{"Name": name, "Unit": "Count"} for name in numbers],
        }
        assert line == written(
            {"_aws": {"Timestamp": 5, "CloudWatchMetrics": [described]}} | numbers
        )
