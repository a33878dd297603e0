"""CloudWatch's alarms, evaluated at the end of each minute."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

from local.cloudformation import TemplateError
from local.function import ACCOUNT, REGION
from local.metrics import MINUTE_S, STATISTICS, Metric, Metrics, Statistic

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Missing = Literal["breaching", "notBreaching", "missing"]

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}
_REQUIRED = {
    "AlarmDescription",
    "ComparisonOperator",
    "EvaluationPeriods",
    "MetricName",
    "Namespace",
    "Period",
    "Statistic",
    "Threshold",
}
_OPTIONAL = {
    "AlarmActions",
    "AlarmName",
    "DatapointsToAlarm",
    "Dimensions",
    "InsufficientDataActions",
    "OKActions",
    "TreatMissingData",
}
# CloudWatch reads more periods than it judges, and passes over those that miss data while there
# are enough others: an alarm may outlast its cause by so many periods.
_MORE_PERIODS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm as the template describes it; *actions* are the topics that hear of each state."""

    logical_id: str
    name: str
    description: str
    metric: Metric
    statistic: Statistic
    period_s: int
    evaluation_periods: int
    datapoints_to_alarm: int
    comparison: str
    threshold: float
    missing: Missing
    actions: Mapping[State, tuple[str, ...]]

    @classmethod
    def read(cls, logical_id: str, name: str, properties: Mapping[str, Any]) -> Alarm:
        """
        Read a resource's properties; *name* is the one that CloudFormation would make up.

        Raises:
            TemplateError: It has something that is not emulated.
        """
        keys = properties.keys()
        missing = properties.get("TreatMissingData", "missing")
        if not (
            keys >= _REQUIRED
            and keys <= _REQUIRED | _OPTIONAL
            and properties["Statistic"] in STATISTICS
            and properties["ComparisonOperator"] in _COMPARISONS
            and int(properties["Period"]) % MINUTE_S == 0
            and missing in {"breaching", "notBreaching", "missing"}
        ):
            raise TemplateError(f"{logical_id}: only alarms on one metric's statistic are emulated")
        periods = int(properties["EvaluationPeriods"])
        return cls(
            logical_id=logical_id,
            name=properties.get("AlarmName", name),
            description=properties["AlarmDescription"],
            metric=Metric(
                properties["Namespace"],
                properties["MetricName"],
                frozenset((d["Name"], d["Value"]) for d in properties.get("Dimensions", [])),
            ),
            statistic=properties["Statistic"],
            period_s=int(properties["Period"]),
            evaluation_periods=periods,
            datapoints_to_alarm=int(properties.get("DatapointsToAlarm", periods)),
            comparison=properties["ComparisonOperator"],
            threshold=float(properties["Threshold"]),
            missing=cast("Missing", missing),
            actions={
                "OK": tuple(properties.get("OKActions", ())),
                "ALARM": tuple(properties.get("AlarmActions", ())),
                "INSUFFICIENT_DATA": tuple(properties.get("InsufficientDataActions", ())),
            },
        )

    def state(self, metrics: Metrics, *, at_s: int) -> State:
        """
        Return the state by the data before *at_s*, the end of a minute.

        The window moves by a minute whatever the period is:
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
        """
        values = list(self._newest_first(metrics, at_s))[: self.evaluation_periods]
        breaching = sum(_COMPARISONS[self.comparison](v, self.threshold) for v in values)
        lacking = self.evaluation_periods - len(values)
        if lacking and self.missing == "missing":
            if not values:
                return "INSUFFICIENT_DATA"
            return "ALARM" if breaching == len(values) else "OK"
        if self.missing == "breaching":
            breaching += lacking
        return "ALARM" if breaching >= self.datapoints_to_alarm else "OK"

    def _newest_first(self, metrics: Metrics, at_s: int) -> Iterator[float]:
        for number in range(self.evaluation_periods + _MORE_PERIODS):
            end_s = at_s - number * self.period_s
            value = metrics.statistic(
                self.metric, self.statistic, start_s=end_s - self.period_s, end_s=end_s
            )
            if value is not None:
                yield value


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An alarm's change from one state to another."""

    alarm: Alarm
    old: State
    new: State
    at_s: int

    @property
    def subject(self) -> str:
        return f'{self.new}: "{self.alarm.name}" in US East (N. Virginia)'

    @property
    def message(self) -> str:
        """Return what CloudWatch tells a topic."""
        return json.dumps(
            {
                "AlarmName": self.alarm.name,
                "AlarmDescription": self.alarm.description,
                "AWSAccountId": ACCOUNT,
                "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{self.alarm.name}",
                "NewStateValue": self.new,
                "OldStateValue": self.old,
                "StateChangeTime": datetime.fromtimestamp(self.at_s, UTC).isoformat(),
            }
        )


@dataclass(slots=True)
class Alarms:
    """
    The states of alarms. They begin with INSUFFICIENT_DATA, which nobody is told.

    *tell* takes each change for which an alarm has an action, and the topic.
    """

    metrics: Metrics
    alarms: tuple[Alarm, ...]
    tell: Callable[[Change, str], object]
    evaluated_at_s: int
    _states: dict[str, State] = field(default_factory=dict)

    def evaluate(self, *, now_s: float) -> Mapping[str, State]:
        """Evaluate every minute that has ended since the last time; return states by logical id."""
        end_s = int(now_s // MINUTE_S) * MINUTE_S
        changes: list[Change] = []
        for alarm in self.alarms:
            minutes = range(self.evaluated_at_s + MINUTE_S, end_s + 1, MINUTE_S)
            # Without any datum the first of these minutes is as all others.
            for at_s in minutes if self.metrics.knows(alarm.metric) else minutes[:1]:
                old = self._states.get(alarm.logical_id, "INSUFFICIENT_DATA")
                new = alarm.state(self.metrics, at_s=at_s)
                self._states[alarm.logical_id] = new
                if new != old:
                    changes.append(Change(alarm=alarm, old=old, new=new, at_s=at_s))
        self.evaluated_at_s = max(self.evaluated_at_s, end_s)
        for change in sorted(changes, key=lambda change: change.at_s):
            for topic in change.alarm.actions[change.new]:
                self.tell(change, topic)
        return {
            alarm.logical_id: self._states.get(alarm.logical_id, "INSUFFICIENT_DATA")
            for alarm in self.alarms
        }
