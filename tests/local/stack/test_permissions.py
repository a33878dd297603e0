"""Each role allows what its function calls, and nothing that it does not."""

import pytest
from samtranslator.yaml_helper import yaml_parse

from cdn.aws import rows
from cdn.invalidation import changes
from cdn.invalidation.changes import Change
from cdn.signing import key_pairs
from local.faults import Does, Rule
from tests.local import signed, suite

RESOURCES = yaml_parse(suite.TEMPLATE.read_text())["Resources"]

# An operation whose permission has another name:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
OTHER_NAMES = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}

# What Lambda and SNS call in the function's name.
BY_OTHERS = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "kms:GenerateDataKey",
    "kms:Decrypt",
}
# Lambda dead-letters what a scheduled function failed at.
BY_LAMBDA = {"sqs:SendMessage"}


@pytest.fixture(scope="module")
def called():
    """Return the permissions that each function needed while it did all that it can."""
    with suite.running() as cloud:
        world = cloud.world
        world.faults.rules += [
            Rule(
                does=Does.FAIL,
                operation="CreateInvalidation",
                status=400,
                code="InvalidationBatchAlreadyExists",
            )
        ]
        suite.upload(cloud, "a.css", "b.css")
        suite.watch(cloud, suite.update(cloud, Comment="new"))
        world.run(until=lambda: len(cloud.invalidations()) > 1)
        suite.invalidate(cloud, times=100)
        world.settle()
        # An unexpected error, until the flush's retries are exhausted.
        broken = suite.break_lists(cloud, times=12)
        suite.upload(cloud, "c.css")
        world.run(limit_s=13 * 3_600)
        world.faults.rules.remove(broken)
        suite.upload(cloud, "a.css", "b.css")
        count = len(cloud.invalidations())
        world.run(until=lambda: len(cloud.invalidations()) > count)
        for queue in ("FlushTimersUrl", "BatchTimersUrl", "WatchTimersUrl"):
            world.client("sqs").purge_queue(QueueUrl=world.outputs[queue])
        # Changes that no flush row tells of.
        key = rows.changes("site", at_ms=1, token="lost")
        (packed,) = changes.pack([Change("d.css", "created", "1", 1)])
        suite.ledger(cloud).replace(key, {"changes": packed})
        world.run(limit_s=900)
        names: dict[str, set[str]] = {}
        for call in world.faults.calls:
            name = f"{call.service}:{call.operation}"
            names.setdefault(call.caller, set()).add(OTHER_NAMES.get(name, name))
        return names


def allowed_to(function):
    """Return the actions that the role of *function* allows."""
    role = RESOURCES["".join(map(str.capitalize, function.split("_"))) + "Role"]
    (policy,) = role["Properties"]["Policies"]
    allowed = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    return allowed


@pytest.mark.parametrize("function", suite.HANDLERS)
def test_exactly(called, function):
    """
    What a function calls is what its role allows.
    """
    assert allowed_to(function) - BY_OTHERS == called[function] - BY_OTHERS


def test_signing():
    """
    What the function that signs calls is what its role allows; a policy adds keys in KMS.
    """
    with signed.running(parameters={"SigningKeys": "kms"}) as cloud:
        cloud.urls(f"https://{signed.HOST}/users/42/a.jpg")
        stored = {f"{call.service}:{call.operation}" for call in cloud.world.faults.calls}

    (by_kms,) = RESOURCES["SignAccessByKms"]["Properties"]["PolicyDocument"]["Statement"]
    assert stored == allowed_to("sign_access") - BY_OTHERS
    assert by_kms["Action"] == "kms:Sign"
    assert by_kms["Condition"]
    assert RESOURCES["SignAccessByKms"]["Condition"] == "AccessIsSignedByKms"


def test_rotating():
    """
    What the function that rotates calls is what its role allows; a policy adds keys in KMS.
    """
    of_kms = set()
    with signed.running(key=None, parameters={"SigningKeys": "kms"}) as cloud:
        world = cloud.world
        functions = {function.name: function for function in world.deployment.functions}
        # The stack's own first request for its group is not in the log.
        world.client("dynamodb").delete_item(
            TableName=world.outputs["LedgerTable"],
            Key={"pk": {"S": "signing-keys"}, "sk": {"S": "group"}},
        )
        world.custom_resources.send("KeyGroup", "Create", {})
        for _ in range(60):
            outcome = world.call(functions["rotate_keys"], {})
            assert outcome.error is None
            world.virtual_time.advance(
                10 * 86_400 if outcome.answer["step"]["step"] == "Wait" else 300
            )
        plan = world.call(functions["rotate_keys"], {"plan": True}).answer
        (signing,) = (key["key_id"] for key in plan["keys"] if key["state"] == "signing")
        cloud.trust(key_pairs.public_pem(signed.private_key()), "unknown")
        world.call(functions["rotate_keys"], {"revoke": signing})
        world.call(functions["rotate_keys"], {})
        names = {
            f"{call.service}:{call.operation}"
            for call in world.faults.calls
            if call.caller == "rotate_keys"
        }
    in_kms = {name for name in names if name.startswith("kms:")}
    # The group is created with the stack, and deleted with it only if DeleteKeyGroup says so.
    of_group = {"cloudfront:DeleteKeyGroup", "cloudfront:CreateKeyGroup"}

    for statement in RESOURCES["RotateKeysInKms"]["Properties"]["PolicyDocument"]["Statement"]:
        of_kms |= set(statement["Action"])
        assert statement["Condition"]
    assert in_kms == of_kms - {"kms:TagResource"}
    assert names - in_kms == allowed_to("rotate_keys") - BY_OTHERS - BY_LAMBDA - of_group
