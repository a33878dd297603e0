"""A watch clock rang: look once at what CloudFront is doing, and announce it if it is done."""

import time
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.aws import timers
from cdn.aws.announcements import Audience
from cdn.aws.table import Ledger
from cdn.aws.timers import Clock
from cdn.settings import PollWatchesSettings
from cdn.watching import watches

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take one look for each rung watch."""
    told = settings.read(PollWatchesSettings)
    watch_timers = Clock(clients.sqs(), told.watch_timers_url)
    desk = watches.Desk(
        ledger=Ledger(clients.dynamodb(), told.ledger_table),
        cloudfront=clients.cloudfront(),
        watch_timers=watch_timers,
        now=time.time,
    )
    audience = Audience(clients.events(), told.event_bus_name, clients.sns(), told.topic_arn)
    rungs = timers.answer(event["Records"], partial(watches.look, desk, audience), now=time.time)
    for rung in rungs:
        log = logger.warning if rung.error else logger.info
        log("watch looked at", watch=rung.row_id, due_ms=rung.due_ms, error=rung.error)
    return timers.set_again(watch_timers, rungs, now=time.time)
