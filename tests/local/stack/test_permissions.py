"""Each role allows what its function does, and nothing that it does not."""

import os
from collections import defaultdict
from contextlib import suppress

import boto3
import pytest
from botocore.exceptions import ClientError

from cdn.signing import key_pairs
from local import stack
from local.authorization import MissingPermissionsError
from local.faults import Does, Rule
from local.role_policies import Statement, Use
from tests.local import signed, suite

# A Null of a condition holds for whatever meets the rest of it.
NO_RIGHTS = {"true", "false"}
FUNCTIONS = [*suite.HANDLERS, "sign_access", "rotate_keys"]


def invalidating():
    """Let the functions that invalidate do all that they can."""
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
        broken = suite.break_lists(cloud, times=5)
        suite.upload(cloud, "c.css")
        world.settle()
        world.faults.rules.remove(broken)
        world.client("sqs").send_message(QueueUrl=world.outputs["UploadsUrl"], MessageBody="[")
        suite.upload(cloud, "a.css", "b.css")
        count = len(cloud.invalidations())
        world.run(until=lambda: len(cloud.invalidations()) > count)
        # Timers of both kinds are lost, for the sweep to schedule again.
        suite.upload(cloud, "d.css")
        world.run(
            until=lambda: any(row.get("timer") == {"S": "flush"} for row in suite.rows(cloud))
        )
        for queue in ("FlushTimersUrl", "WatchTimersUrl"):
            world.client("sqs").purge_queue(QueueUrl=world.outputs[queue])
        world.run(limit_s=900)
        yield world


def signing():
    """Let the function that signs do all that it can, with a key in KMS."""
    with signed.running(parameters={"SigningKeys": "kms"}) as cloud:
        assert cloud.urls(f"https://{signed.HOST}/users/42/a.jpg").status == 200
        yield cloud.world


def rotating():
    """Let the function that rotates keys do all that it can, with keys in KMS."""
    with signed.running(key=None, parameters={"SigningKeys": "kms"}) as cloud:
        world = cloud.world
        functions = {function.name: function for function in world.deployment.functions}
        for _ in range(60):
            outcome = world.call(functions["rotate_keys"], {})
            assert outcome.error is None
            world.virtual_time.advance(
                10 * 86_400 if outcome.answer["step"]["step"] == "Wait" else 300
            )
        assert cloud.urls(f"https://{signed.HOST}/users/42/a.jpg").status == 200
        plan = world.call(functions["rotate_keys"], {"plan": True}).answer
        (signing,) = (key["key_id"] for key in plan["keys"] if key["state"] == "signing")
        cloud.trust(key_pairs.public_pem(signed.private_key()), "unknown")
        world.call(functions["rotate_keys"], {"revoke": signing})
        world.call(functions["rotate_keys"], {})
        cloudfront = world.client("cloudfront")
        found = cloudfront.get_distribution_config(Id=cloud.distribution_id)
        config = found["DistributionConfig"]
        config["DefaultCacheBehavior"]["TrustedKeyGroups"] = {"Enabled": False, "Quantity": 0}
        cloudfront.update_distribution(
            Id=cloud.distribution_id, IfMatch=found["ETag"], DistributionConfig=config
        )
        world.custom("KeyGroup", "Delete", DeleteEverything="yes")
        yield world


@pytest.fixture(scope="module")
def run():
    """Return the roles, and by what of them they allowed what was done, by the functions' names."""
    roles = defaultdict[str, set[Statement]](set)
    uses = defaultdict[str, set[Use]](set)
    for scenario in (invalidating, signing, rotating):
        for world in scenario():
            for function in world.deployment.functions:
                roles[function.name] |= {*function.role}
            for name, used in world.authorization.uses.items():
                uses[name] |= used
    return roles, uses


def parts_of(sid, *, actions, resources, values):
    """Return what may be superfluous of a statement: each action, resource and value."""
    return {
        *((sid, "action", action) for action in actions),
        *((sid, "resource", resource) for resource in resources),
        *((sid, "value", value) for value in values if value not in NO_RIGHTS),
    }


def parts_of_statement(statement):
    values = {value for condition in statement.conditions for value in condition.values}
    return parts_of(
        statement.sid, actions=statement.actions, resources=statement.resources, values=values
    )


def parts_of_use(use):
    values = {value for _, value in use.values}
    return parts_of(use.sid, actions=[use.action], resources=[use.resource], values=values)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_superfluous(run, function):
    """
    Every action, resource and partition that a role allows is used by its function.
    """
    roles, uses = run

    allowed = set().union(*map(parts_of_statement, roles[function]))

    assert allowed - set().union(*map(parts_of_use, uses[function])) == set()
    assert allowed


def test_every_function(run):
    """
    No function is left out.
    """
    roles, _ = run

    assert {*roles} == {*FUNCTIONS}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_ledger(run, function):
    """
    A role names the partitions of the ledger that it reaches, and no action that names none.
    """
    roles, _ = run
    for statement in roles[function]:
        if not any(action.startswith("dynamodb:") for action in statement.actions):
            continue
        conditions = {(c.operator, c.key): c.values for c in statement.conditions}
        assert conditions.keys() == {
            ("ForAllValues:StringLike", "dynamodb:leadingkeys"),
            ("Null", "dynamodb:leadingkeys"),
        }
        assert conditions["Null", "dynamodb:leadingkeys"] == ("false",)
        assert not {"dynamodb:Scan", "dynamodb:*"} & {*statement.actions}
        indexes = {resource.partition("/index/")[2] for resource in statement.resources}
        assert indexes == {""} or (indexes, statement.actions) == ({"overdue"}, ("dynamodb:Query",))


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != "rotate_keys"])
def test_key_group(run, function):
    """
    Only the function that rotates keys reaches the row that names the trusted key group.
    """
    roles, _ = run

    patterns = {
        value
        for statement in roles[function]
        for condition in statement.conditions
        if condition.key == "dynamodb:leadingkeys"
        for value in condition.values
    }

    assert not {pattern for pattern in patterns if "signing-keys".startswith(pattern.rstrip("*"))}


@pytest.mark.parametrize("name", suite.HANDLERS)
def test_refused(name):
    """
    Whoever could run code in a function that invalidates cannot name another key group.
    """

    def write_key_group(_event, _context):
        boto3.client("dynamodb").put_item(
            TableName=os.environ["LEDGER_TABLE"],
            Item={"pk": {"S": "signing-keys"}, "sk": {"S": "group"}, "key_group_id": {"S": "mine"}},
        )

    handlers = suite.HANDLERS | {name: write_key_group}
    parameters = {"UploadBuckets": "site"}
    with stack.inline(suite.TEMPLATE, handlers=handlers, parameters=parameters) as world:
        outcome = world.invoke(name, {})

        assert "AccessDeniedException" in str(outcome.error)
        assert "dynamodb:PutItem" in world.authorization.refused.pop()
        table = world.outputs["LedgerTable"]
        assert world.client("dynamodb").scan(TableName=table)["Items"] == []


def test_refused_is_raised():
    """
    No stack in which a role lacked a right ends as if nothing had been.
    """

    def list_queues(_event, _context):
        with suppress(ClientError):
            boto3.client("sqs").list_queues()

    handlers = suite.HANDLERS | {"sweep": list_queues}
    parameters = {"UploadBuckets": "site"}
    with (
        pytest.raises(MissingPermissionsError, match=r"Sweep is not authorized .* sqs:ListQueues"),
        stack.inline(suite.TEMPLATE, handlers=handlers, parameters=parameters) as world,
    ):
        assert world.invoke("sweep", {}).error is None
