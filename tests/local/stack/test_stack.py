"""The stack runs a template whole: inline in this thread, and embedded in processes."""

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from local import inprocess, stack
from local.custom_resources import CustomResourceError
from local.faults import Crash, Does, Rule
from local.function import Outcome
from local.inprocess import NoHandlerError, NoWorldError
from local.world import UnknownFunctionError, World
from tests import work

TOY = Path(__file__).parents[1] / "toy" / "template.yaml"
START = datetime(2026, 11, 22, 8, tzinfo=UTC).timestamp()


def relay(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Do as the toy's relay does."""
    for record in event["Records"]:
        count("changes", 1)
        boto3.client("sqs").send_message(
            QueueUrl=os.environ["TIMERS_URL"],
            MessageBody=json.loads(record["body"])["detail"]["object"]["key"],
            DelaySeconds=int(os.environ["DELAY_S"]),
        )
    return {"batchItemFailures": []}


def count_timers(event: dict[str, Any], _context: Any) -> None:
    """Do as the toy's count does."""
    count("timers" if "Records" in event else "schedule", len(event.get("Records", "1")))


def count(name: str, number: int) -> None:
    boto3.client("dynamodb").update_item(
        TableName=os.environ["TABLE"],
        Key={"pk": {"S": name}},
        UpdateExpression="ADD n :n",
        ExpressionAttributeValues={":n": {"N": str(number)}},
    )


def inline(path: Path = TOY, **changes: Any) -> Any:
    handlers = {"relay": relay, "count": count_timers} | changes.pop("handlers", {})
    return stack.inline(path, handlers=handlers, **{"parameters": {}, **changes})


def with_bucket(world: World) -> World:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="site")
    s3.put_bucket_notification_configuration(
        Bucket="site", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    return world


def upload(world: World, *keys: str) -> None:
    for key in keys:
        world.client("s3").put_object(Bucket="site", Key=key, Body=b"hello")


def counted(world: World) -> dict[str, int]:
    rows = world.client("dynamodb").scan(
        TableName=world.deployment.resources["Counts"], ConsistentRead=True
    )["Items"]
    return {row["pk"]["S"]: int(row["n"]["N"]) for row in rows}


@pytest.fixture
def world() -> Iterator[World]:
    with inline() as started:
        yield with_bucket(started)


class TestRun:
    def test_settles(self, world):
        """
        An upload passes rule, queue and functions, until nothing is left.
        """
        upload(world, "a", "b")

        assert world.settle()

        assert counted(world) == {"changes": 2, "timers": 2}

    def test_until(self, world):
        """
        The stack runs no further than until what is waited for holds.
        """
        upload(world, "a")

        assert world.run(until=lambda: counted(world) == {"changes": 1})

        assert world.virtual_time.now() < START + 2

    def test_limit(self, world):
        """
        After the limit the stack stops, at the limit, and says that it did not hold.
        """
        began = world.virtual_time.now()

        assert not world.run(until=lambda: False, limit_s=100)

        assert world.virtual_time.now() == pytest.approx(began + 100, abs=0.01)

    def test_jumps(self, world):
        """
        Where nothing can begin time goes to the next thing that can.
        """
        upload(world, "a")
        world.settle()

        began = [invocation.began_at - START for invocation in world.invocations]
        assert began == [pytest.approx(0, abs=0.1), pytest.approx(2, abs=0.1)]

    def test_schedule(self, world):
        """
        Schedules invoke by virtual time.
        """
        world.run(limit_s=1000)

        assert counted(world) == {"schedule": 3}

    def test_still_between(self, world):
        """
        Nothing is delivered, and time does not jump, while nobody drives the stack.
        """
        upload(world, "a")

        assert world.invocations == []
        assert world.virtual_time.now() < START + 0.1

    def test_fails(self):
        """
        What fails comes again after its queue's visibility, and in the end to the dead letters.
        """

        def fail(_event: Any, _context: Any) -> None:
            raise ValueError("never")

        with inline(handlers={"relay": fail}) as started:
            upload(with_bucket(started), "a")

            assert started.settle()

            began = [i.began_at - START for i in started.invocations if i.function == "relay"]
            assert began == [pytest.approx(s, abs=0.1) for s in (0, 120, 240)]
            assert "ValueError: never" in started.logs("relay")
            url = started.deployment.resources["DeadLetters"]
            assert started.client("sqs").receive_message(QueueUrl=url)["Messages"]

    def test_times_out(self):
        """
        A function whose call to AWS lasts too long ends when its time is over.
        """
        with inline() as started:
            started.faults.rules.append(Rule(does=Does.TIME_OUT, operation="UpdateItem"))
            upload(with_bucket(started), "a")
            started.run(until=lambda: bool(started.invocations))

            (ended,) = started.invocations
            assert ended.outcome.timed_out
            assert str(ended.outcome.error).endswith("Task timed out after 20.00 seconds")
            assert started.virtual_time.now() == pytest.approx(ended.began_at + 20, abs=0.01)

    @pytest.mark.parametrize("request_of", ["queue", "call"])
    def test_stopped(self, world, request_of):
        """
        A function without concurrency is throttled, and what was meant for it waits.
        """
        world.stopped.add("relay")
        upload(world, "a")
        if request_of == "call":
            assert world.invoke("relay", {}).throttled
        world.run(limit_s=10)
        assert not world.invocations

        world.stopped.clear()
        world.settle()
        assert counted(world)["timers"] == 1

    def test_status_change(self, world):
        """
        Virtual time also stops where CloudFront changes something.
        """
        cloudfront = world.client("cloudfront")
        config = {
            "CallerReference": "x",
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "o",
                        "DomainName": "site.s3.us-east-1.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "o",
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            },
        }
        made = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]

        def deployed() -> bool:
            found = cloudfront.get_distribution(Id=made["Id"])["Distribution"]
            return bool(found["Status"] == "Deployed")

        assert made["Status"] == "InProgress"
        assert world.run(until=deployed, limit_s=299)
        assert world.virtual_time.now() < START + 190


