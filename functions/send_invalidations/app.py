"""A batch may be due: send it to CloudFront, once."""

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
from cdn.cloudfront.quotas import Limits
from cdn.invalidation import batches
from cdn.invalidation.context import BatchContext
from cdn.settings import SendInvalidationsSettings
from cdn.telemetry import Telemetry

logger = Logger()

_DAY_S = 24 * 60 * 60


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Send each committed batch whose timer came; rows of the ledger say which these are."""
    given = settings.read(SendInvalidationsSettings)
    telemetry = Telemetry(logger, given.metrics_namespace, sys.stdout.write, time.time)
    batch_timers = TimerQueue(clients.sqs(), given.batch_timers_url)
    batch_context = BatchContext(
        ledger=Table(clients.dynamodb(), given.ledger_table),
        cloudfront=clients.cloudfront(),
        batch_timers=batch_timers,
        watch_timers=TimerQueue(clients.sqs(), given.watch_timers_url),
        dead_letters=DeadLetterQueue(clients.sqs(), given.dead_letters_url),
        limits=Limits(
            items_in_progress=given.items_in_progress,
            wildcards_in_progress=given.wildcards_in_progress,
            items_per_second=given.items_per_second,
            wildcards_per_minute=given.wildcards_per_minute,
        ),
        history_ttl_s=given.history_days * _DAY_S,
        now=time.time,
        token=lambda: uuid4().hex,
    )
    runs = timers.run(
        event["Records"],
        partial(batches.steps, batch_context),
        report=telemetry.report,
        now=time.time,
    )
    return timers.reschedule(batch_timers, runs, now=time.time)
