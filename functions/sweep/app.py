"""On a schedule: ring again for whatever should have rung long ago."""

import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings, sweeping
from cdn.aws.table import Ledger
from cdn.aws.timers import Clock
from cdn.settings import SweepSettings

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Find the overdue rows of the ledger and ring their clocks."""
    told = settings.read(SweepSettings)
    rung = sweeping.ring_overdue(
        Ledger(clients.dynamodb(), told.ledger_table),
        flush_timers=Clock(clients.sqs(), told.flush_timers_url),
        watch_timers=Clock(clients.sqs(), told.watch_timers_url),
        now=time.time,
    )
    logger.info("swept", rung=rung)
    return {"rung": rung}
