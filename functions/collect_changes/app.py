"""Objects changed in S3: collect what changed, so that the next flush invalidates it."""

import sys
import time
from collections import Counter, defaultdict
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.aws.dead_letters import DeadLetterQueue
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.errors import RetryLaterError
from cdn.invalidation import collecting, s3_events
from cdn.invalidation.changes import Change
from cdn.invalidation.collecting import CollectContext
from cdn.invalidation.flushes import FlushDelays
from cdn.invalidation.s3_events import Unreadable
from cdn.settings import CollectChangesSettings
from cdn.telemetry import StepResult, Telemetry

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Collect every change of a batch from the queue `Uploads`; dead-letter what is unreadable."""
    given = settings.read(CollectChangesSettings)
    telemetry = Telemetry(logger, given.metrics_namespace, sys.stdout.write, time.time)
    collected = defaultdict[str, list[Change]](list)
    ignored = Counter[str]()
    unreadable: list[tuple[str, Unreadable]] = []
    for record in event["Records"]:
        reading = s3_events.read(record["body"], buckets=given.upload_buckets)
        for bucket, change in reading.changes:
            collected[bucket].append(change)
        ignored += reading.ignored
        unreadable += [(record["messageId"], letter) for letter in reading.unreadable]

    collect_context = CollectContext(
        ledger=Table(clients.dynamodb(), given.ledger_table),
        flush_timers=TimerQueue(clients.sqs(), given.flush_timers_url),
        delays=FlushDelays(given.quiet_period_s * 1000, given.max_wait_s * 1000),
        now=time.time,
    )
    source = collecting.source_of(
        {
            record["messageId"]: int(record["attributes"]["SentTimestamp"])
            for record in event["Records"]
        }
    )
    for bucket, changes in collected.items():
        telemetry.report(collecting.collect(collect_context, bucket, changes, source))
    for reason, count in ignored.items():
        telemetry.report(StepResult("events ignored", reason, {"events": count}))
    # Last, so that a letter which SQS does not take is in the way of nothing that is good.
    dead_letters = DeadLetterQueue(clients.sqs(), given.dead_letters_url)
    failed_ids = set[str]()
    for message_id, letter in unreadable:
        ids = {"message_id": message_id}
        try:
            dead_letters.send(body=letter.body, reason=letter.reason)
        except RetryLaterError as exc:
            # It comes again; after many receives SQS itself dead-letters it.
            failed_ids.add(message_id)
            telemetry.report(StepResult("step failed", str(exc), ids))
        else:
            telemetry.report(StepResult("message dead-lettered", letter.reason, ids))
    return {"batchItemFailures": [{"itemIdentifier": each} for each in sorted(failed_ids)]}
