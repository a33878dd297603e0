"""References, functions and conditions of a template come to what CloudFormation makes of them."""

import json
import re
from functools import cache
from typing import Any

import pytest
from moto import mock_aws

from local import aws
from local.cloudformation import Stack, TemplateError

PARAMETERS = {
    "Word": {"Type": "String"},
    "Number": {"Type": "Number"},
    "Buckets": {"Type": "CommaDelimitedList"},
}
VALUES = {"Word": "hello", "Number": "7", "Buckets": "site,media"}
ACCOUNT_ARN = f"{aws.REGION}:{aws.ACCOUNT}"


@cache
def client(service: str) -> Any:
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


def stack(**sections: Any) -> Stack:
    plain = {
        "Parameters": PARAMETERS,
        "Conditions": {
            "Yes": {"Fn::Equals": [{"Ref": "Word"}, "hello"]},
            "No": {"Fn::Not": [{"Condition": "Yes"}]},
        },
        "Mappings": {"Sizes": {"us-east-1": {"small": "S"}}},
        "Resources": {
            "Work": {"Type": "AWS::SQS::Queue"},
            "Worker": {"Type": "AWS::Lambda::Function", "Properties": {}},
            "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {}},
        },
    } | sections
    return Stack(plain, VALUES, "stack", client)


@pytest.fixture(autouse=True)
def moto():
    with mock_aws(), aws.mended():
        yield


