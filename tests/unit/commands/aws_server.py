"""Enough of AWS over HTTP for a command to find a stack, its queues and its function."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

STACK = "my-stack"
ARN = "arn:aws:sqs:eu-west-1:123456789012:"


@dataclass
class Account:
    """
    What the server answers with, and what it was asked.

    Attributes:
        letters: Bodies of dead letters, each with its reason.
        answer: What the function returns; an error if it is a string.
        refusal: An error code with which everything is refused, and its HTTP status.
        sent: Bodies that were sent back.
        invoked: The function's payloads.
    """

    url: str = ""
    parameters: dict[str, str] = field(default_factory=lambda: {"UploadBuckets": "site"})
    outputs: dict[str, str] = field(default_factory=lambda: {"RotateKeysName": "rotate-keys"})
    letters: list[tuple[str, str]] = field(default_factory=list)
    answer: object = field(default_factory=dict)
    refusal: tuple[str, int] | None = None
    sent: list[str] = field(default_factory=list)
    invoked: list[object] = field(default_factory=list)
    received: bool = False

    def environment(self):
        return {"AWS_ENDPOINT_URL": self.url, **CREDENTIALS}


CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAOUTSIDE000000000",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_MAX_ATTEMPTS": "1",
}


def _members(values, first, second):
    return "".join(
        f"<member><{first}>{escape(name)}</{first}><{second}>{escape(value)}</{second}></member>"
        for name, value in values.items()
    )


def _cloudformation(account, form):
    action, name = form["Action"][0], form["StackName"][0]
    if name != STACK:
        text = f"Stack with id {name} does not exist"
        return 400, _xml_error("ValidationError", text)
    if action == "DescribeStacks":
        inside = (
            f"<Stacks><member><StackName>{STACK}</StackName>"
            "<CreationTime>2026-01-01T00:00:00Z</CreationTime>"
            "<StackStatus>CREATE_COMPLETE</StackStatus>"
            f"<Parameters>{_members(account.parameters, 'ParameterKey', 'ParameterValue')}"
            f"</Parameters><Outputs>{_members(account.outputs, 'OutputKey', 'OutputValue')}"
            "</Outputs></member></Stacks>"
        )
    else:
        inside = "".join(
            f"<member><LogicalResourceId>{name}</LogicalResourceId>{physical}"
            "<ResourceType>AWS::SQS::Queue</ResourceType>"
            "<LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp>"
            "<ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"
            for name, physical in (
                *(
                    (queue, f"<PhysicalResourceId>{account.url}/1/{queue}</PhysicalResourceId>")
                    for queue in ("Uploads", "UploadsDeadLetters")
                ),
                ("NeverMade", ""),
            )
        )
        inside = f"<StackResourceSummaries>{inside}</StackResourceSummaries>"
    namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
    return 200, (
        f'<{action}Response xmlns="{namespace}"><{action}Result>{inside}</{action}Result>'
        f"</{action}Response>"
    )


def _xml_error(code, text):
    error = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    return f"<ErrorResponse>{error}</ErrorResponse>"


def _sqs(account, operation, asked):
    queue = asked["QueueUrl"].rpartition("/")[2]
    if operation == "GetQueueAttributes":
        policy = json.dumps({"deadLetterTargetArn": f"{ARN}UploadsDeadLetters"})
        redrive = {} if queue == "UploadsDeadLetters" else {"RedrivePolicy": policy}
        return {"Attributes": {"QueueArn": f"{ARN}{queue}", **redrive}}
    if operation == "SendMessage":
        account.sent.append(asked["MessageBody"])
        return {"MessageId": "1", "MD5OfMessageBody": "0" * 32}
    if operation == "ReceiveMessage" and not account.received:
        account.received = True
        return {
            "Messages": [
                {
                    "MessageId": f"{number}",
                    "ReceiptHandle": f"{number}",
                    "Body": body,
                    "Attributes": {"SentTimestamp": "1700000000000"},
                    "MessageAttributes": {"reason": {"DataType": "String", "StringValue": reason}},
                }
                for number, (body, reason) in enumerate(account.letters)
            ]
        }
    return {}


@contextmanager
def serving():
    """Serve an account on a port of its own."""
    account = Account()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            status, failed, body = 200, "", ""
            if account.refusal:
                code, status = account.refusal
                body = _xml_error(code, "[/refused]")
            elif target := self.headers.get("X-Amz-Target"):
                operation = target.partition(".")[2]
                body = json.dumps(_sqs(account, operation, json.loads(asked)))
            elif self.path.endswith("/invocations"):
                account.invoked.append(json.loads(asked))
                failed = "Unhandled" if isinstance(account.answer, str) else ""
                body = json.dumps(account.answer)
            else:
                status, body = _cloudformation(account, parse_qs(asked.decode()))
            payload = body.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            if failed:
                self.send_header("X-Amz-Function-Error", failed)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    account.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield account
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
