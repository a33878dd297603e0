"""The metrics of the stack: their names in one table, and the log line that writes them.

Apart from `telemetry`, so that what signs for front ends starts with no more than it needs.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STEPS_FAILED = "StepsFailed"
STEPS_THROTTLED = "StepsThrottled"
PATHS_INVALIDATED = "PathsInvalidated"
CHANGES_SKIPPED = "ChangesSkipped"

UNSENT_CHANGES_AGE = "UnsentChangesAge"
"""For how many seconds the oldest change has waited whose invalidation is not sent."""

BUCKETS_HELD = "BucketsHeld"
"""In how many buckets changes are held."""

COST_TODAY = "CostTodayCents"
"""What today's items cost beyond the month's free ones."""

OVERDUE_ROW_AGE = "OverdueRowAge"
"""For how many seconds the most overdue row has been due; 0 where none is."""

ACCESS_GRANTED = "Granted"
ACCESS_REFUSED = "Refused"

ROTATION_STEPS_FAILED = "RotationStepsFailed"
DRAINING_KEYS = "DrainingKeys"
STANDBY_KEYS = "StandbyKeys"
PUBLIC_KEYS = "PublicKeys"
SIGNING_KEY_AGE = "SigningKeyAge"
ROTATION_DUE_IN = "RotationDueIn"

NAMES = frozenset(
    {
        STEPS_FAILED,
        STEPS_THROTTLED,
        PATHS_INVALIDATED,
        CHANGES_SKIPPED,
        UNSENT_CHANGES_AGE,
        BUCKETS_HELD,
        COST_TODAY,
        OVERDUE_ROW_AGE,
        ACCESS_GRANTED,
        ACCESS_REFUSED,
        ROTATION_STEPS_FAILED,
        DRAINING_KEYS,
        STANDBY_KEYS,
        PUBLIC_KEYS,
        SIGNING_KEY_AGE,
        ROTATION_DUE_IN,
    }
)
"""Every metric that the stack's functions write, in the namespace of the stack's name."""

_json = json.JSONEncoder(separators=(",", ":")).encode


def line(namespace: str, at_ms: int, values: Mapping[str, int]) -> str:
    """
    Write *values* in CloudWatch's embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

    >>> line("autopilot", 1_790_000_000_000, {"Granted": 1})[-14:]
    '},"Granted":1}'
    """
    return _metrics_format(namespace, tuple(values)) % (at_ms, *values.values())


@cache
def _metrics_format(namespace: str, names: tuple[str, ...]) -> str:
    """Return such a line with a `%d` for the time and for each value."""
    described = {
        "Namespace": namespace,
        "Dimensions": [[]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in names],
    }
    about = _json(described).replace("%", "%%")
    values = ",".join(_json(name).replace("%", "%%") + ":%d" for name in names)
    return f'{{"_aws":{{"Timestamp":%d,"CloudWatchMetrics":[{about}]}},{values}}}'
