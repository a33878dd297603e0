"""The suite of this repository on an inline stack, with a site that it looks after."""

import json
from contextlib import contextmanager
from pathlib import Path

from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.cloudfront import targets
from cdn.cloudfront.quotas import Limits
from cdn.invalidation.context import FlushContext
from cdn.watching import watches
from functions.collect_changes import app as collect_changes
from functions.poll_watches import app as poll_watches
from functions.send_invalidations import app as send_invalidations
from functions.sweep import app as sweep
from local import stack
from local.demo import outside
from local.faults import Does, Rule

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
HANDLERS = {
    "collect_changes": collect_changes.lambda_handler,
    "send_invalidations": send_invalidations.lambda_handler,
    "poll_watches": poll_watches.lambda_handler,
    "sweep": sweep.lambda_handler,
}


@contextmanager
def running(**how):
    """Run the suite, with a bucket `site` behind a distribution, and one page that stays."""
    how = {"parameters": {"UploadBuckets": "site"}} | how
    with stack.inline(TEMPLATE, handlers=HANDLERS, **how) as world:
        cloud = outside.build(world, bucket="site")
        upload(cloud, "stays.html")
        world.settle()
        cloud.announcements()
        cloud.received.clear()
        world.faults.restart()
        yield cloud


def upload(cloud, *keys):
    for key in keys:
        cloud.put(key, b"new", content_type="text/plain")


def invalidate(cloud, *, times):
    """Have somebody else invalidate a path of the distribution so many times."""
    for number in range(times):
        cloud.world.client("cloudfront").create_invalidation(
            DistributionId=cloud.distribution_id,
            InvalidationBatch={
                "Paths": {"Quantity": 1, "Items": ["/by-hand"]},
                "CallerReference": f"by hand {number}",
            },
        )


def update(cloud, **settings):
    """Change settings of the distribution, and name the configuration that has them."""
    cloudfront = cloud.world.client("cloudfront")
    found = cloudfront.get_distribution_config(Id=cloud.distribution_id)
    return cloudfront.update_distribution(
        Id=cloud.distribution_id,
        IfMatch=found["ETag"],
        DistributionConfig=found["DistributionConfig"] | settings,
    )["ETag"]


def watch(cloud, etag):
    """Have the deployment of the configuration *etag* watched."""
    client = cloud.world.client
    context = watches.WatchContext(
        ledger=Table(client("dynamodb"), cloud.world.outputs["LedgerTable"]),
        cloudfront=client("cloudfront"),
        timers=TimerQueue(client("sqs"), cloud.world.outputs["WatchTimersUrl"]),
        now=cloud.world.virtual_time.now,
    )
    target = targets.distribution(cloud.distribution_id)
    watches.create(context, watches.deployment(target, etag), details={})


def flush_context(cloud, *, token, **changes):
    """Return what a flush of the running suite works with, some of it changed."""
    client = cloud.world.client
    return FlushContext(
        **{
            "ledger": Table(client("dynamodb"), cloud.world.outputs["LedgerTable"]),
            "cloudfront": client("cloudfront"),
            "s3": client("s3"),
            "watch_timers": TimerQueue(client("sqs"), cloud.world.outputs["WatchTimersUrl"]),
            "limits": Limits(2_850, 13, items_per_second=140, wildcards_per_minute=55),
            "access_points": {},
            "both_forms": True,
            "now": cloud.world.virtual_time.now,
            "token": token,
        }
        | changes
    )


def letters(cloud, queue):
    """Look at the dead letters of *queue* (its name in the template)."""
    return (
        cloud.world.client("sqs")
        .receive_message(
            QueueUrl=cloud.world.deployment.resources[queue],
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=0,
        )
        .get("Messages", [])
    )


def break_lists(cloud, *, times):
    """Have CloudFront refuse to list distributions so often, as nobody expects it."""
    made = sum(call.operation == "ListDistributions" for call in cloud.world.faults.calls)
    rule = Rule(
        does=Does.FAIL,
        operation="ListDistributions",
        nth=made + 1,
        times=times,
        status=403,
        code="AccessDenied",
    )
    cloud.world.faults.rules.append(rule)
    return rule


def rows(cloud):
    """Read the whole ledger, as DynamoDB spells it."""
    table = cloud.world.outputs["LedgerTable"]
    return cloud.world.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]


def end_state(cloud):
    """Tell what a run has led to, without the ids that differ from run to run."""
    left = rows(cloud)
    invalidations = cloud.invalidations()
    announced = {event["detail"]["id"]: event for event in cloud.announcements()}
    return {
        "invalidated": [one.items for one in invalidations],
        "announced": [
            (one.items, event["detail-type"])
            for one in invalidations
            for announcement_id, event in announced.items()
            if one.id in announcement_id
        ],
        "waiting": [json.dumps(row["pk"]) for row in left if "timer" in row],
        "changes left": sum(row["sk"]["S"].startswith("change#") for row in left),
        "plans committed": sum("committed_at_ms" in row for row in left),
    }
