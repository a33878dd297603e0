"""A custom resource: a badge, which has an id and a number."""

import json
import urllib.request
from typing import Any

import toy_layer  # type: ignore[import-not-found]  # from the layer, when it runs


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    if "RequestType" not in event:
        return {"asked": event}
    toy_layer.add(f"badge {event['RequestType']}", 1)
    holder = event["ResourceProperties"]["Holder"]
    answer = {
        "Status": "FAILED" if holder == "nobody" else "SUCCESS",
        "Reason": "nobody gets no badge",
        "PhysicalResourceId": f"badge-of-{holder}",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Number": 7},
    }
    put = urllib.request.Request(
        event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(put).close()
    return {}