class TestInline:
    def test_repeats(self):
        """
        Two runs with the same seed are the same in every event, call and moment.
        """
        seen = []
        for _ in range(2):
            with inline(seed=5) as started:
                upload(with_bucket(started), "a", "b")
                started.run(limit_s=400)
                seen.append((started.invocations, started.faults.calls, started.virtual_time.now()))

        assert seen[0] == seen[1]

    def test_undone(self):
        """
        Afterwards session, environment, time and sleep are what they were.
        """
        before = (boto3.DEFAULT_SESSION, dict(os.environ), time.sleep)
        began, real = time.perf_counter(), time.time()

        with inline() as started:
            upload(with_bucket(started), "a")
            started.settle()

        assert (boto3.DEFAULT_SESSION, dict(os.environ), time.sleep) == before
        assert 0 <= time.time() - real <= time.perf_counter() - began + 0.01

    def test_environment(self, monkeypatch):
        """
        A handler finds what its process would: the template's variables, and Lambda's.
        """
        monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
        found: dict[str, str] = {}

        def look(_event: Any, context: Any) -> None:
            found.update(os.environ)
            found["name"] = context.function_name

        with inline(handlers={"relay": look}) as started:
            upload(with_bucket(started), "a")
            started.settle()

        assert found["TIMERS_URL"].startswith("https://sqs.us-east-1.amazonaws.com/")
        assert found["name"] == found["AWS_LAMBDA_FUNCTION_NAME"] == "autopilot-Relay"
        assert not {"AWS_PROFILE", "PATH", "HOME"} & set(found)

    def test_callers(self, world):
        """
        The log of calls tells who made each.
        """
        upload(world, "a")
        world.settle()

        callers = [(call.caller, call.operation) for call in world.faults.calls]
        assert callers[-4:] == [
            ("outside", "PutObject"),
            ("relay", "UpdateItem"),
            ("relay", "SendMessage"),
            ("count", "UpdateItem"),
        ]

    @pytest.mark.parametrize(("does", "changes"), [("crash before", 1), ("crash after", 2)])
    def test_crash(self, world, does, changes):
        """
        A crash before a call leaves nothing of it, one after it all; the message comes again.
        """
        world.faults.rules.append(Rule(does=Does(does), caller="relay", operation="UpdateItem"))
        upload(world, "a")

        world.settle()

        assert counted(world) == {"changes": changes, "timers": 1}
        assert "crashed" in str(world.invocations[0].outcome.error)

    def test_crash_passes(self, world):
        """
        No handler of errors keeps a crash from ending an invocation.
        """
        world.faults.rules.append(Rule(does=Does.CRASH_BEFORE, operation="ListQueues"))

        with pytest.raises(Crash):
            world.client("sqs").list_queues()

    def test_sleep(self):
        """
        What a handler sleeps passes in virtual time, and at once.
        """
        slept_s = []

        def doze(_event: Any, _context: Any) -> None:
            began = time.perf_counter()
            time.sleep(15)
            slept_s.append(time.perf_counter() - began)

        with inline(handlers={"relay": doze}) as started:
            upload(with_bucket(started), "a")
            started.settle()

            assert started.virtual_time.now() > START + 15
        assert [real_s < 15 for real_s in slept_s] == [True]

    def test_kept_clients(self):
        """
        A client that a handler keeps reaches the next stack, and nothing when there is none.
        """
        kept: list[Any] = []

        def keep(event: dict[str, Any], context: Any) -> None:
            kept.append(boto3.client("sqs"))
            relay(event, context)

        for _ in range(2):
            with inline(handlers={"relay": keep}) as started:
                upload(with_bucket(started), "a")
                started.settle()
                assert len(kept[0].list_queues()["QueueUrls"]) == 3

        with pytest.raises(NoWorldError):
            kept[0].list_queues()

    def test_handlers(self):
        """
        A function without a handler is named.
        """
        with (
            pytest.raises(NoHandlerError, match="count"),
            stack.inline(TOY, parameters={}, handlers={"relay": relay}),
        ):
            pass

    def test_one(self, world):
        """
        There is one inline stack at a time, for there is one virtual time.
        """
        with pytest.raises(RuntimeError, match="one inline stack"), inline():
            pass

    def test_often(self):
        """
        Stacks are cheap: each with an upload takes the work of the one before, not of the first.
        """

        def one_upload() -> None:
            with inline() as started:
                upload(with_bucket(started), "a")
                started.settle()

        one_upload()
        counts = [work.calls(one_upload) for _ in range(9)]

        assert max(counts) < 1.05 * min(counts)
        assert max(counts) < 200_000

    def test_outside(self, world):
        """
        Outside a run nobody is a function.
        """
        inprocess.client("sqs").list_queues()

        assert world.faults.calls[-1].caller == "outside"


