"""Objects changed in S3: collect what changed, so that the next flush invalidates it."""

import sys
import time
from collections import defaultdict
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.aws import dead_letters
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.errors import MessageError
from cdn.invalidation import collecting, s3_events
from cdn.invalidation.changes import Change
from cdn.invalidation.collecting import CollectContext
from cdn.invalidation.flushes import FlushDelays
from cdn.settings import CollectChangesSettings
from cdn.telemetry import StepResult, Telemetry

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Collect every change of a batch from the queue `Uploads`; dead-letter what is unreadable."""
    given = settings.read(CollectChangesSettings)
    telemetry = Telemetry(logger, given.metrics_namespace, sys.stdout.write, time.time)
    collected = defaultdict[str, list[Change]](list)
    for record in event["Records"]:
        try:
            for bucket, change in s3_events.changes(record["body"], buckets=given.upload_buckets):
                collected[bucket].append(change)
        except MessageError as exc:
            dead_letters.send(
                clients.sqs(), given.dead_letters_url, body=record["body"], reason=exc.reason
            )
            ids = {"message_id": record["messageId"]}
            telemetry.report(StepResult("message dead-lettered", exc.reason, ids))

    collect_context = CollectContext(
        ledger=Table(clients.dynamodb(), given.ledger_table),
        flush_timers=TimerQueue(clients.sqs(), given.flush_timers_url),
        delays=FlushDelays(given.quiet_period_s * 1000, given.max_wait_s * 1000),
        now=time.time,
        token=lambda: uuid4().hex,
    )
    for bucket, changes in collected.items():
        telemetry.report(collecting.collect(collect_context, bucket, changes))
    return {"batchItemFailures": []}
