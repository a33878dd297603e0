"""A dead letter is the message itself, with the reason beside it."""

from botocore.stub import Stubber

from cdn.aws import dead_letters


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

        dead_letters.send(client, "https://dead", body="no json", reason="the body is not JSON")

        stub.assert_no_pending_responses()
