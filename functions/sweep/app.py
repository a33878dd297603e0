"""On a schedule: schedule the timers of overdue rows, whose messages were lost."""

import sys
import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, metrics, settings, sweeping
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.invalidation.collecting import CollectContext
from cdn.invalidation.flushes import FlushDelays
from cdn.settings import SweepSettings
from cdn.telemetry import Telemetry

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Find the overdue rows of the ledger, schedule their timers, and measure what waits."""
    given = settings.read(SweepSettings)
    telemetry = Telemetry(logger, given.metrics_namespace, sys.stdout.write, time.time)
    ledger = Table(clients.dynamodb(), given.ledger_table)
    flush_timers = TimerQueue(clients.sqs(), given.flush_timers_url)
    now_ms = int(time.time() * 1000)
    # First: what the sweep finds has waited until now.
    gauges = sweeping.gauges(ledger, given.upload_buckets, now_ms=now_ms)
    sys.stdout.write(metrics.line(given.metrics_namespace, now_ms, gauges) + "\n")
    results = sweeping.steps(
        CollectContext(
            ledger=ledger,
            flush_timers=flush_timers,
            delays=FlushDelays(given.quiet_period_s * 1000, given.max_wait_s * 1000),
            now=time.time,
        ),
        {
            "flush": flush_timers,
            "batch": TimerQueue(clients.sqs(), given.batch_timers_url),
            "watch": TimerQueue(clients.sqs(), given.watch_timers_url),
        },
        given.upload_buckets,
        left_ms=context.get_remaining_time_in_millis,
    )
    count = 0
    for result in results:
        telemetry.report(result)
        count += result.outcome != "sweep stopped"
    logger.info("ledger swept", rescheduled_count=count)
    return {"rescheduled_count": count}
