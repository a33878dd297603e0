"""What a command speaks to: a deployed stack, by the settings of the AWS CLI."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HELP = (
    "Are the AWS CLI's credentials and region set, or named by --profile and --region? "
    "Is --stack the stack's name?"
)
"""What to ask whoever cannot reach AWS."""

# AWS does not know who asks, whatever the question.
_NO_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class UnreachableError(Exception):
    """AWS, or what was asked for there, cannot be reached."""


class RefusedError(Exception):
    """The command does not do what it was asked for; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where to ask."""

    session: boto3.Session

    @classmethod
    def of(cls, *, profile: str | None, region: str | None) -> Account:
        """
        Return the account that the AWS CLI would ask with these options.

        Raises:
            botocore.exceptions.BotoCoreError: There is no such profile.
        """
        # boto3 overlooks AWS_REGION, which the AWS CLI reads.
        region = region or os.environ.get("AWS_REGION")
        return cls(boto3.Session(profile_name=profile, region_name=region))

    def client(self, service: str) -> Any:  # noqa: ANN401  # known only at run time
        """
        Return a boto3 client.

        Raises:
            UnreachableError: The settings name no place where AWS is.
        """
        create: Callable[[str], Any] = self.session.client  # type: ignore[assignment]  # overloads
        try:
            return create(service)
        except ValueError as exc:
            # An endpoint's address, or a region, that botocore cannot read.
            raise UnreachableError(str(exc)) from exc


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

    name: str
    client: Callable[[str], Any]
    parameters: Mapping[str, str]
    queue_urls: Mapping[str, str]
    outputs: Mapping[str, str] = field(default_factory=dict)


def read_stack(account: Account, name: str) -> Stack:
    """
    Return the stack *name*.

    Raises:
        UnreachableError: There is no such stack, or AWS cannot be reached.
    """
    cloudformation = account.client("cloudformation")
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as exc:
        if "does not exist" in exc.response["Error"].get("Message", ""):
            raise UnreachableError(f"there is no stack {name} in this account and region") from exc
        raise
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return Stack(
        name=name,
        client=account.client,
        parameters={
            parameter["ParameterKey"]: parameter["ParameterValue"]
            for parameter in stack.get("Parameters", ())
        },
        queue_urls={
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            # One that could not be made has no id.
            if resource["ResourceType"] == "AWS::SQS::Queue" and "PhysicalResourceId" in resource
        },
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())},
    )


def is_unreachable(error: BotoCoreError | ClientError) -> bool:
    """Return whether AWS gave no answer to the question itself."""
    if not isinstance(error, ClientError):
        return True
    response = error.response
    status: int = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = response.get("Error", {}).get("Code", "")
    return code in _NO_CREDENTIALS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
