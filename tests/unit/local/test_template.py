"""A template becomes resources in moto, and functions as values."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from local import aws, template
from local.cloudformation import TemplateError
from local.function import Function, ScheduleTrigger
from local.template import Deployment

TOY = Path(__file__).parents[2] / "local" / "toy" / "template.yaml"
Deploy = Callable[..., Deployment]
SCHEDULE = """\
          Type: Schedule
          Properties:
            Schedule: rate(5 minutes)"""


@cache
def client(service: str) -> Any:
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


@pytest.fixture
def deploy():
    def do(path: Path = TOY, parameters: Mapping[str, str] | None = None) -> Deployment:
        return template.deploy(path, parameters=parameters or {}, client=client)

    with mock_aws(), aws.mended():
        yield do


@pytest.fixture
def changed(deploy, tmp_path):
    """Deploy the toy with one piece of its text replaced."""

    def do(old, new, **parameters):
        text = TOY.read_text()
        assert old in text
        path = tmp_path / "template.yaml"
        path.write_text(text.replace(old, new, 1))
        return deploy(path, parameters)

    return do


def named(deployment: Deployment, name: str) -> Function:
    return next(function for function in deployment.functions if function.name == name)


class TestResources:
    def test_created(self, deploy):
        """
        What moto knows exists, and is found by its logical id.
        """
        made = deploy().resources

        assert client("dynamodb").describe_table(TableName=made["Counts"])
        assert client("sqs").get_queue_attributes(
            QueueUrl=made["Changes"], AttributeNames=["RedrivePolicy"]
        )

    def test_absent(self, deploy):
        """
        What is not created is named.
        """
        absent = deploy().absent

        assert {"Relay", "RelayLog", "RelayRole"} <= set(absent)

    def test_list(self, deploy):
        """
        A list's default is split, so that a rule's pattern lists its items.
        """
        made = deploy().resources

        pattern = client("events").describe_rule(Name=made["ObjectsChanged"])["EventPattern"]
        assert json.loads(pattern)["detail"]["bucket"]["name"] == ["site", "media"]

    def test_outputs(self, deploy):
        """
        The outputs are the template's own, resolved, those of functions too.
        """
        deployment = deploy()

        assert deployment.outputs == {
            "RelayArn": f"arn:aws:lambda:us-east-1:{aws.ACCOUNT}:function:autopilot-Relay",
            "ChangesUrl": deployment.resources["Changes"],
        }


class TestFunctions:
    def test_names(self, deploy):
        """
        A function is called as its folder is.
        """
        assert [function.name for function in deploy().functions] == ["relay", "count"]

    def test_same_folder(self, changed):
        """
        Functions that share a folder's name are called by their logical ids.
        """
        deployment = changed("CodeUri: functions/count", "CodeUri: functions/relay")

        assert [function.name for function in deployment.functions] == ["Relay", "Count"]

    def test_globals(self, deploy):
        """
        What all functions share reaches each of them.
        """
        count = named(deploy(), "count")

        assert count.handler == "app.lambda_handler"
        assert count.timeout_s == 20
        assert count.memory_mb == 512

    def test_folders(self, deploy):
        """
        Code and layers lie where the template says, seen from the template.
        """
        relay = named(deploy(), "relay")

        assert relay.folder == TOY.parent / "functions" / "relay"
        assert relay.layers == (TOY.parent / "layer",)

    def test_environment(self, deploy):
        """
        Each variable is a text, with every reference resolved.
        """
        deployment = deploy(parameters={"Delay": "7"})

        assert named(deployment, "relay").environment == {
            "TABLE": deployment.resources["Counts"],
            "CLOCK_URL": deployment.resources["Clock"],
            "DELAY_S": "7",
            "BUS_ARN": f"arn:aws:events:us-east-1:{aws.ACCOUNT}:event-bus/default",
            "COUNT_ARN": named(deployment, "count").arn,
            "VERBOSE": "true",
        }

    def test_conditions(self, deploy):
        """
        Conditions decide about variables and whole functions.
        """
        deployment = deploy(parameters={"Email": "a@example.org"})

        assert named(deployment, "relay").environment["EMAIL"] == "a@example.org"
        assert named(deployment, "mailer")

    def test_unknown_reference(self, changed):
        """
        A reference to nothing is an error, not an empty text.
        """
        with pytest.raises(Exception, match="Nothing"):
            changed("CLOCK_URL: !Ref Clock", "CLOCK_URL: !Ref Nothing")


class TestTriggers:
    def test_queue(self, deploy):
        """
        A queue's mapping says which queue, how much at once, and how failures are told.
        """
        deployment = deploy()

        (trigger,) = named(deployment, "relay").queues

        assert trigger.url == deployment.resources["Changes"]
        assert trigger.arn.endswith(deployment.resources["Changes"].rsplit("/", 1)[-1])
        assert trigger.batch_size == 10
        assert trigger.report_batch_item_failures
        assert trigger.concurrency == 5

    def test_concurrency(self, deploy):
        """
        A mapping's own concurrency lowers the number of its pollers.
        """
        (trigger,) = named(deploy(), "count").queues

        assert trigger.concurrency == 2

    def test_whole_batches(self, changed):
        """
        A mapping without partial answers says so.
        """
        deployment = changed("            FunctionResponseTypes: [ReportBatchItemFailures]\n", "")

        assert not named(deployment, "relay").queues[0].report_batch_item_failures

    def test_schedule(self, deploy):
        """
        A schedule is read with its expression.
        """
        assert named(deploy(), "count").schedules == (
            ScheduleTrigger(
                arn=f"arn:aws:events:us-east-1:{aws.ACCOUNT}:rule/CountOften",
                expression="rate(5 minutes)",
            ),
        )

    def test_scheduler(self, changed):
        """
        EventBridge Scheduler's schedules are read as well, though moto does not create them.
        """
        deployment = changed(
            SCHEDULE,
            "          Type: ScheduleV2\n"
            "          Properties:\n"
            "            ScheduleExpression: rate(1 hour)",
        )

        (schedule,) = named(deployment, "count").schedules
        assert schedule.expression == "rate(1 hour)"

    def test_disabled(self, changed):
        """
        What is switched off does not run.
        """
        deployment = changed(
            "            Schedule: rate(5 minutes)",
            "            Schedule: rate(5 minutes)\n            Enabled: false",
        )

        assert named(deployment, "count").schedules == ()

    def test_window(self, changed):
        """
        What is not emulated is refused, not left out.
        """
        with pytest.raises(TemplateError, match="windows"):
            changed("BatchSize: 5", "BatchSize: 5\n            MaximumBatchingWindowInSeconds: 5")

    def test_events(self, changed):
        """
        A rule that rings a function with events is refused, for nobody would ring it.
        """
        with pytest.raises(TemplateError, match="queues only"):
            changed(
                SCHEDULE,
                "          Type: EventBridgeRule\n"
                "          Properties:\n"
                "            Pattern: {source: [aws.s3]}",
            )


class TestParameters:
    def test_missing(self, changed):
        """
        A parameter without a default must be given.
        """
        with pytest.raises(TemplateError, match="Buckets has no default"):
            changed("    Default: site,media\n", "")

    def test_unknown(self, deploy):
        """
        A parameter that the template does not have is an error.
        """
        with pytest.raises(TemplateError, match="no such parameter: Speed"):
            deploy(parameters={"Speed": "9"})

    def test_constraint(self, deploy):
        """
        A value outside of the template's constraints is an error.
        """
        with pytest.raises(TemplateError, match="Delay must not be '61'"):
            deploy(parameters={"Delay": "61"})

    def test_not_sam(self, changed):
        """
        What the translator refuses is said in its words.
        """
        with pytest.raises(TemplateError, match="Relay"):
            changed("CodeUri: functions/relay/", "Nonsense: 1")


class TestSettings:
    def test_own(self, deploy, monkeypatch):
        """
        A developer's AWS settings neither help nor hinder.
        """
        monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
        template._translated.cache_clear()

        assert "us-east-1" in deploy().outputs["RelayArn"]
