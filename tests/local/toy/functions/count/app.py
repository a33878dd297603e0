"""Timers are counted, and scheduled invocations."""

from typing import Any

import toy_layer  # type: ignore[import-not-found]  # from the layer, when it runs


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    if "Records" in event:
        toy_layer.add("timers", len(event["Records"]))
    else:
        toy_layer.add("schedule", 1)
    return {"batchItemFailures": []}
