"""An alarm's state is what CloudWatch's own tables say."""

import json

import pytest

from local.alarms import Alarm, Alarms
from local.cloudformation import TemplateError
from local.metrics import Metric, Metrics

PROPERTIES = {
    "AlarmDescription": "First step: look.",
    "Namespace": "autopilot",
    "MetricName": "StepsFailed",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 5,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
    "AlarmActions": ["arn:topic"],
    "OKActions": ["arn:topic"],
}
METRIC = Metric("autopilot", "StepsFailed")


def alarm(**changes):
    properties = PROPERTIES | changes
    return Alarm.read(
        "Failed", "autopilot-Failed", {k: v for k, v in properties.items() if v is not None}
    )


def metrics_of(text, *, period_s=60):
    """Return the metrics of periods that breach (X), do not (0), or have no data (-)."""
    metrics = Metrics()
    for number, period in enumerate(text):
        if period != "-":
            metrics.put(METRIC, 9.0 if period == "X" else 0.0, at_s=number * period_s)
    return metrics


class TestState:
    @pytest.mark.parametrize(
        ("periods", "missing", "not_breaching", "breaching"),
        [
            ("0-X-X", "OK", "OK", "OK"),
            ("0----", "OK", "OK", "OK"),
            ("-----", "INSUFFICIENT_DATA", "OK", "ALARM"),
            ("0XX-X", "ALARM", "ALARM", "ALARM"),
            ("--X--", "ALARM", "OK", "ALARM"),
        ],
    )
    def test_three_of_three(self, periods, missing, not_breaching, breaching):
        """
        The table of the documentation for three data points of three.
        """
        states = [
            alarm(EvaluationPeriods=3, TreatMissingData=treat).state(metrics_of(periods), at_s=300)
            for treat in ("missing", "notBreaching", "breaching")
        ]

        assert states == [missing, not_breaching, breaching]

    @pytest.mark.parametrize(
        ("periods", "state"),
        [("0-X-X", "ALARM"), ("00X0X", "ALARM"), ("0-X--", "OK"), ("0XX00", "OK")],
    )
    def test_two_of_three(self, periods, state):
        """
        Two of the last three data points that there are suffice, if the alarm says so.
        """
        some = alarm(EvaluationPeriods=3, DatapointsToAlarm=2)

        assert some.state(metrics_of(periods), at_s=300) == state

    @pytest.mark.parametrize(("at_s", "state"), [(60, "OK"), (360, "ALARM"), (420, "OK")])
    def test_window(self, at_s, state):
        """
        The window moves by minutes, and each is as long as the period.
        """
        metrics = Metrics()
        for minute_s, value in [(60, 3.0), (300, 2.0)]:
            metrics.put(METRIC, value, at_s=minute_s)

        assert alarm(Period=300).state(metrics, at_s=at_s) == state

    @pytest.mark.parametrize(
        ("comparison", "states"),
        [
            ("GreaterThanOrEqualToThreshold", ["OK", "ALARM", "ALARM"]),
            ("GreaterThanThreshold", ["OK", "OK", "ALARM"]),
            ("LessThanOrEqualToThreshold", ["ALARM", "ALARM", "OK"]),
            ("LessThanThreshold", ["ALARM", "OK", "OK"]),
        ],
    )
    def test_comparison(self, comparison, states):
        """
        Each comparison is that of its name.
        """
        found = []
        for value in (4.0, 5.0, 6.0):
            metrics = Metrics()
            metrics.put(METRIC, value, at_s=0)
            found.append(alarm(ComparisonOperator=comparison).state(metrics, at_s=60))

        assert found == states


class TestRead:
    @pytest.mark.parametrize(
        "changes",
        [
            {"TreatMissingData": "ignore"},
            {"Statistic": "p90"},
            {"Period": 10},
            {"Metrics": []},
            {"MetricName": None},
        ],
    )
    def test_refused(self, changes):
        """
        What is not emulated is refused, and not read as something else.
        """
        with pytest.raises(TemplateError, match="Failed"):
            alarm(**changes)


@pytest.fixture
def told():
    return []


@pytest.fixture
def started(told):
    """Return an evaluation that begins at 0 with the given metrics."""

    def start(metrics, **changes):
        tell = lambda change, topic: told.append((topic, change))  # noqa: E731
        return Alarms(metrics, (alarm(**changes),), tell, evaluated_at_s=0)

    return start


class TestAlarms:
    def test_first(self, started, told):
        """
        Until the first minute has ended an alarm has no state, and nobody hears of it.
        """
        assert started(Metrics()).evaluate(now_s=59) == {"Failed": "INSUFFICIENT_DATA"}
        assert told == []

    def test_changes(self, started, told):
        """
        Whoever an action names hears of each change once, and of the minute that showed it.
        """
        alarms = started(metrics_of("0X00"))

        assert alarms.evaluate(now_s=130) == {"Failed": "ALARM"}
        assert alarms.evaluate(now_s=130) == {"Failed": "ALARM"}
        assert alarms.evaluate(now_s=240) == {"Failed": "OK"}

        assert [(topic, change.new, change.at_s) for topic, change in told] == [
            ("arn:topic", "OK", 60),
            ("arn:topic", "ALARM", 120),
            ("arn:topic", "OK", 180),
        ]
        assert told[1][1].subject == 'ALARM: "autopilot-Failed" in US East (N. Virginia)'
        assert json.loads(told[1][1].message)["AlarmDescription"] == "First step: look."

    def test_missing(self, started, told):
        """
        An alarm that waits for its first datum tells nobody; that data no longer come it tells.
        """
        alarms = started(
            metrics_of("--0-----"),
            TreatMissingData="missing",
            OKActions=None,
            InsufficientDataActions=["arn:topic"],
        )

        assert alarms.evaluate(now_s=120) == {"Failed": "INSUFFICIENT_DATA"}
        assert told == []
        assert alarms.evaluate(now_s=480) == {"Failed": "INSUFFICIENT_DATA"}
        assert [(change.old, change.new) for _, change in told] == [("OK", "INSUFFICIENT_DATA")]
