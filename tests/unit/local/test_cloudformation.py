"""References, functions and conditions of a template come to what CloudFormation makes of them."""

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
