"""On a schedule: schedule the timers of overdue rows, whose messages were lost."""

import sys
import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, metrics, settings, sweeping
from cdn.aws.rows import Timer
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.settings import SweepSettings
from cdn.telemetry import Telemetry

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Find the overdue rows of the ledger, and schedule their timers."""
    given = settings.read(SweepSettings)
    telemetry = Telemetry(logger, given.metrics_namespace, sys.stdout.write, time.time)
    ledger = Table(clients.dynamodb(), given.ledger_table)
    timers: dict[Timer, TimerQueue] = {
        "flush": TimerQueue(clients.sqs(), given.flush_timers_url),
        "watch": TimerQueue(clients.sqs(), given.watch_timers_url),
    }
    now_ms = int(time.time() * 1000)
    # First: what the sweep finds has waited until now.
    gauges = {
        metrics.OVERDUE_ROW_AGE: sweeping.overdue_row_age_s(ledger, timers, now_ms=now_ms),
    }
    sys.stdout.write(metrics.line(given.metrics_namespace, now_ms, gauges) + "\n")
    results = sweeping.steps(ledger, timers, now=time.time)
    count = 0
    for result in results:
        telemetry.report(result)
        count += 1
    logger.info("ledger swept", rescheduled_count=count)
    return {"rescheduled_count": count}
