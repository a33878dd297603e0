"""A flush may be due: turn all that changed in a bucket into one committed plan."""

import sys
import time
from functools import partial
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.aws import timers
from cdn.aws.dead_letters import DeadLetterQueue
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.cloudfront.quotas import Share
from cdn.invalidation import flushes, planner
from cdn.invalidation.context import FlushContext
from cdn.invalidation.flushes import FlushDelays
from cdn.settings import PlanInvalidationsSettings
from cdn.telemetry import Telemetry

logger = Logger()

_DAY_S = 24 * 60 * 60


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the steps of each flush whose timer came; rows of the ledger say which these are."""
    given = settings.read(PlanInvalidationsSettings)
    telemetry = Telemetry(logger, given.metrics_namespace, sys.stdout.write, time.time)
    in_progress = Share(given.items_in_progress, given.wildcards_in_progress)
    flush_context = FlushContext(
        ledger=Table(clients.dynamodb(), given.ledger_table),
        cloudfront=clients.cloudfront(),
        s3=clients.s3(),
        batch_timers=TimerQueue(clients.sqs(), given.batch_timers_url),
        watch_timers=TimerQueue(clients.sqs(), given.watch_timers_url),
        dead_letters=DeadLetterQueue(clients.sqs(), given.dead_letters_url),
        change_letters=DeadLetterQueue(clients.sqs(), given.change_letters_url),
        max_share=planner.max_share(in_progress),
        daily_items=given.daily_items,
        history_ttl_s=given.history_days * _DAY_S,
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
    flush_timers = TimerQueue(clients.sqs(), given.flush_timers_url)
    return timers.reschedule(flush_timers, runs, now=time.time)
