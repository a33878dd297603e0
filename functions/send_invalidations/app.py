"""A flush clock rang: turn all that changed in a bucket into invalidations, once."""

import time
from functools import partial
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.aws import dead_letters, timers
from cdn.aws.table import Ledger
from cdn.aws.timers import Clock
from cdn.cloudfront.quotas import Limits
from cdn.errors import RetriesExhaustedError
from cdn.invalidation import batches, flushes
from cdn.invalidation.flushes import Pace
from cdn.settings import SendInvalidationsSettings

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take one step of each rung flush; a row of the ledger says which step that is."""
    told = settings.read(SendInvalidationsSettings)
    desk = batches.Desk(
        ledger=Ledger(clients.dynamodb(), told.ledger_table),
        cloudfront=clients.cloudfront(),
        s3=clients.s3(),
        watch_timers=Clock(clients.sqs(), told.watch_timers_url),
        limits=Limits(
            items_in_progress=told.items_in_progress,
            wildcards_in_progress=told.wildcards_in_progress,
            items_per_second=told.items_per_second,
            wildcards_per_minute=told.wildcards_per_minute,
        ),
        access_points=told.access_points,
        both_forms=told.url_forms == "both",
        now=time.time,
        token=lambda: uuid4().hex,
    )
    pace = Pace(told.quiet_period_s * 1000, told.max_wait_s * 1000)
    rungs = timers.answer(event["Records"], partial(flushes.step, desk, pace), now=time.time)
    for rung in rungs:
        log = logger.warning if rung.error else logger.info
        log("flush looked at", bucket=rung.row_id, due_ms=rung.due_ms, error=rung.error)
        if isinstance(rung.error, RetriesExhaustedError):
            dead_letters.send(
                clients.sqs(),
                told.dead_letters_url,
                body=timers.message(rung.row_id),
                reason=str(rung.error),
            )
    return timers.set_again(Clock(clients.sqs(), told.flush_timers_url), rungs, now=time.time)
