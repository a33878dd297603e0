"""Each role allows what its function calls, and nothing that it does not."""

import pytest
from samtranslator.yaml_helper import yaml_parse

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

# What Lambda and SNS do in the function's name.
BY_OTHERS = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "kms:GenerateDataKey",
    "kms:Decrypt",
}


@pytest.fixture(scope="module")
def called():
    """Let every function do all that it can, and tell its calls by their permissions' names."""
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
        # An error that nobody expects, until the flush is given up.
        broken = suite.break_lists(cloud, times=5)
        suite.upload(cloud, "c.css")
        world.settle()
        world.faults.rules.remove(broken)
        suite.upload(cloud, "a.css", "b.css")
        known = len(cloud.invalidations())
        world.run(until=lambda: len(cloud.invalidations()) > known)
        for queue in ("FlushTimersUrl", "WatchTimersUrl"):
            world.client("sqs").purge_queue(QueueUrl=world.outputs[queue])
        world.run(limit_s=900)
        names: dict[str, set[str]] = {}
        for call in world.faults.calls:
            name = f"{call.service}:{call.operation}"
            names.setdefault(call.caller, set()).add(OTHER_NAMES.get(name, name))
        return names


def allowed_to(function):
    """Name the actions that the role of *function* allows."""
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
    So it is with the function that signs; only where keys are in KMS may it use them.
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
    So it is with the function that rotates keys; a role of its own lets it make keys in KMS.
    """
    of_kms = set()
    with signed.running(key=None, parameters={"SigningKeys": "kms"}) as cloud:
        world = cloud.world
        (function,) = (one for one in world.deployment.functions if one.name == "rotate_keys")
        # The stack's own first request for its group is not in the log.
        world.client("dynamodb").delete_item(
            TableName=world.outputs["LedgerTable"],
            Key={"pk": {"S": "signing-keys"}, "sk": {"S": "group"}},
        )
        world.custom_resources.send("KeyGroup", "Create", {})
        for _ in range(60):
            outcome = world.call(function, {})
            assert outcome.error is None
            world.virtual_time.advance(
                10 * 86_400 if outcome.answer["taken"]["step"] == "Wait" else 300
            )
        plan = world.call(function, {"plan": True}).answer
        (signing,) = (key["key_id"] for key in plan["keys"] if key["state"] == "signing")
        cloud.trust(key_pairs.public_pem(signed.private_key()), "unknown")
        world.call(function, {"revoke": signing})
        world.call(function, {})
        names = {
            f"{call.service}:{call.operation}"
            for call in world.faults.calls
            if call.caller == "rotate_keys"
        }
    in_kms = {name for name in names if name.startswith("kms:")}
    # Only a stack that deletes its group deletes one, and only one that is new makes one.
    others = {"cloudfront:DeleteKeyGroup", "cloudfront:CreateKeyGroup"}

    for statement in RESOURCES["RotateKeysInKms"]["Properties"]["PolicyDocument"]["Statement"]:
        of_kms |= set(statement["Action"])
        assert statement["Condition"]
    assert in_kms == of_kms - {"kms:TagResource"}
    assert names - in_kms == allowed_to("rotate_keys") - BY_OTHERS - others
