"""What steps say is said in one place, in words that stand whole in the code."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from cdn import telemetry
from cdn.telemetry import Outcome, StepResult, Telemetry

ROOT = Path(__file__).parents[3]
CODE = [
    path.read_text(encoding="utf-8")
    for folder in ("layers/cloudfront/cdn", "functions")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "telemetry.py"
]
AT_S = 1_790_000_000.0


class Recorder:
    """A logger that remembers its lines."""

    def __init__(self):
        self.lines = []

    def info(self, message, **fields):
        self.lines.append(("info", message, fields))

    def warning(self, message, **fields):
        self.lines.append(("warning", message, fields))


@pytest.fixture
def log():
    return Recorder()


@pytest.fixture
def written():
    return []


@pytest.fixture
def report(log, written):
    return Telemetry(log, "autopilot", written.append, lambda: AT_S).report


class TestReport:
    def test_line(self, report, log, written):
        """
        A step is one line: its outcome, the reason, the ids, and when the next one is due.
        """
        result = StepResult("flush not due", "it is quiet", {"bucket": "site"}, 1_790_000_000_500)

        report(result)

        fields = {"bucket": "site", "reason": "it is quiet", "due_at": "2026-09-21T14:13:20.500Z"}
        assert log.lines == [("info", "flush not due", fields)]
        assert written == []

    @pytest.mark.parametrize(
        ("outcome", "level", "metric"),
        [
            ("step failed", "warning", "StepsFailed"),
            ("retries exhausted", "warning", "StepsFailed"),
            ("batch failed", "warning", "StepsFailed"),
            ("throttled", "info", "StepsThrottled"),
            ("quota exhausted", "info", "StepsThrottled"),
        ],
    )
    def test_metric(self, report, log, written, outcome, level, metric):
        """
        What failed is warned of and counted; what is throttled is counted apart.
        """
        report(StepResult(outcome))

        assert [line[0] for line in log.lines] == [level]
        (line,) = map(json.loads, written)
        assert line[metric] == 1
        assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "autopilot"
        assert line["_aws"]["Timestamp"] == AT_S * 1000

    def test_paths(self, report, written):
        """
        What is billed is counted: the paths of each invalidation.
        """
        report(StepResult("invalidation created", ids={"paths": 12, "wildcards": 2}))

        (line,) = map(json.loads, written)
        assert line["PathsInvalidated"] == 12

    def test_retried(self, report, log):
        """
        A step that is retried says when.
        """
        report(StepResult("throttled", due_at_ms=1_790_000_000_000))

        assert log.lines[0][2] == {"retry_at": "2026-09-21T14:13:20.000Z"}


class TestWords:
    @pytest.mark.parametrize("outcome", get_args(Outcome))
    def test_used(self, outcome):
        """
        Each outcome stands whole in the code that it comes from, where a search finds it.
        """
        assert any(f'"{outcome}"' in text for text in CODE)

    def test_detail_types(self):
        """
        README names every detail type of the code with its topic, and no other.
        """
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        table = readme.partition("| detail type |")[2].partition("\n\n")[0]
        rows = re.findall(r"^\| (`.+`) \| .+ \| (\w+) \|$", table, re.MULTILINE)

        assert telemetry.DETAIL_TYPES == {
            detail_type: topic
            for names, topic in rows
            for detail_type in re.findall("`(.+?)`", names)
        }
        assert set(re.findall('"detail-type": "([^"]+)"', readme)) <= {*telemetry.DETAIL_TYPES}

    def test_whole(self):
        """
        No detail type is composed: each stands whole in the one module, once.
        """
        table = (ROOT / "layers/cloudfront/cdn/telemetry.py").read_text(encoding="utf-8")

        assert {table.count(f'"{detail_type}"') for detail_type in telemetry.DETAIL_TYPES} == {1}
        assert not any(
            f'"{detail_type}"' in text for detail_type in telemetry.DETAIL_TYPES for text in CODE
        )