class TestResolve:
    @pytest.mark.parametrize(
        ("node", "value"),
        [
            ("text", "text"),
            ([1, True], [1, True]),
            ({"Ref": "Word"}, "hello"),
            ({"Ref": "Buckets"}, ["site", "media"]),
            ({"Ref": "AWS::Region"}, "us-east-1"),
            ({"Ref": "Work"}, f"https://sqs.us-east-1.amazonaws.com/{aws.ACCOUNT}/stack-Work"),
            ({"Fn::GetAtt": ["Log", "Arn"]}, f"arn:aws:logs:{ACCOUNT_ARN}:log-group:stack-Log:*"),
            ({"Fn::GetAtt": ["Work", "Arn"]}, f"arn:aws:sqs:{ACCOUNT_ARN}:stack-Work"),
            ({"Fn::GetAtt": "Work.QueueName"}, "stack-Work"),
            ({"Ref": "Worker"}, "stack-Worker"),
            (
                {"Fn::GetAtt": ["Worker", "Arn"]},
                f"arn:aws:lambda:{ACCOUNT_ARN}:function:stack-Worker",
            ),
            ({"Fn::Join": ["-", ["a", {"Ref": "Number"}]]}, "a-7"),
            ({"Fn::Split": [",", "a,b"]}, ["a", "b"]),
            ({"Fn::Select": [1, {"Ref": "Buckets"}]}, "media"),
            ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}, "S"),
            ({"Fn::If": ["Yes", {"Ref": "Word"}, "no"]}, "hello"),
            ({"Fn::If": ["No", "yes", {"Ref": "Number"}]}, "7"),
            ({"Fn::Sub": "${Word} ${Work.QueueName} ${!Kept}"}, "hello stack-Work ${Kept}"),
            ({"Fn::Sub": ["${Own} ${Word}", {"Own": {"Ref": "Number"}}]}, "7 hello"),
            ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
            ([{"Ref": "AWS::NoValue"}, 1], [1]),
        ],
    )
    def test_values(self, node, value):
        """
        Each function gives what CloudFormation gives.
        """
        assert stack().resolve(node) == value

    @pytest.mark.parametrize(
        ("node", "says"),
        [
            ({"Ref": "Nothing"}, "no Nothing"),
            ({"Fn::Sub": "${Nothing}"}, "no Nothing"),
            ({"Fn::GetAtt": ["Work", "Colour"]}, "no attribute Colour"),
            ({"Fn::ImportValue": "x"}, "Fn::ImportValue is not emulated"),
        ],
    )
    def test_refused(self, node, says):
        """
        What leads nowhere is an error that names it.
        """
        with pytest.raises(TemplateError, match=says):
            stack().resolve(node)


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            ({"Condition": "Yes"}, True),
            ({"Condition": "No"}, False),
            ({"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]}, False),
            ({"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]}, True),
        ],
    )
    def test_hold(self, condition, holds):
        """
        Conditions decide which resources exist.
        """
        made = stack(
            Conditions={
                "Yes": {"Fn::Equals": [{"Ref": "Word"}, "hello"]},
                "No": {"Fn::Not": [{"Condition": "Yes"}]},
                "Asked": condition,
            },
            Resources={"Work": {"Type": "AWS::SQS::Queue", "Condition": "Asked"}},
        )

        made.create()

        assert ("Work" in made.made) == holds

    def test_outputs(self):
        """
        They decide about outputs, too.
        """
        made = stack(
            Outputs={"A": {"Condition": "Yes", "Value": 1}, "B": {"Condition": "No", "Value": 2}}
        )

        assert made.outputs() == {"A": "1"}


class TestCreate:
    def test_order(self):
        """
        What a resource refers to exists before it, wherever it is written.
        """
        policy = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
        made = stack(
            Resources={
                "Work": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": policy}},
                "Dead": {"Type": "AWS::SQS::Queue"},
            }
        )

        made.create()

        assert list(made.made) == ["Dead", "Work"]

    def test_depends_on(self):
        """
        So does what it says that it depends on.
        """
        made = stack(
            Resources={
                "Work": {"Type": "AWS::SQS::Queue", "DependsOn": ["Worker", "Dead"]},
                "Worker": {"Type": "AWS::Lambda::Function", "DependsOn": "Topic"},
                "Dead": {"Type": "AWS::SQS::Queue"},
                "Topic": {"Type": "AWS::SNS::Topic"},
            }
        )

        made.create()

        assert list(made.made)[-1] == "Work"
        assert set(made.made) == {"Topic", "Dead", "Work"}

    def test_way_around(self):
        """
        What an untaken branch refers to makes no circle.
        """
        to = {"Fn::If": ["No", {"Ref": "B"}, "hello"]}
        made = stack(
            Resources={
                "A": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": to}},
                "B": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "A"}}},
            }
        )

        made.create()

        assert list(made.made) == ["A", "B"]

    def test_not_there(self):
        """
        What refers to a resource whose condition does not hold is refused.
        """
        properties = {"DisplayName": {"Fn::Sub": "${Other.TopicName}"}}
        made = stack(
            Resources={
                "Own": {"Type": "AWS::SNS::Topic", "Properties": properties},
                "Other": {"Type": "AWS::SNS::Topic", "Condition": "No"},
            }
        )

        with pytest.raises(TemplateError, match="Other is referred to"):
            made.create()

    def test_circle(self):
        """
        Resources that refer to each other in a circle are refused.
        """
        made = stack(
            Resources={
                name: {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": other}}}
                for name, other in [("A", "B"), ("B", "A")]
            }
        )

        with pytest.raises(TemplateError, match="A → B → A"):
            made.create()

    def test_kinds(self):
        """
        Topics, subscriptions, keys, buses and policies are created as the queues are.
        """
        made = stack(
            Resources={
                "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}},
                "Topic": {"Type": "AWS::SNS::Topic"},
                "Work": {"Type": "AWS::SQS::Queue"},
                "Policy": {
                    "Type": "AWS::SQS::QueuePolicy",
                    "Properties": {
                        "Queues": [{"Ref": "Work"}],
                        "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "sqs:*"}]},
                    },
                },
                "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "own"}},
                "Ear": {
                    "Type": "AWS::SNS::Subscription",
                    "Properties": {
                        "TopicArn": {"Ref": "Topic"},
                        "Protocol": "sqs",
                        "Endpoint": {"Fn::GetAtt": ["Work", "Arn"]},
                    },
                },
            }
        )

        made.create()

        assert made.made.keys() == {"Key", "Topic", "Work", "Policy", "Bus", "Ear"}
        client("sns").publish(TopicArn=made.made["Topic"].ref, Message="m")
        assert aws.queues_of_account().size(made.made["Work"].ref) == 1

    def test_secret(self):
        """
        A secret is referred to by its ARN, and holds what the template says or asks to make up.
        """
        made = stack(
            Resources={
                "Said": {
                    "Type": "AWS::SecretsManager::Secret",
                    "Properties": {"SecretString": {"Ref": "Word"}},
                },
                "MadeUp": {
                    "Type": "AWS::SecretsManager::Secret",
                    "Properties": {
                        "GenerateSecretString": {
                            "SecretStringTemplate": '{"user": "ada"}',
                            "GenerateStringKey": "password",
                            "PasswordLength": 12,
                        }
                    },
                },
            }
        )

        made.create()

        said, made_up = (
            client("secretsmanager").get_secret_value(SecretId=made.made[name].ref)["SecretString"]
            for name in ("Said", "MadeUp")
        )
        assert said == "hello"
        assert json.loads(made_up)["user"] == "ada"
        assert len(json.loads(made_up)["password"]) == 12

    def test_parameter(self):
        """
        A parameter is referred to by its name.
        """
        properties = {"Type": "String", "Value": {"Ref": "Word"}}
        made = stack(Resources={"Own": {"Type": "AWS::SSM::Parameter", "Properties": properties}})

        made.create()

        assert made.resolve({"Fn::GetAtt": "Own.Value"}) == "hello"
        found = client("ssm").get_parameter(Name=made.made["Own"].ref)["Parameter"]
        assert found["Value"] == "hello"


class TestRule:
    @pytest.mark.parametrize(("length", "fits"), [(2048, True), (2049, False)])
    def test_pattern(self, length, fits):
        """
        An event pattern fits EventBridge, or the rule is refused.
        """
        empty = len(json.dumps({"source": [""]}, separators=(",", ":")))
        pattern = {"source": ["x" * (length - empty)]}
        target = {"Id": "work", "Arn": f"arn:aws:sqs:{ACCOUNT_ARN}:work"}
        about = {"EventPattern": pattern, "Targets": [target]}
        made = stack(Resources={"Rule": {"Type": "AWS::Events::Rule", "Properties": about}})

        if fits:
            made.create()
            assert client("events").list_rules()["Rules"]
        else:
            with pytest.raises(TemplateError, match="2048"):
                made.create()


class TestParameterStore:
    def asked(self, name, kind="String"):
        parameters = {"Asked": {"Type": f"AWS::SSM::Parameter::Value<{kind}>"}}
        plain = {"Parameters": parameters, "Resources": {}}
        return Stack(plain, {"Asked": name}, "stack", client).resolve({"Ref": "Asked"})

    def test_value(self):
        """
        A parameter may be the name of one in Parameter Store, whose value counts.
        """
        client("ssm").put_parameter(Name="/own", Type="String", Value="a,b")

        assert self.asked("/own") == "a,b"
        assert self.asked("/own", "List<String>") == ["a", "b"]

    def test_missing(self):
        """
        A name of nothing is an error.
        """
        with pytest.raises(TemplateError, match="Parameter Store has no /none"):
            self.asked("/none")

    def test_public(self):
        """
        AWS's own parameters are not here, and stand for themselves.
        """
        assert self.asked("/aws/service/some/layer") == "/aws/service/some/layer"


class TestHttpApi:
    def test_name(self):
        """
        An HTTP API has an id as AWS makes them, the same at each deployment, and its endpoint.
        """
        made = stack(Resources={"Api": {"Type": "AWS::ApiGatewayV2::Api"}})

        api_id = made.resolve({"Ref": "Api"})

        assert re.fullmatch("[a-z0-9]{10}", api_id)
        endpoint = f"https://{api_id}.execute-api.us-east-1.amazonaws.com"
        assert made.resolve({"Fn::GetAtt": "Api.ApiEndpoint"}) == endpoint
