"""Requests are answered: anybody's with a word, a known viewer's with a secret."""

import http.client
import json
import os
from typing import Any
from urllib.parse import urlencode


def ask(path: str, **query: str) -> tuple[int, str]:
    """Ask the extension for secrets and parameters."""
    port = int(os.environ["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"])
    extension = http.client.HTTPConnection("localhost", port)
    token = {"X-Aws-Parameters-Secrets-Token": os.environ["AWS_SESSION_TOKEN"]}
    extension.request("GET", f"{path}?{urlencode(query)}", headers=token)
    answer = extension.getresponse()
    said = answer.status, answer.read().decode()
    extension.close()
    return said


# Too early, as on Lambda.
AT_START = ask("/secretsmanager/get", secretId=os.environ["WORD"])


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    if event["routeKey"] != "GET /word":
        return {"at_start": AT_START, "asked": event["rawPath"]}
    _, secret = ask("/secretsmanager/get", secretId=os.environ["WORD"])
    _, rules = ask("/systemsmanager/parameters/get", name=os.environ["RULES"])
    body = {
        "word": json.loads(secret)["SecretString"],
        "rules": json.loads(rules)["Parameter"]["Value"],
        "viewer": event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"],
    }
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "cookies": ["one=1; Secure; Path=/a", "two=2; Secure; Path=/b"],
        "body": json.dumps(body),
    }
