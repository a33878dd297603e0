"""An object changed in S3: note it, so that its cached copies go away with the next flush."""

import json
import time
from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings, uploads
from cdn.changes import Change
from cdn.clocks import Clock
from cdn.errors import MessageError
from cdn.flushes import Pace
from cdn.ledger import Ledger
from cdn.settings import NoticeUploadSettings

logger = Logger()

_KINDS = {"Object Created": "created", "Object Deleted": "deleted"}


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Note every change of a batch from the queue `Uploads`; what cannot be read fails alone."""
    told = settings.read(NoticeUploadSettings)
    noted = defaultdict[str, list[Change]](list)
    failures = []
    for record in event["Records"]:
        try:
            bucket, change = _change(record["body"])
        except MessageError as exc:
            logger.warning("message not understood", message_id=record["messageId"], why=exc.reason)
            failures.append({"itemIdentifier": record["messageId"]})
        else:
            noted[bucket].append(change)

    desk = uploads.Desk(
        ledger=Ledger(clients.dynamodb(), told.ledger_table),
        flush_clock=Clock(clients.sqs(), told.flush_clock_url),
        pace=Pace(told.quiet_period_s * 1000, told.longest_wait_s * 1000),
        now=time.time,
        token=lambda: uuid4().hex,
    )
    for bucket, changes in noted.items():
        uploads.note(desk, bucket, changes)
        logger.info("changes noted", bucket=bucket, changes=len(changes))
    return {"batchItemFailures": failures}


def _change(body: str) -> tuple[str, Change]:
    """
    Read one S3 event as EventBridge puts it into a queue.

    Its key is raw. Powertools' accessor would decode it, and so lose every `+` and `%`.
    """
    try:
        event = json.loads(body)
        detail = event["detail"]
        change = Change(
            key=detail["object"]["key"],
            kind=_KINDS[event["detail-type"]],  # type: ignore[arg-type]  # the two that there are
            sequencer=detail["object"].get("sequencer", ""),
            at_ms=int(datetime.fromisoformat(event["time"]).timestamp() * 1000),
        )
        return detail["bucket"]["name"], change
    except (ValueError, TypeError, AttributeError) as exc:
        reason = "the body is no S3 event from EventBridge"
        raise MessageError(reason) from exc
    except KeyError as exc:
        reason = f"the body is no S3 event from EventBridge: {exc.args[0]!r} is missing or unknown"
        raise MessageError(reason) from exc
