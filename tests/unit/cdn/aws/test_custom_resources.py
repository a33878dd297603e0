"""What CloudFormation is answered, to the byte."""

import json

import pytest

from cdn.aws import custom_resources
from cdn.errors import RetryLaterError

EVENT = {
    "RequestType": "Create",
    "ResponseURL": "https://answers.example/here?signature=s",
    "StackId": "arn:stack",
    "RequestId": "request-1",
    "LogicalResourceId": "KeyGroup",
    "ResourceProperties": {},
}


def respond(taken=200):
    sent = []

    def put(url, body, *, headers):
        sent.append((url, json.loads(body), dict(headers)))
        return taken

    custom_resources.respond(
        EVENT, status="SUCCESS", reason="It exists.", physical_id="K1", put=put
    )
    return sent


class TestRespond:
    def test_answer(self):
        """
        The answer names the request, and has no type of content, for which the URL is not signed.
        """
        assert respond() == [
            (
                "https://answers.example/here?signature=s",
                {
                    "Status": "SUCCESS",
                    "Reason": "It exists.",
                    "PhysicalResourceId": "K1",
                    "StackId": "arn:stack",
                    "RequestId": "request-1",
                    "LogicalResourceId": "KeyGroup",
                    "Data": {"Id": "K1"},
                },
                {"content-type": ""},
            )
        ]

    @pytest.mark.parametrize("status", [0, 403, 500])
    def test_not_taken(self, status):
        """
        An answer that is not taken is retried, and the error has nothing of the signed URL.
        """
        with pytest.raises(RetryLaterError) as caught:
            respond(status)

        assert "signature" not in str(caught.value)


class TestPhysicalId:
    def test_given(self):
        """
        A resource keeps the id that it was given.
        """
        assert custom_resources.physical_id(EVENT | {"PhysicalResourceId": "K1"}) == "K1"
