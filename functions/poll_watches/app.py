"""A watch may be due: poll once what CloudFront is doing, and announce it if it has ended."""

import sys
import time
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.aws import timers
from cdn.aws.announcements import Announcer
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.settings import PollWatchesSettings
from cdn.telemetry import Telemetry
from cdn.watching import watches
from cdn.watching.watches import WatchContext

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Poll once for each watch whose timer came."""
    given = settings.read(PollWatchesSettings)
    telemetry = Telemetry(logger, given.metrics_namespace, sys.stdout.write, time.time)
    watch_timers = TimerQueue(clients.sqs(), given.watch_timers_url)
    watch_context = WatchContext(
        ledger=Table(clients.dynamodb(), given.ledger_table),
        cloudfront=clients.cloudfront(),
        timers=watch_timers,
        now=time.time,
    )
    announcer = Announcer(
        clients.events(),
        given.event_bus_name,
        clients.sns(),
        {"attention": given.attention_topic_arn, "routine": given.routine_topic_arn},
    )
    runs = timers.run(
        event["Records"],
        partial(watches.steps, watch_context, announcer),
        report=telemetry.report,
        now=time.time,
    )
    return timers.reschedule(watch_timers, runs, now=time.time)
