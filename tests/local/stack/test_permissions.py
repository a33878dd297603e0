"""Each role allows what its function does, and nothing that it does not."""

import os
from collections import defaultdict
from contextlib import contextmanager, suppress

import boto3
import pytest
from botocore.exceptions import ClientError

from cdn.aws import rows
from cdn.invalidation import changes
from cdn.invalidation.changes import Change
from cdn.signing import key_pairs
from local import stack
from local.authorization import MissingPermissionsError
from local.faults import Does, Rule
from local.role_policies import Statement, Use
from tests.local import signed, suite

# A Null of a condition holds for whatever meets the rest of it.
NO_RIGHTS = {"true", "false"}
FUNCTIONS = [*suite.HANDLERS, "sign_access", "rotate_keys"]
PARAMETERS = {"UploadBuckets": "site", "DailyItems": "10"}


def collected(cloud, *keys):
    """Upload files, and let their changes be collected, but not planned."""
    suite.upload(cloud, *keys)
    cloud.world.run(until=lambda: cloud.world.invocations[-1].function == "collect_changes")


def lose(cloud, *queues):
    """Lose all messages of the queues that these outputs name."""
    for queue in queues:
        cloud.world.client("sqs").purge_queue(QueueUrl=cloud.world.outputs[queue])


def refuse(cloud, code, *, times):
    """Let CloudFront refuse the next invalidations."""
    made = sum(call.operation == "CreateInvalidation" for call in cloud.world.faults.calls)
    cloud.world.faults.rules.append(
        Rule(
            does=Does.FAIL,
            operation="CreateInvalidation",
            status=400,
            code=code,
            nth=made + 1,
            times=times,
        )
    )


@contextmanager
def dying(cloud, caller, operation=None):
    """Let a function die before each call meanwhile, or before each of an operation."""
    rule = Rule(does=Does.CRASH_BEFORE, caller=caller, operation=operation, times=None)
    cloud.world.faults.rules.append(rule)
    yield
    cloud.world.faults.rules.remove(rule)


def watching():
    """Watch a deployment and many invalidations, of which one was created before."""
    with suite.running(parameters=PARAMETERS) as cloud:
        refuse(cloud, "InvalidationBatchAlreadyExists", times=1)
        suite.upload(cloud, "a.css", "b.css")
        suite.watch(cloud, suite.update(cloud, Comment="new"))
        cloud.world.run(until=lambda: len(cloud.invalidations()) > 1)
        suite.invalidate(cloud, times=100)
        cloud.world.settle()
        yield cloud.world


def refusing():
    """Skip a change, halve a batch down to the item that is refused, and hold what is too much."""
    with suite.running(parameters=PARAMETERS) as cloud:
        suite.upload(cloud, "a/../b.html")
        cloud.world.settle()
        refuse(cloud, "InvalidArgument", times=2)
        suite.upload(cloud, "a.css", "b.css")
        cloud.world.settle()
        suite.upload(cloud, *(f"{number}/page.html" for number in range(8)))
        cloud.world.run(limit_s=120)
        yield cloud.world


def giving_up():
    """Dead-letter a change that nobody can plan, a message that nobody can read, and a flush."""
    with suite.running(parameters=PARAMETERS) as cloud:
        world, ledger = cloud.world, suite.ledger(cloud)
        world.client("sqs").send_message(QueueUrl=world.outputs["UploadsUrl"], MessageBody="[")
        collected(cloud, *(f"{number}/page.html" for number in range(4)))
        (row,) = ledger.query_all(rows.all_changes("site"))
        bad = Change("3/\ud800.html", "created", "BAD", 1)
        (packed,) = changes.pack([*changes.unpack(row["changes"]), bad])
        ledger.update(rows.key_of(row), put={"changes": packed})
        world.settle()
        suite.break_lists(cloud, times=12)
        suite.upload(cloud, "a.css")
        world.run(limit_s=13 * 3_600)
        yield world


def losing():
    """Lose timers of each kind, a flush row, a plan, and a distribution."""
    with suite.running(parameters=PARAMETERS) as cloud:
        world, ledger = cloud.world, suite.ledger(cloud)
        collected(cloud, "a.css")
        suite.watch(cloud, suite.update(cloud, Comment="new"))
        lose(cloud, "FlushTimersUrl", "WatchTimersUrl")
        world.run(limit_s=900)
        with dying(cloud, "collect_changes", "UpdateItem"):
            collected(cloud, "b.css")
            lose(cloud, "UploadsUrl")
        world.run(limit_s=900)
        with dying(cloud, "plan_invalidations", "SendMessage"):
            collected(cloud, "c.css")
            world.run(limit_s=30)
        world.run(limit_s=900)
        with dying(cloud, "sweep"):
            with dying(cloud, "plan_invalidations", "SendMessage"):
                collected(cloud, "d.css")
                world.run(limit_s=30)
            for row in ledger.query(rows.plans_since("site", 0)):
                ledger.delete([rows.key_of(row)])
            world.run(limit_s=900)
        cloudfront = world.client("cloudfront")
        etag = suite.update(cloud, Enabled=False)
        world.run(limit_s=900)
        cloudfront.delete_distribution(Id=cloud.distribution_id, IfMatch=etag)
        suite.upload(cloud, "e.css")
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
    for scenario in (watching, refusing, giving_up, losing, signing, rotating):
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


@pytest.mark.prove
@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_superfluous(run, function):
    """
    Every action, resource and partition that a role allows is used by its function.
    """
    roles, uses = run

    allowed = set().union(*map(parts_of_statement, roles[function]))

    assert allowed - set().union(*map(parts_of_use, uses[function])) == set()
    assert allowed


@pytest.mark.prove
def test_every_function(run):
    """
    No function is left out.
    """
    roles, _ = run

    assert {*roles} == {*FUNCTIONS}


@pytest.mark.prove
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


@pytest.mark.prove
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
