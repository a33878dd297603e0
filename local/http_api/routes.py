"""Which route of an HTTP API takes a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from local.function import HttpRoute

_DEFAULT = "$default"


@dataclass(frozen=True, slots=True)
class Match:
    """The route, and what its path variables stand for."""

    route: HttpRoute
    parameters: Mapping[str, str]


def find(routes: Sequence[HttpRoute], *, method: str, path: str) -> Match | None:
    """
    Choose the route for *path*, which is as the client sent it.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html: what
    matches in full goes before what matches by a greedy variable, and `$default` takes the rest.
    """
    matches = []
    for route in routes:
        wanted, _, template = route.key.partition(" ")
        parameters = _match(template, path) if template and wanted in {method, "ANY"} else None
        if parameters is not None:
            matches.append((_vagueness(template), wanted == "ANY", Match(route, parameters)))
    if matches:
        return min(matches, key=lambda match: match[:2])[2]
    default = next((route for route in routes if route.key == _DEFAULT), None)
    return Match(default, {}) if default else None


def _match(template: str, path: str) -> dict[str, str] | None:
    """
    Read the variables of *template* from *path*, decoded; None where they do not match.

    >>> _match("/pets/{id}", "/pets/a%20b")
    {'id': 'a b'}
    >>> _match("/pets/{proxy+}", "/pets/a/b")
    {'proxy': 'a/b'}
    >>> _match("/pets/{proxy+}", "/pets")
    >>> _match("/pets", "/pets/")
    """
    wanted, given = template.split("/"), [unquote(part) for part in path.split("/")]
    parameters = {}
    if wanted[-1].endswith("+}") and len(given) >= len(wanted) and any(given[len(wanted) - 1 :]):
        parameters[wanted[-1][1:-2]] = "/".join(given[len(wanted) - 1 :])
        wanted, given = wanted[:-1], given[: len(wanted) - 1]
    if len(wanted) != len(given):
        return None
    for name, value in zip(wanted, given, strict=True):
        if name.startswith("{") and value:
            parameters[name[1:-1]] = value
        elif name != value:
            return None
    return parameters


def _vagueness(template: str) -> list[int]:
    """Return for each part of a path whether it is a word, a variable or a greedy one."""
    return [part.startswith("{") + part.endswith("+}") for part in template.split("/")]
