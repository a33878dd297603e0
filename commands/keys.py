"""The signing keys of a stack: what state each is in, and the revocation of one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from commands.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from commands.account import Stack
    from commands.output import Output

_OUTPUT = "RotateKeysName"


class FailedError(RefusedError):
    """The function did not answer; *said* is what Lambda says of it."""

    def __init__(self, said: str) -> None:
        super().__init__(f"the function failed: {said}")
        self.said = said


def ask(lambda_client: Any, function: str, question: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401  # boto3's own client, of which only invoke is used
    """
    Call the function that rotates keys, and return its answer.

    Raises:
        FailedError: It ended in an error.
    """
    response = lambda_client.invoke(FunctionName=function, Payload=json.dumps(question).encode())
    payload = response["Payload"].read().decode(errors="replace")
    if "FunctionError" in response:
        raise FailedError(payload[:500])
    try:
        answer = json.loads(payload)
    except (RecursionError, ValueError) as exc:
        raise FailedError(payload[:500]) from exc
    if not isinstance(answer, dict):
        raise FailedError(payload[:500])
    return answer


def ask_stack(stack: Stack, question: Mapping[str, Any], output: Output) -> dict[str, Any]:
    """
    Ask the function of *stack* that rotates keys.

    Raises:
        RefusedError: The stack has no signing keys, or the function ended in an error.
    """
    if _OUTPUT not in stack.outputs:
        raise RefusedError(
            f"stack {stack.name} signs nothing: it has no output {_OUTPUT}, "
            "because it was deployed without JwtIssuer"
        )
    with output.status("Asking the function that rotates the keys"):
        return ask(stack.client("lambda"), stack.outputs[_OUTPUT], question)


def show(answer: Mapping[str, Any], output: Output) -> None:
    """
    Print a plan, or what came of a revocation.

    Raises:
        RefusedError: It is of a form that is not known here.
    """
    try:
        if output.as_json:
            output.json(answer)
        elif "keys" in answer:
            _show_plan(answer, output)
        elif answer["refused"]:
            output.line(f"Nothing was done: {answer['refused']}")
        else:
            _show_revocation(answer, output)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as exc:
        # Stacks are updated, and command lines installed, at different times.
        raise RefusedError(
            "the stack's version answers otherwise than this one expects"
            + ("" if output.as_json else "; --json shows the answer")
        ) from exc


def _show_plan(plan: Mapping[str, Any], output: Output) -> None:
    output.table(
        ("key", "state", "name", "signs since", "drains since"),
        (
            (
                key.get("key_id", ""),
                key["state"],
                key["name"],
                *(key.get(name, "")[:16] for name in ("promoted_at", "replaced_at")),
            )
            for key in plan["keys"]
        ),
    )
    output.line("Next: " + ", ".join(f"{name} {value}" for name, value in plan["next"].items()))
    for sentence in plan["attention"]:
        output.line(sentence)


def _show_revocation(report: Mapping[str, Any], output: Output) -> None:
    revoked = ", ".join(report["key_ids"])
    output.line(f"Revoked: {revoked}. Signing now: {report['signing_key_id'] or 'no key'}.")
    if not report["removed_from_group"]:
        output.line("It is still trusted: the function goes on by itself every five minutes.")
    distributions = ", ".join(report["distribution_ids"]) or "no distribution"
    output.line(f"Links signed by it no longer open on: {distributions}.")
    until = datetime.fromtimestamp(report["last_link_expires_at_s"], tz=UTC)
    output.line(f"The last honest one would have expired at {until:%Y-%m-%d %H:%M:%SZ}.")
