"""The suite of this repository on an inline stack, with a site that it looks after."""

import json
from contextlib import contextmanager
from pathlib import Path

from cdn.aws import rows
from cdn.aws.dead_letters import DeadLetterQueue
from cdn.aws.rows import BatchRow, KeyRange
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.cloudfront import targets
from cdn.cloudfront.quotas import Limits
from cdn.invalidation import planner
from cdn.invalidation.context import BatchContext, FlushContext
from cdn.watching import watches
from functions.collect_changes import app as collect_changes
from functions.plan_invalidations import app as plan_invalidations
from functions.poll_watches import app as poll_watches
from functions.send_invalidations import app as send_invalidations
from functions.sweep import app as sweep
from local import stack
from local.demo import outside
from local.faults import Does, Rule

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
HANDLERS = {
    "collect_changes": collect_changes.lambda_handler,
    "plan_invalidations": plan_invalidations.lambda_handler,
    "send_invalidations": send_invalidations.lambda_handler,
    "poll_watches": poll_watches.lambda_handler,
    "sweep": sweep.lambda_handler,
}


@contextmanager
def running(*, handlers=HANDLERS, **how):
    """Run the suite, with a bucket `site` behind a distribution, and one page that stays."""
    how = {"parameters": {"UploadBuckets": "site"}} | how
    with stack.inline(TEMPLATE, handlers=handlers, **how) as world:
        cloud = outside.build(world, bucket="site")
        upload(cloud, "stays.html")
        world.settle()
        cloud.announcements()
        cloud.received.clear()
        world.faults.restart()
        yield cloud


def rounds(limit=200):
    """Count the rounds of a loop; fail if it does not end by itself."""
    yield from range(limit)
    raise AssertionError(f"it does not end within {limit} rounds")


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
        ledger=ledger(cloud),
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
            "ledger": ledger(cloud),
            "cloudfront": client("cloudfront"),
            "s3": client("s3"),
            "batch_timers": TimerQueue(client("sqs"), cloud.world.outputs["BatchTimersUrl"]),
            "watch_timers": TimerQueue(client("sqs"), cloud.world.outputs["WatchTimersUrl"]),
            "dead_letters": dead_letters(cloud, "FlushTimersDeadLetters"),
            "change_letters": dead_letters(cloud, "UploadsDeadLetters"),
            "max_share": planner.MAX_SHARE,
            "daily_items": 5_000,
            "history_ttl_s": 90 * 24 * 60 * 60,
            "access_points": {},
            "both_forms": True,
            "now": cloud.world.virtual_time.now,
            "token": token,
        }
        | changes
    )


def batch_context(cloud, *, token, **changes):
    """Return what a batch of the running suite works with, some of it changed."""
    client = cloud.world.client
    return BatchContext(
        **{
            "ledger": ledger(cloud),
            "cloudfront": client("cloudfront"),
            "batch_timers": TimerQueue(client("sqs"), cloud.world.outputs["BatchTimersUrl"]),
            "watch_timers": TimerQueue(client("sqs"), cloud.world.outputs["WatchTimersUrl"]),
            "dead_letters": dead_letters(cloud, "BatchTimersDeadLetters"),
            "limits": Limits(2_850, 13, items_per_second=140, wildcards_per_minute=55),
            "history_ttl_s": 90 * 24 * 60 * 60,
            "now": cloud.world.virtual_time.now,
            "token": token,
        }
        | changes
    )


def ledger(cloud):
    return Table(cloud.world.client("dynamodb"), cloud.world.outputs["LedgerTable"])


def dead_letters(cloud, queue):
    """Return the dead-letter queue *queue* (its name in the template)."""
    return DeadLetterQueue(cloud.world.client("sqs"), cloud.world.deployment.resources[queue])


def due_batches(ledger):
    """Return the rows of all batches that are committed and not sent."""
    # The index would be behind.
    batches: KeyRange[BatchRow] = KeyRange("bucket#site", "batch#", "batch#~")
    return [row for row in ledger.query(batches) if "timer" in row]


def waiting_batches(cloud):
    """Return the ids of the rows of all batches that are committed and not sent."""
    return [rows.row_id(rows.key_of(row)) for row in due_batches(ledger(cloud))]


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


def all_rows(cloud):
    """Read the whole ledger, as DynamoDB spells it."""
    table = cloud.world.outputs["LedgerTable"]
    return cloud.world.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]


def end_state(cloud):
    """Tell what a run has led to, without the ids that differ from run to run."""
    left = all_rows(cloud)
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
