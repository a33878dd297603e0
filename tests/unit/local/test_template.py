"""A template becomes resources in moto, and functions as values."""

import http.client
import json
import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from moto import mock_aws

from local import aws, template
from local.cloudformation import TemplateError
from local.custom_resources import CustomResources
from local.function import Authorizer, Cors, Function, Outcome, ScheduleTrigger
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
def requests():
    """Which function got which request."""
    return []


@pytest.fixture
def custom_resources(requests):
    """
    Whatever function is asked, it makes a badge.
    """

    def call(function, event):
        requests.append((function, event))
        answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")} | {
            "Status": "SUCCESS",
            "PhysicalResourceId": "badge-7",
            "Data": {"Number": "7"},
        }
        url = urlsplit(event["ResponseURL"])
        connection = http.client.HTTPConnection(url.netloc)
        connection.request("PUT", f"{url.path}?{url.query}", json.dumps(answer))
        assert connection.getresponse().status == 200
        connection.close()
        return Outcome()

    return CustomResources(call=call, wait=lambda _: None, random=random.Random(0))


@pytest.fixture
def deploy(custom_resources):
    def do(path: Path = TOY, parameters: Mapping[str, str] | None = None) -> Deployment:
        return template.deploy(
            path, parameters=parameters or {}, client=client, custom=custom_resources
        )

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
            "TIMERS_URL": deployment.resources["Timers"],
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
            changed("TIMERS_URL: !Ref Timers", "TIMERS_URL: !Ref Nothing")


class TestTriggers:
    def test_queue(self, deploy):
        """
        A queue's mapping says which queue, how much at once, and how failures are reported.
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
        A rule that invokes a function with events is refused, for nobody would invoke it.
        """
        with pytest.raises(TemplateError, match="queues only"):
            changed(
                SCHEDULE,
                "          Type: EventBridgeRule\n"
                "          Properties:\n"
                "            Pattern: {source: [aws.s3]}",
            )


class TestHttpApis:
    ISSUER = "https://identity.example"

    @pytest.fixture
    def api(self, deploy):
        (api,) = deploy(parameters={"Issuer": self.ISSUER}).apis
        return api

    @pytest.fixture
    def refused(self, changed):
        """
        Deploy with one piece of the template replaced, and tell why that is refused.
        """

        def do(old, new, why):
            with pytest.raises(TemplateError, match=why):
                changed(old, new, Issuer=self.ISSUER)

        return do

    def test_name(self, api):
        """
        An API has the name that the template's references give it.
        """
        assert api.logical_id == "Api"
        assert api.host == f"{api.api_id}.execute-api.us-east-1.amazonaws.com"

    def test_routes(self, api):
        """
        Each event of a function is a route to it.
        """
        routes = {route.key: route.function.name for route in api.routes}

        assert routes == {
            "GET /open": "greet",
            "GET /word": "greet",
            "ANY /things/{proxy+}": "greet",
        }

    def test_authorizer(self, api):
        """
        A route has the API's authorizer and its own scopes, unless it says that it is open.
        """
        viewers = Authorizer(
            issuer=self.ISSUER,
            audience=("toy",),
            identity_source="$request.header.Authorization",
        )

        asked = {route.key: (route.authorizer, route.scopes) for route in api.routes}

        assert asked == {
            "GET /open": (None, ()),
            "GET /word": (viewers, ()),
            "ANY /things/{proxy+}": (viewers, ("write",)),
        }

    def test_cors(self, api):
        """
        What other origins may do is read.
        """
        assert api.cors == Cors(
            allow_origins=("https://www.example.org", "https://example.net"),
            allow_methods=("GET", "POST"),
            allow_headers=("authorization",),
            allow_credentials=True,
            max_age_s=600,
        )

    def test_cors_for_all(self, changed):
        """
        The short form of CORS allows any origin.
        """
        text = TOY.read_text()
        start, end = text.index("      CorsConfiguration:"), text.index("\n  Word:")

        deployment = changed(text[start:end], "      CorsConfiguration: true\n", Issuer=self.ISSUER)

        assert deployment.apis[0].cors == Cors(allow_origins=("*",))

    def test_conditioned_away(self, deploy):
        """
        An API whose condition does not hold is not there.
        """
        assert deploy().apis == ()

    def test_implicit(self, changed):
        """
        Events that name no API share one, which catches all where they say no more.
        """
        deployment = changed(
            SCHEDULE,
            "          Type: HttpApi",
        )

        (api,) = deployment.apis
        assert api.logical_id == "ServerlessHttpApi"
        assert api.cors is None
        (route,) = api.routes
        assert (route.key, route.function.name, route.authorizer) == ("$default", "count", None)

    def test_default_scopes(self, changed):
        """
        An authorizer's scopes hold for routes that have none of their own.
        """
        deployment = changed(
            "            JwtConfiguration:",
            "            AuthorizationScopes: [read]\n            JwtConfiguration:",
            Issuer=self.ISSUER,
        )

        scopes = {route.key: route.scopes for route in deployment.apis[0].routes}
        assert scopes["GET /word"] == ("read",)
        assert scopes["ANY /things/{proxy+}"] == ("write",)

    def test_other_authorizer(self, refused):
        """
        An authorizer that is a function is refused.
        """
        refused(
            "            IdentitySource: $request.header.Authorization\n"
            "            JwtConfiguration:\n"
            "              issuer: !Ref Issuer\n"
            "              audience: [toy]\n",
            "            FunctionArn: !GetAtt Count.Arn\n"
            "            AuthorizerPayloadFormatVersion: 2.0\n",
            "only JWT",
        )

    def test_other_source(self, refused):
        """
        So is a token that is looked for where it cannot be here.
        """
        refused("$request.header.Authorization", "$context.path", "identity source")

    def test_other_payload(self, refused):
        """
        So is the old payload format.
        """
        refused(
            "            Path: /word",
            "            Path: /word\n            PayloadFormatVersion: '1.0'",
            "payload format 2.0",
        )

    def test_other_stage(self, refused):
        """
        So is a stage of another name.
        """
        refused(
            "      CorsConfiguration:",
            "      StageName: v1\n      CorsConfiguration:",
            "at .default",
        )


