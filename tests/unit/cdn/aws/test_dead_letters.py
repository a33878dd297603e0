"""A dead letter is the message itself, with the reason beside it."""

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from cdn.aws.dead_letters import DeadLetterQueue
from cdn.errors import RetryLaterError


def test_send(client_of):
    """
    The body stays as it came, so that it can be sent back; the reason is an attribute.
    """
    client = client_of("sqs")
    request = {
        "QueueUrl": "https://dead",
        "MessageBody": "no json",
        "MessageAttributes": {
            "reason": {"DataType": "String", "StringValue": "the body is not JSON"}
        },
    }
    with Stubber(client) as stub:
        stub.add_response("send_message", {"MessageId": "m"}, request)

        DeadLetterQueue(client, "https://dead").send(body="no json", reason="the body is not JSON")

        stub.assert_no_pending_responses()


def test_reason_is_short(client_of):
    """
    Of a long reason the beginning is kept: SQS counts it as part of the message.
    """
    client = client_of("sqs")
    attribute = {"DataType": "String", "StringValue": "x" * 500}
    request = {
        "QueueUrl": "https://dead",
        "MessageBody": "no json",
        "MessageAttributes": {"reason": attribute},
    }
    with Stubber(client) as stub:
        stub.add_response("send_message", {"MessageId": "m"}, request)

        DeadLetterQueue(client, "https://dead").send(body="no json", reason="x" * 300_000)

        stub.assert_no_pending_responses()


def test_reason_is_text(client_of):
    """
    Characters that SQS does not take, such as a key may have, are escaped in a reason.
    """
    client = client_of("sqs")
    attribute = {"DataType": "String", "StringValue": "ü 語 \\x00 \\x1b \\ud800 \\uffff"}
    request = {
        "QueueUrl": "https://dead",
        "MessageBody": "no json",
        "MessageAttributes": {"reason": attribute},
    }
    with Stubber(client) as stub:
        stub.add_response("send_message", {"MessageId": "m"}, request)

        DeadLetterQueue(client, "https://dead").send(
            body="no json", reason="ü 語 \x00 \x1b \ud800 \uffff"
        )

        stub.assert_no_pending_responses()


def test_not_taken(client_of):
    """
    A letter that SQS does not take is to be sent later, and the error names the code.
    """
    client = client_of("sqs")
    with Stubber(client) as stub:
        stub.add_client_error("send_message", "InvalidParameterValue", http_status_code=400)

        with pytest.raises(RetryLaterError, match="InvalidParameterValue"):
            DeadLetterQueue(client, "https://dead").send(body="no json", reason="x")


def test_unreachable(client_of):
    """
    So it is with one that does not reach SQS.
    """
    client = client_of("sqs")

    def unplug(**_):
        raise EndpointConnectionError(endpoint_url="https://sqs")

    client.meta.events.register_first("before-call.sqs.SendMessage", unplug)
    try:
        with pytest.raises(RetryLaterError, match="EndpointConnectionError"):
            DeadLetterQueue(client, "https://dead").send(body="no json", reason="x")
    finally:
        client.meta.events.unregister("before-call.sqs.SendMessage", unplug)
