"""A flush may be due: turn all that changed in a bucket into invalidations, once."""

import sys
import time
from functools import partial
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.aws import dead_letters, timers
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.cloudfront.quotas import Limits
from cdn.invalidation import flushes
from cdn.invalidation.context import FlushContext
from cdn.invalidation.flushes import FlushDelays
from cdn.settings import SendInvalidationsSettings
from cdn.telemetry import Telemetry

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the steps of each flush whose timer came; rows of the ledger say which these are."""
    given = settings.read(SendInvalidationsSettings)
    telemetry = Telemetry(logger, given.metrics_namespace, sys.stdout.write, time.time)
    flush_context = FlushContext(
        ledger=Table(clients.dynamodb(), given.ledger_table),
        cloudfront=clients.cloudfront(),
        s3=clients.s3(),
        watch_timers=TimerQueue(clients.sqs(), given.watch_timers_url),
        limits=Limits(
            items_in_progress=given.items_in_progress,
            wildcards_in_progress=given.wildcards_in_progress,
            items_per_second=given.items_per_second,
            wildcards_per_minute=given.wildcards_per_minute,
        ),
        access_points=given.access_points,
        both_forms=given.url_forms == "both",
        now=time.time,
        token=lambda: uuid4().hex,
    )
    delays = FlushDelays(given.quiet_period_s * 1000, given.max_wait_s * 1000)
    runs = timers.run(
        event["Records"],
        partial(flushes.steps, flush_context, delays),
        report=telemetry.report,
        now=time.time,
    )
    for run in runs:
        if run.last.outcome == "retries exhausted":
            dead_letters.send(
                clients.sqs(),
                given.dead_letters_url,
                body=timers.message(run.row_id),
                reason=run.last.reason,
            )
    flush_timers = TimerQueue(clients.sqs(), given.flush_timers_url)
    return timers.reschedule(flush_timers, runs, now=time.time)