class TestExtension:
    def test_foreign_layer(self, deploy):
        """
        A function with a layer that is not the template's has the extension for secrets.
        """
        deployment = deploy(parameters={"Issuer": "https://identity.example"})

        assert named(deployment, "greet").secrets_extension
        assert not named(deployment, "relay").secrets_extension

    def test_own_layers(self, deploy):
        """
        Its other layers are found as ever.
        """
        deployment = deploy(parameters={"Issuer": "https://identity.example"})

        assert named(deployment, "greet").layers == (TOY.parent / "layer",)


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


class TestCustomResources:
    def test_made(self, deploy, requests):
        """
        Its function gets what the template says, and what that answers is referred to.
        """
        deployment = deploy(parameters={"Holder": "ada"})

        ((function, event),) = requests
        table = deployment.resources["Counts"]
        assert function.arn == named(deployment, "issue_badge").arn
        assert function.environment == {"TABLE": table}
        assert event["ResourceProperties"] == {
            "ServiceToken": function.arn,
            "Holder": "ada",
            "Level": "3",
            "Doors": ["site", "media"],
            "Rules": {"guest": "true", "of": table},
        }
        assert deployment.resources["Badge"] == "badge-7"
        assert deployment.outputs["BadgeId"] == "badge-7"
        number = client("ssm").get_parameter(Name=deployment.resources["BadgeNumber"])
        assert number["Parameter"]["Value"] == "7"

    def test_role(self, deploy, requests):
        """
        Its function has by then no policy that itself waits for the resource.
        """
        deployment = deploy(parameters={"Holder": "ada"})

        ((function, _),) = requests
        allowed = [
            {action for statement in role for action in statement.actions if "dynamodb" in action}
            for role in (function.role, named(deployment, "issue_badge").role)
        ]
        assert allowed == [{"dynamodb:UpdateItem"}, {"dynamodb:UpdateItem", "dynamodb:GetItem"}]

    def test_conditioned_away(self, deploy, requests):
        """
        One whose condition does not hold is not asked for.
        """
        deployment = deploy()

        assert requests == []
        assert "Badge" in deployment.absent

    def test_others_environment(self, changed):
        """
        Another function may have it in its environment.
        """
        deployment = changed("          VERBOSE: true", "          BADGE: !Ref Badge", Holder="ada")

        assert named(deployment, "relay").environment["BADGE"] == "badge-7"

    @pytest.mark.parametrize(
        ("to", "circle"),
        [
            ("Environment: { Variables: { B: !Ref Badge } }", "Badge IssueBadge"),
            (
                "Environment: { Variables: { N: !Ref BadgeNumber } }",
                "Badge BadgeNumber IssueBadge",
            ),
            (
                "Policies: { Statement: { Effect: Allow, Action: a:B, Resource: !Ref Badge } }",
                "Badge IssueBadgeCounts IssueBadgeRole",
            ),
        ],
    )
    def test_own_circle(self, changed, requests, to, circle):
        """
        The function that makes it cannot know of it, in its environment or its role.
        """
        path = "      CodeUri: functions/issue_badge"

        with pytest.raises(TemplateError, match="circular reference: ") as refused:
            changed(path, f"{path}\n      {to}", Holder="ada")

        named = str(refused.value).removeprefix("circular reference: ").split(" → ")
        assert sorted(set(named)) == circle.split()
        assert requests == []

    def test_other_service(self, changed):
        """
        What is no function of the template can serve no custom resource here.
        """
        with pytest.raises(TemplateError, match="Badge: its ServiceToken is no function"):
            changed("ServiceToken: !GetAtt IssueBadge.Arn", "ServiceToken: arn:x", Holder="ada")
