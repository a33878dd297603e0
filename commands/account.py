"""What a command speaks to: a deployed stack, by the settings of the AWS CLI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


HELP = "Is this the stack's name, and are the AWS CLI's credentials and region set?"
"""What to ask whoever was refused."""


@dataclass(frozen=True, slots=True)
class Stack:
    """
    A deployed stack.

    Attributes:
        client: Makes boto3 clients of its account and region, by the service's name.
        parameters: As they were given when it was deployed.
        queue_urls: Of all its queues, by their names in the template.
        outputs: As the template names them.
    """

    client: Callable[[str], Any]
    parameters: Mapping[str, str]
    queue_urls: Mapping[str, str]
    outputs: Mapping[str, str] = field(default_factory=dict)


def deployed(name: str) -> Stack:
    """
    Find the stack *name*.

    Raises:
        botocore.exceptions.BotoCoreError: There are no credentials, or no region.
        botocore.exceptions.ClientError: There is no such stack, or it may not be described.
    """
    session = boto3.Session()
    client: Callable[[str], Any] = session.client  # type: ignore[assignment]  # many overloads
    cloudformation = client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return Stack(
        client=client,
        parameters={
            given["ParameterKey"]: given["ParameterValue"] for given in stack.get("Parameters", ())
        },
        queue_urls={
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == "AWS::SQS::Queue"
        },
        outputs={told["OutputKey"]: told["OutputValue"] for told in stack.get("Outputs", ())},
    )
