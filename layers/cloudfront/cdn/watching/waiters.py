"""One look of a waiter: what botocore's own acceptors say of one answer."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

Verdict = Literal["success", "failure", "retry", "error"]


class Acceptor(Protocol):
    """As botocore builds it from a waiter model (`botocore.waiter.AcceptorConfig`)."""

    @property
    def state(self) -> str:
        """What a match means: success, failure or retry."""

    @property
    def matcher_func(self) -> Any:  # noqa: ANN401  # botocore types none of its waiters
        """Tell whether an answer, or a refusal's parsed response, matches."""


def judge(acceptors: Iterable[Acceptor], answer: Mapping[str, Any]) -> Verdict:
    """
    Decide as `botocore.waiter.Waiter.wait` does, without the waiting.

    The first acceptor that matches has the word; else a refusal is an error, and anything
    else means to look again. *answer* is an operation's answer, or `ClientError.response`.
    """
    for acceptor in acceptors:
        if acceptor.matcher_func(answer):
            state: Verdict = acceptor.state  # type: ignore[assignment]  # the model's own words
            return state
    return "error" if "Code" in answer.get("Error", {}) else "retry"
