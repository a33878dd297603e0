"""The suite of this repository on an inline stack, with a site that it looks after."""

import json
from contextlib import contextmanager
from pathlib import Path

from functions.notice_upload import app as notice_upload
from functions.send_invalidations import app as send_invalidations
from functions.sweep import app as sweep
from functions.watch_deployment import app as watch_deployment
from local import stack
from local.demo import outside

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
HANDLERS = {
    "notice_upload": notice_upload.lambda_handler,
    "send_invalidations": send_invalidations.lambda_handler,
    "watch_deployment": watch_deployment.lambda_handler,
    "sweep": sweep.lambda_handler,
}


@contextmanager
def running(**how):
    """Run the suite, with a bucket `site` behind a distribution, and one page that stays."""
    parameters = {"UploadBuckets": "site"}
    with stack.inline(TEMPLATE, parameters=parameters, handlers=HANDLERS, **how) as world:
        cloud = outside.build(world, bucket="site")
        upload(cloud, "stays.html")
        world.settle()
        cloud.announcements()
        cloud.heard.clear()
        world.faults.restart()
        yield cloud


def upload(cloud, *keys):
    for key in keys:
        cloud.put(key, b"new", content_type="text/plain")


def rows(cloud):
    """Read the whole ledger, as DynamoDB spells it."""
    table = cloud.world.outputs["LedgerTable"]
    return cloud.world.client("dynamodb").scan(TableName=table)["Items"]


def end_state(cloud):
    """Tell what a run has led to, without the ids that differ from run to run."""
    left = rows(cloud)
    invalidations = cloud.invalidations()
    announced = {told["detail"]["id"]: told for told in cloud.announcements()}
    return {
        "invalidated": [one.items for one in invalidations],
        "announced": [
            (one.items, told["detail-type"])
            for one in invalidations
            for announcement_id, told in announced.items()
            if one.id in announcement_id
        ],
        "waiting": [json.dumps(row["pk"]) for row in left if "clock" in row],
        "changes left": sum(row["sk"]["S"].startswith("change#") for row in left),
        "plans committed": sum("committed_ms" in row for row in left),
    }
