"""What a command speaks to: a deployed stack, by the settings of the AWS CLI."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from commands.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        session = boto3.Session(profile_name=profile, region_name=region)
        session.events.register("creating-client-class", _read_every_answer)
        return cls(session)

    def client(self, service: str) -> Any:  # noqa: ANN401  # known only at run time
        """
        Return a boto3 client.

        Raises:
            UnreachableError: The settings name no place where AWS is.
        """
        create: Callable[[str], Any] = self.session.client  # type: ignore[assignment]  # overloads
        try:
            return create(service)
        except (AttributeError, OSError, ValueError) as exc:
            # An endpoint or a region that botocore cannot read; a program or a file of
            # credentials that is not there, or says something else than credentials.
            raise UnreachableError(f"a setting of the AWS CLI cannot be used: {exc}") from exc


class _AnswersRead:
    """
    Base of the clients: an answer that is not AWS's is said as that.

    What answers in its place, a proxy or the page of a hotel's network, may send anything, and
    botocore's parsers expect what the service's model says.
    """

    def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> Any:  # noqa: ANN401  # as the service's model says
        make: Callable[[str, dict[str, Any]], Any] = super()._make_api_call  # type: ignore[misc]  # the class that botocore makes comes next
        try:
            return make(operation_name, api_params)
        except (BotoCoreError, ClientError):
            raise
        except (
            AttributeError,
            LookupError,
            OSError,
            RecursionError,
            ResponseParserError,
            TypeError,
            ValueError,
        ) as exc:
            # The next line would be all that was answered.
            reason, *_ = str(exc).splitlines() or [type(exc).__name__]
            raise UnreachableError(f"what answers {operation_name} is not AWS: {reason}") from exc


def _read_every_answer(base_classes: list[type], **_: Any) -> None:
    base_classes.insert(0, _AnswersRead)


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
        stacks = cloudformation.describe_stacks(StackName=name).get("Stacks", ())
    except ClientError as exc:
        if "does not exist" in exc.response["Error"].get("Message", ""):
            raise UnreachableError(f"there is no stack {name} in this account and region") from exc
        raise
    if not stacks:
        raise UnreachableError(f"there is no stack {name} in this account and region")
    (stack,) = stacks
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
    # AWS itself sends these commands nowhere else: a redirection is a proxy's.
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return code in _NO_CREDENTIALS or redirected or status >= HTTPStatus.INTERNAL_SERVER_ERROR
