"""
What a role allows: the statements of its policies, and whether one allows a request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
Moto looks at the actions of policies, but at no resource and no condition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

# Of these alone it is known here what a request has in them.
_CONDITION_KEYS = re.compile(
    r"dynamodb:LeadingKeys|events:source|aws:(RequestTag|ResourceTag)/.+", re.IGNORECASE
)
_NOT_EMULATED = {"NotAction", "NotResource", "Principal", "NotPrincipal"}


class PolicyError(Exception):
    """A policy says what is not emulated."""


@dataclass(frozen=True, slots=True)
class Permission:
    """
    What a request needs to be allowed.

    Attributes:
        resource: Its ARN; `*` where the action knows none, which only the resource `*` allows.
        context: The values of condition keys; a key that the request does not have is missing.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one condition key, and the values that the policy names."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy of the role; patterns with `*` and `?`, as the policy has them."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """Which part of a statement allowed a request: what nothing uses is a superfluous right."""

    sid: str
    action: str
    resource: str
    values: frozenset[tuple[str, str]]


def read(document: Mapping[str, Any]) -> Iterator[Statement]:
    """
    Yield the statements of a policy document without references.

    Raises:
        PolicyError: It has what is not emulated, so nobody may rely on what would come of it.
    """
    for number, about in enumerate(_listed(document["Statement"])):
        sid = str(about.get("Sid", number))
        unknown = sorted(_NOT_EMULATED & about.keys())
        if unknown:
            raise PolicyError(f"{sid}: {', '.join(unknown)} is not emulated")
        yield Statement(
            sid=sid,
            allows=about["Effect"] == "Allow",
            actions=_texts(about["Action"]),
            resources=_texts(about["Resource"]),
            conditions=tuple(_conditions(sid, about.get("Condition", {}))),
        )


def _conditions(sid: str, operators: Mapping[str, Any]) -> Iterator[Condition]:
    for operator, keys in operators.items():
        for key, values in keys.items():
            if operator not in _OPERATORS or not _CONDITION_KEYS.fullmatch(key):
                raise PolicyError(f"{sid}: the condition {operator} of {key} is not emulated")
            yield Condition(operator, key.lower(), _texts(values))


def use_of(statements: Iterable[Statement], permission: Permission) -> Use | None:
    """Return what of *statements* allows *permission*: the first that does, unless one denies."""
    allowed_by = None
    for statement in statements:
        use = _use_of(statement, permission)
        if use and not statement.allows:
            return None
        allowed_by = allowed_by or use
    return allowed_by


def _use_of(statement: Statement, permission: Permission) -> Use | None:
    action = _first_like(permission.action.lower(), statement.actions, lower=True)
    resource = _first_like(permission.resource, statement.resources)
    if action is None or resource is None:
        return None
    context = {key.lower(): tuple(values) for key, values in permission.context.items()}
    values = set[tuple[str, str]]()
    for condition in statement.conditions:
        met = _OPERATORS[condition.operator](context.get(condition.key, ()), condition.values)
        if met is None:
            return None
        values |= {(condition.key, value) for value in met}
    return Use(statement.sid, action, resource, frozenset(values))


# Gives, by the request's values and the policy's, the policy's that it met; None if it is not met.
_Operator = Callable[[Sequence[str], Sequence[str]], set[str] | None]


def _null(given: Sequence[str], values: Sequence[str]) -> set[str] | None:
    return set(values) if values == (str(not given).lower(),) else None


def _for_all(compare: Callable[[str, str], bool]) -> _Operator:
    """Return an operator that each of the request's values must meet; a missing key does so."""

    def operator(given: Sequence[str], values: Sequence[str]) -> set[str] | None:
        met = [next((v for v in values if compare(value, v)), None) for value in given]
        found = {value for value in met if value is not None}
        return None if None in met else found

    return operator


def _one(compare: Callable[[str, str], bool]) -> _Operator:
    """Return an operator for a key of one value, which must be there."""

    def operator(given: Sequence[str], values: Sequence[str]) -> set[str] | None:
        return _for_all(compare)(given, values) if given else None

    return operator


def _equal(given: str, value: str) -> bool:
    return given == value


def _like(given: str, pattern: str) -> bool:
    return _compiled(pattern).fullmatch(given) is not None


_OPERATORS: Mapping[str, _Operator] = {
    "ForAllValues:StringEquals": _for_all(_equal),
    "ForAllValues:StringLike": _for_all(_like),
    "Null": _null,
    "StringEquals": _one(_equal),
    "StringLike": _one(_like),
}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _first_like(text: str, patterns: Iterable[str], *, lower: bool = False) -> str | None:
    return next((p for p in patterns if _like(text, p.lower() if lower else p)), None)


def _listed(value: Any) -> list[Any]:  # noqa: ANN401
    return value if isinstance(value, list) else [value]


def _texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401
    return tuple(
        str(item).lower() if isinstance(item, bool) else str(item) for item in _listed(value)
    )
