"""Each change is counted, and sends a timer."""

import json
import os
from typing import Any

import boto3
import toy_layer  # type: ignore[import-not-found]  # from the layer, when it runs


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    for record in event["Records"]:
        key = json.loads(record["body"])["detail"]["object"]["key"]
        print("changed", key)  # noqa: T201  (a line in the log)
        toy_layer.add("changes", 1)
        boto3.client("sqs").send_message(
            QueueUrl=os.environ["TIMERS_URL"],
            MessageBody=key,
            DelaySeconds=int(os.environ["DELAY_S"]),
        )
    return {"batchItemFailures": []}
