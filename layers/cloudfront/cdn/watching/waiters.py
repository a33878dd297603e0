"""One poll of a waiter: what botocore's own acceptors say of one response."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

State = Literal["success", "failure", "retry", "error"]


class Acceptor(Protocol):
    """As botocore builds it from a waiter model (`botocore.waiter.AcceptorConfig`)."""

    @property
    def state(self) -> str:
        """What a match means: success, failure or retry."""

    @property
    def matcher_func(self) -> Any:  # noqa: ANN401  # botocore types none of its waiters
        """Return whether a response, or a parsed error response, matches."""


def evaluate(acceptors: Iterable[Acceptor], response: Mapping[str, Any]) -> State:
    """
    Return the state that `botocore.waiter.Waiter.wait` would be in, without the waiting.

    The first acceptor that matches decides; else an error response is an error, and anything else
    means to poll again. *response* is an operation's response, or `ClientError.response`.
    """
    for acceptor in acceptors:
        if acceptor.matcher_func(response):
            state: State = acceptor.state  # type: ignore[assignment]  # the model's own words
            return state
    return "error" if "Code" in response.get("Error", {}) else "retry"
