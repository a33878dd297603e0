"""CloudWatch of the stack: what functions write, how they end, what waits in queues; alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local import log_metrics
from local.alarms import Alarms, Change, State
from local.function import Function, Outcome
from local.log_metrics import MetricFilter
from local.metrics import MINUTE_S, Metric, Metrics
from local.queues import Queues
from local.template import Deployment

# Of a queue: how many messages can be received, and when the oldest was sent.
_Level = tuple[int, float | None]


@dataclass(slots=True, kw_only=True)
class CloudWatch:
    """
    Takes what happens, and evaluates the alarms when it is asked for them.

    Attributes:
        tell: Takes each change for which an alarm has an action, and the topic.
    """

    queues: Queues
    now: Callable[[], float]
    tell: Callable[[Change, str], object]
    metrics: Metrics = field(default_factory=Metrics)
    _alarms: Alarms | None = None
    _filters: Mapping[str, Sequence[MetricFilter]] = field(default_factory=dict)
    _levels: dict[str, _Level] = field(default_factory=dict)
    _sampled_at_s: float = 0.0

    def watch(self, deployment: Deployment) -> None:
        """Begin with the alarms and the filters of what was deployed."""
        self._alarms = Alarms(
            self.metrics, deployment.alarms, self.tell, evaluated_at_s=_minute_s(self.now())
        )
        self._filters = {
            function.name: [f for f in deployment.metric_filters if f.log_group == log_group]
            for function in deployment.functions
            for log_group in [function.log_group]
        }

    def states(self) -> Mapping[str, State]:
        """Return the state of each alarm, by its logical id, at the end of the last minute."""
        self.sample()
        return self._alarms.evaluate(now_s=self.now()) if self._alarms else {}

    def wrote(self, function: str, lines: Iterable[str]) -> None:
        """Take the lines that a function has written."""
        for line in lines:
            document = log_metrics.document_of(line)
            if document is None:
                continue
            for datum in log_metrics.embedded(document):
                self.metrics.put(datum.metric, datum.value, at_s=datum.at_s or self.now())
            for each in self._filters.get(function, ()):
                if each.matches(document):
                    self.metrics.put(each.metric, each.value, at_s=self.now())

    def ended(self, function: Function, outcome: Outcome, *, began_at: float) -> None:
        """Take the end of an invocation, as AWS/Lambda counts it and the platform's line says."""
        dimensions = frozenset({("FunctionName", function.physical_name)})
        duration_ms = max(0.0, self.now() - began_at) * 1000
        values = {"Throttles": 0.0, "Invocations": 1.0, "Errors": 0.0, "Duration": duration_ms}
        if outcome.throttled:
            values = {"Throttles": 1.0}
        elif outcome.error is not None:
            values["Errors"] = 1.0
        for name, value in values.items():
            self.metrics.put(Metric("AWS/Lambda", name, dimensions), value, at_s=began_at)
        if not outcome.throttled:
            self.wrote(function.name, [_report(outcome, duration_ms, at_s=self.now())])

    def sample_before(self, until_s: float) -> None:
        """Take what is in the queues before time jumps, if the jump leaves this minute."""
        if _minute_s(until_s) > _minute_s(self.now()):
            self.sample()

    def sample(self) -> None:
        """
        Take what is in the queues, as AWS/SQS counts it.

        What was there the last time is taken to have been there until now.
        """
        now_s = self.now()
        for minute_s in range(_minute_s(self._sampled_at_s) + MINUTE_S, _minute_s(now_s), MINUTE_S):
            if not self._levels:
                break
            for name, (count, oldest_at) in self._levels.items():
                self._measure(name, count, oldest_at, at_s=minute_s)
        for name in self.queues.names():
            count, oldest_at = self.queues.level(name)
            # A queue that nobody has used yet has no data.
            if oldest_at is not None or count or name in self._levels:
                self._levels[name] = count, oldest_at
                self._measure(name, count, oldest_at, at_s=now_s)
        self._sampled_at_s = now_s

    def _measure(self, queue: str, count: int, oldest_at: float | None, *, at_s: float) -> None:
        dimensions = frozenset({("QueueName", queue)})
        age_s = 0.0 if oldest_at is None else at_s - oldest_at
        for name, value in [
            ("ApproximateNumberOfMessagesVisible", count),
            ("ApproximateAgeOfOldestMessage", age_s),
        ]:
            self.metrics.put(Metric("AWS/SQS", name, dimensions), value, at_s=at_s)


def _minute_s(at_s: float) -> int:
    return int(at_s // MINUTE_S) * MINUTE_S


def _report(outcome: Outcome, duration_ms: float, *, at_s: float) -> str:
    """
    Return the line with which Lambda reports an invocation, where logs are JSON.

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report
    """
    status = "timeout" if outcome.timed_out else "success" if outcome.error is None else "error"
    return json.dumps(
        {
            "time": f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S.000Z}",
            "type": "platform.report",
            "record": {"status": status, "metrics": {"durationMs": round(duration_ms, 3)}},
        }
    )