class TestInvoke:
    def test_answer(self):
        """
        A function is invoked directly: in the caller's thread, with its own environment, and noted.
        """
        seen: list[Any] = []

        def look(event: Any, context: Any) -> dict[str, str]:
            seen.append((event, context.function_name, threading.current_thread()))
            return {"table": os.environ["TABLE"]}

        with inline(handlers={"relay": look}) as started:
            outcome = started.invoke("relay", {"revoke": "K1"})

            assert outcome == Outcome(answer={"table": started.deployment.resources["Counts"]})
            assert seen == [({"revoke": "K1"}, "autopilot-Relay", threading.current_thread())]
            (noted,) = started.invocations
            assert (noted.function, noted.event) == ("relay", {"revoke": "K1"})
            assert noted.outcome == outcome

    def test_fails(self, world):
        """
        What it raises is its answer, a crash too, and it is tried once.
        """
        world.faults.rules.append(Rule(does=Does.CRASH_BEFORE, caller="count"))

        assert world.invoke("relay", {}).error == "KeyError: 'Records'"
        assert world.invoke("count", {}).error == "crashed before dynamodb UpdateItem"
        world.run(limit_s=200)

        assert len(world.invocations) == 2

    def test_unknown(self, world):
        """
        A function that is not there is named.
        """
        with pytest.raises(UnknownFunctionError, match="nothing"):
            world.invoke("nothing", {})


