"""Read the grant document; what is missing, unknown or wrong in it is an error with its place.

docs/grants.schema.json says what the document may hold, docs/grants.json is an example.
"""

import json
import re
from typing import Any, get_args

from cdn.access import path_templates
from cdn.access.grants import (
    MAX_LIFETIME_S,
    PURPOSE_CLAIMS,
    SCOPE_CLAIMS,
    AccessMethod,
    Grant,
    Grants,
)
from cdn.access.path_templates import PathTemplate
from cdn.errors import GrantsError

# The document is checked by hand, since a validator of JSON Schemas takes long to import.

_NAME = re.compile(r"^[A-Za-z0-9-]{1,64}$")
_HOST = re.compile(
    r"^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$"
)
_CLAIM = re.compile(r"^[A-Za-z0-9_.:/-]{1,128}$")
_TOKEN_USE = re.compile(r"^(?:access|id)$")
_SCOPE = re.compile(r"^[!-~]+$")
_TEXT = re.compile(r"^[^\x00-\x1f]+$")


def parse(document: str) -> Grants:
    """
    Read a grant document.

    Raises:
        GrantsError: It is no JSON, or something in it is missing, unknown or not what it must be.

    >>> parse('{"version": 1, "grants": []}')
    Grants(entries=())
    >>> parse('{"version": 1, "grants": [], "default": "allow"}')
    Traceback (most recent call last):
    cdn.errors.GrantsError: grant document: $ must not have "default"; its keys are version, grants
    """
    root = _keyed(_json(document), "$", "version", "grants", optional="$schema")
    _check(root["version"] == 1 and root["version"] is not True, "$.version", "be 1")
    _check(isinstance(root.get("$schema", ""), str), "$.$schema", "be a text")
    values = _list(root["grants"], "$.grants")
    entries = tuple(_grant(value, f"$.grants[{n}]") for n, value in enumerate(values))
    names = [entry.name for entry in entries]
    for n, name in enumerate(names):
        _check(name not in names[:n], f"$.grants[{n}].name", "be no other grant's name")
    return Grants(entries)


def _grant(value: object, where: str) -> Grant:
    grant = _keyed(
        value,
        where,
        "name",
        "claims",
        "path_templates",
        "hosts",
        "access_methods",
        "max_lifetime_s",
        "bind_ip",
    )
    _check(isinstance(grant["bind_ip"], bool), f"{where}.bind_ip", "be true or false")
    return Grant(
        name=_text(grant["name"], f"{where}.name", _NAME, "be 1 to 64 letters, digits or -"),
        claims=_claims(grant["claims"], f"{where}.claims"),
        path_templates=tuple(
            _path_template(text, at)
            for at, text in _distinct(grant["path_templates"], f"{where}.path_templates")
        ),
        hosts=frozenset(
            _text(host, at, _HOST, "be a host's name in lower case, such as media.example.com")
            for at, host in _distinct(grant["hosts"], f"{where}.hosts")
        ),
        access_methods=frozenset(
            _access_method(method, at)
            for at, method in _distinct(grant["access_methods"], f"{where}.access_methods")
        ),
        max_lifetime_s=_lifetime(grant["max_lifetime_s"], f"{where}.max_lifetime_s"),
        bind_ip=grant["bind_ip"],
    )


def _claims(value: object, where: str) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    claims = _object(value, where)
    _check(
        not claims.keys().isdisjoint(PURPOSE_CLAIMS),
        where,
        "have token_use, scope or scp, since ID and access tokens look alike",
    )
    return tuple((name, _required(name, required, where)) for name, required in claims.items())


def _required(name: str, required: object, where: str) -> str | tuple[str, ...]:
    at = f"{where}.{name}" if name.isidentifier() else f"{where}[{json.dumps(name)}]"
    _text(name, at, _CLAIM, "be named with 1 to 128 letters, digits or _.:/-")
    if name == "token_use":
        return _text(required, at, _TOKEN_USE, "be access or id")
    if name in SCOPE_CLAIMS:
        return tuple(
            _text(scope, each, _SCOPE, "be a scope, without spaces")
            for each, scope in _distinct(required, at)
        )
    if isinstance(required, list):
        return tuple(
            _text(value, each, _TEXT, "be a text") for each, value in _distinct(required, at)
        )
    return _text(required, at, _TEXT, "be a text or a list of texts")


def _path_template(text: object, where: str) -> PathTemplate:
    if not isinstance(text, str):
        raise GrantsError(where, "be a text")
    if expected := path_templates.why_not(text):
        raise GrantsError(where, expected)
    return path_templates.read(text)


def _access_method(method: object, where: str) -> AccessMethod:
    _check(method in get_args(AccessMethod), where, "be url or cookies")
    return method  # type: ignore[return-value]  # as checked


def _lifetime(value: object, where: str) -> int:
    # As JSON Schema counts, 60.0 is whole and true is no number.
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise GrantsError(where, "be a whole number")
    _check(1 <= value <= MAX_LIFETIME_S, where, f"be from 1 to {MAX_LIFETIME_S}")
    return int(value)


def _json(document: str) -> object:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _check(len(dict(pairs)) == len(pairs), "$", "have no key twice in one object")
        return dict(pairs)

    try:
        return json.loads(document, object_pairs_hook=once)
    except ValueError as exc:
        raise GrantsError("$", f"be JSON; {exc}") from None
    except RecursionError:
        raise GrantsError("$", "be JSON of a few levels") from None


def _keyed(value: object, where: str, *keys: str, optional: str = "") -> dict[str, Any]:
    members = _object(value, where)
    for key in keys:
        _check(key in members, where, f"have {key}; its keys are {', '.join(keys)}")
    for key in members:
        _check(
            key in {*keys, optional},
            where,
            f"not have {json.dumps(key)}; its keys are {', '.join(keys)}",
        )
    return members


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GrantsError(where, "be an object")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise GrantsError(where, "be a list")
    return value


def _distinct(value: object, where: str) -> list[tuple[str, Any]]:
    """Return each of a list's values with the place where it stands."""
    values = _list(value, where)
    _check(values, where, "not be empty")
    for n, member in enumerate(values):
        _check(member not in values[:n], f"{where}[{n}]", "not stand there twice")
    return [(f"{where}[{n}]", member) for n, member in enumerate(values)]


def _text(value: object, where: str, pattern: re.Pattern[str], expected: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise GrantsError(where, expected)
    return value


def _check(passed: object, where: str, expected: str) -> None:
    if not passed:
        raise GrantsError(where, expected)
