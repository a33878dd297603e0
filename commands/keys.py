"""Tell what the signing keys of a stack are at, or revoke one now."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from commands import account

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OUTPUT = "RotateKeysName"


class FailedError(Exception):
    """The function did not answer; *said* is what Lambda says of it."""

    def __init__(self, said: str) -> None:
        super().__init__(f"the function failed: {said}")
        self.said = said


def ask(lambda_client: Any, function: str, question: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401  # boto3's own client, of which only invoke is used
    """
    Call the function that rotates keys, and give its answer.

    Raises:
        FailedError: It ended in an error.
    """
    answer = lambda_client.invoke(FunctionName=function, Payload=json.dumps(question).encode())
    said = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        raise FailedError(said[:500])
    told: dict[str, Any] = json.loads(said)
    return told


def show(told: Mapping[str, Any], say: Callable[[Any], None]) -> None:
    """Write a plan, or what came of a revocation, for people."""
    if "keys" in told:
        table = Table("key", "state", "name", "signs since", "drains since")
        for key in told["keys"]:
            moments = (key.get(name, "")[:16] for name in ("promoted", "inactive"))
            table.add_row(key.get("key_id", ""), key["state"], key["name"], *moments)
        say(table)
        say("Next: " + ", ".join(f"{name} {value}" for name, value in told["next"].items()))
        for sentence in told["attention"]:
            say(sentence)
        return
    if told["refused"]:
        say(f"Nothing was done: {told['refused']}")
        return
    dead = ", ".join(told["key_ids"])
    say(f"Revoked: {dead}. Signing now: {told['signing'] or 'no key'}.")
    if not told["left_group"]:
        say("It is still trusted: the function goes on by itself every five minutes.")
    say(f"Links signed by it die on: {', '.join(told['distribution_ids']) or 'no distribution'}.")
    until = datetime.fromtimestamp(told["last_link_until_s"], tz=UTC)
    say(f"The last honest one would have expired at {until:%Y-%m-%d %H:%M:%SZ}.")


def main() -> int:
    """Speak to the deployed stack that is named."""
    told = _arguments()
    console = Console(stderr=told.json)
    question: dict[str, Any] = {"plan": True}
    if told.revoke:
        question = {"revoke": told.revoke, "secret_leaked": told.leaked, "force": told.force}
    try:
        stack = account.deployed(told.stack)
        if _OUTPUT not in stack.outputs:
            console.print(f"Stack {told.stack} signs nothing: it has no JwtIssuer.", markup=False)
            return 2
        answer = ask(stack.client("lambda"), stack.outputs[_OUTPUT], question)
    except (BotoCoreError, ClientError, FailedError) as exc:
        console.print(f"keys: {exc}", markup=False)
        console.print(account.HELP)
        return 2
    if told.json:
        json.dump(answer, sys.stdout)
    else:
        show(answer, console.print)
    return 1 if answer.get("refused") else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make keys", description=__doc__)
    parser.add_argument("--stack", required=True, help="the deployed stack's name")
    parser.add_argument("--revoke", help="the id of the public key to revoke")
    parser.add_argument("--leaked", action="store_true", help="the whole secret has leaked")
    parser.add_argument("--force", action="store_true", help="even if no other key is proven")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