class TestCustomResources:
    @staticmethod
    def badge(event: dict[str, Any], _context: Any) -> None:
        """Do as the toy's issue_badge does."""
        count(f"badge {event['RequestType']}", 1)
        copied = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
        answer = {"Status": "SUCCESS", "PhysicalResourceId": "badge-7", "Data": {"Number": 7}}
        put = urllib.request.Request(
            event["ResponseURL"],
            json.dumps(copied | answer).encode(),
            {"Content-Type": ""},
            method="PUT",
        )
        urllib.request.urlopen(put).close()

    def test_made(self):
        """
        A handler answers for the custom resource; its calls and runs are the deployment's.
        """
        handlers = {"issue_badge": self.badge}
        with inline(handlers=handlers, parameters={"Holder": "ada"}) as started:
            assert started.outputs["BadgeId"] == "badge-7"
            assert started.faults.calls == []
            assert started.invocations == []

            assert started.custom("Badge", "Update", Level=4).attributes == {"Number": "7"}

            (update,) = started.invocations
            assert update.event["ResourceProperties"]["Level"] == "4"
            assert counted(started) == {"badge Create": 1, "badge Update": 1}

    def test_crash(self):
        """
        A handler that crashed is run again, a minute later, with the same event.
        """
        handlers = {"issue_badge": self.badge}
        with inline(handlers=handlers, parameters={"Holder": "ada"}) as started:
            began = started.virtual_time.now()
            rule = Rule(does=Does.CRASH_AFTER, caller="issue_badge", operation="UpdateItem")
            started.faults.rules.append(rule)

            started.custom("Badge", "Update")

            first, second = started.invocations
            assert (first.event, first.outcome.error) == (
                second.event,
                "crashed after dynamodb UpdateItem",
            )
            assert second.began_at - began == pytest.approx(60, abs=1)

    def test_failed(self):
        """
        A stack whose custom resource fails is not made, and says why.
        """

        def fail(_event: Any, _context: Any) -> None:
            raise ValueError("no paper")

        handlers = {"issue_badge": fail}
        with (
            pytest.raises(CustomResourceError, match="to Create: ValueError: no paper"),
            inline(handlers=handlers, parameters={"Holder": "ada"}),
        ):
            pass

    def test_no_handler(self):
        """
        So is one whose function has no handler.
        """
        with (
            pytest.raises(NoHandlerError, match="issue_badge"),
            inline(parameters={"Holder": "ada"}),
        ):
            pass

    def test_extension(self, tmp_path):
        """
        Already then its function has the extension for secrets.
        """
        ports: list[str | None] = []

        def look(event: dict[str, Any], context: Any) -> None:
            ports.append(os.environ.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"))
            self.badge(event, context)

        code = "      CodeUri: functions/issue_badge"
        path = tmp_path / "template.yaml"
        path.write_text(TOY.read_text().replace(code, f"{code}\n      Layers: [!Ref ExtensionArn]"))
        with inline(path, handlers={"issue_badge": look}, parameters={"Holder": "ada"}):
            pass

        assert ports[0] is not None


@pytest.fixture(scope="module")
def whole() -> Iterator[World]:
    with stack.embedded(TOY, parameters={"Holder": "ada"}) as started:
        yield with_bucket(started)


class TestEmbedded:
    """One stack for all of these; each looks at what it added."""

    def test_settles(self, whole):
        """
        An upload passes rule, queues and processes, until nothing is left.
        """
        upload(whole, *(f"key {number}" for number in range(25)))
        began = whole.virtual_time.now()

        assert whole.settle()

        assert counted(whole)["changes"] == counted(whole)["timers"] == 25
        assert whole.virtual_time.now() - began >= 2

    def test_logs(self, whole):
        """
        What functions print is kept by function.
        """
        upload(whole, "a+b c")

        whole.settle()

        assert "changed a+b c" in whole.logs("relay")
        assert not any("changed" in line for line in whole.logs("count"))

    def test_schedule(self, whole):
        """
        Five minutes of virtual time pass in a part of them, and schedules are due.
        """
        began, virtual = time.perf_counter(), whole.virtual_time.now()

        assert whole.run(until=lambda: "schedule" in counted(whole), limit_s=301)

        passed_s = whole.virtual_time.now() - virtual
        assert passed_s > 0
        assert time.perf_counter() - began < passed_s / 2

    def test_custom(self, whole):
        """
        A process answers for the custom resource, when the stack is made and later.
        """
        assert whole.outputs["BadgeId"] == "badge-of-ada"
        whole.invocations.clear()

        whole.custom("Badge", "Delete")
        with pytest.raises(CustomResourceError, match="nobody gets no badge"):
            whole.custom("Badge", "Update", Holder="nobody")

        requests = [invocation.event["RequestType"] for invocation in whole.invocations]
        assert requests == ["Delete", "Update"]
        assert counted(whole)["badge Create"] == counted(whole)["badge Delete"] == 1

    def test_invoke(self, whole):
        """
        A function can be invoked directly, and its answer is given.
        """
        outcome = whole.invoke("issue_badge", {"plan": True})

        assert outcome.answer == {"asked": {"plan": True}}
        assert whole.invocations[-1].outcome == outcome

    def test_callers(self, whole):
        """
        Each function's calls are known as its own.
        """
        whole.faults.restart()
        upload(whole, "a")

        whole.settle()

        seen = {(call.caller, call.operation) for call in whole.faults.calls}
        assert ("relay", "SendMessage") in seen
        assert ("count", "UpdateItem") in seen
        assert ("outside", "PutObject") in seen

    @pytest.mark.parametrize(("does", "more"), [("crash before", 1), ("crash after", 2)])
    def test_crash(self, whole, does, more):
        """
        A crash ends the process before or after its call, and its message comes again.
        """
        before = counted(whole).get("changes", 0)
        whole.faults.restart()
        whole.faults.rules[:] = [Rule(does=Does(does), caller="relay", operation="UpdateItem")]
        upload(whole, "a")

        whole.settle()

        whole.faults.rules.clear()
        assert counted(whole)["changes"] - before == more
        assert any("SIGKILL" in str(i.outcome.error) for i in whole.invocations)

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into processes by /proc")
    def test_https(self, whole):
        """
        With the proxy and the authority that functions are given, an https host is the edge.
        """
        upload(whole, "a")
        whole.settle()
        environments = [
            Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            for process in whole.processes()
        ]
        context = ssl.create_default_context(cafile=whole.edge_authority)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": whole.edge_url}),
            urllib.request.HTTPSHandler(context=context),
        )

        with pytest.raises(urllib.error.HTTPError) as refused:
            opener.open("https://no.such.host/", timeout=5)
        refused.value.close()

        given = {
            f"HTTPS_PROXY={whole.edge_url}".encode(),
            f"SSL_CERT_FILE={whole.edge_authority}".encode(),
        }
        assert refused.value.headers["via"].endswith("(CloudFront)")
        assert environments
        assert all(given <= set(one) for one in environments)

    def test_edge(self, whole):
        """
        The edge listens, and knows no distribution of that name.
        """
        asked = urllib.request.Request(whole.edge_url, headers={"Host": "no.such.host"})

        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(asked)


MACHINE = """\
import json, sys, time
addresses = set()

def look(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        addresses.add(args[1][0])
    if event == "socket.getaddrinfo":
        addresses.add(str(args[0]))

sys.addaudithook(look)
from tests.local.stack.test_stack import TOY, counted, stack, upload, with_bucket

with stack.embedded(TOY, parameters={}) as world:
    upload(with_bucket(world), *"abcdefghijkl")
    world.settle()
    print(json.dumps([sorted(addresses), counted(world), world.processes()]), flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Run a stack among hostile settings, then interrupt it."""
    home = tmp_path_factory.mktemp("home")
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(
        "[default]\nregion = eu-west-3\nendpoint_url = http://192.0.2.1\n"
    )
    settings = {
        "HOME": str(home),
        "AWS_ENDPOINT_URL": "http://192.0.2.2",
        "AWS_PROFILE": "does-not-exist",
        "AWS_CA_BUNDLE": "/does/not/exist",
        "HTTP_PROXY": "http://192.0.2.3:1",
        "http_proxy": "http://192.0.2.3:1",
        "PYTHONPATH": str(TOY.parents[3]),
    }
    with subprocess.Popen(
        [sys.executable, "-c", MACHINE],
        cwd=TOY.parents[3],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        assert line, errors
        return {"said": json.loads(line), "errors": errors, "status": process.wait(20)}


class TestMachine:
    """A stack in a process of its own, on a machine with settings of all kinds, and Ctrl-C."""

    def test_loopback(self, ended):
        """
        Nobody in the stack's process speaks to anything but this machine.
        """
        addresses, _, _ = ended["said"]

        assert set(addresses) == {"127.0.0.1"}

    def test_settings(self, ended):
        """
        A user's settings for AWS, for proxies and for certificates change nothing.
        """
        _, seen, _ = ended["said"]

        assert seen == {"changes": 12, "timers": 12}

    def test_interrupted(self, ended):
        """
        Ctrl-C ends it as any program, and nothing else is said.
        """
        assert ended["status"] == -signal.SIGINT
        assert ended["errors"].rstrip().endswith("KeyboardInterrupt")

    def test_no_process_left(self, ended):
        """
        No function's process is left.
        """
        _, _, pids = ended["said"]

        assert pids
        assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
