"""Which claims may open which resources: what the grant document does not allow is refused.

docs/grants.schema.json says what the document may hold, docs/grants.json is an example.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from cdn.access import path_templates, url_patterns
from cdn.access.path_templates import Area, Template
from cdn.access.url_patterns import Resource
from cdn.errors import GrantsError, UrlPatternError

LONGEST_S = 2_592_000
"""30 days. A replaced key must stay trusted for as long as the longest grant."""

Way = Literal["url", "cookies"]

Reason = Literal[
    "claims_not_held",
    "host_not_granted",
    "path_not_granted",
    "claim_unusable",
    "way_not_granted",
    "lifetime_not_granted",
]
"""Why a resource that is well formed may not be opened."""

# Where API Gateway reads scopes, too:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-jwt-authorizer-methods.html
_SCOPES = ("scope", "scp")
# Either tells an access token from an ID token, which looks the same otherwise.
_PURPOSES = ("token_use", *_SCOPES)

_MOST_REMEMBERED = 1_024


@dataclass(frozen=True, slots=True)
class Grant:
    """
    One entry of the document.

    Attributes:
        claims: What each of these claims must be (a text) or must hold (a tuple).
    """

    name: str
    claims: tuple[tuple[str, str | tuple[str, ...]], ...]
    templates: tuple[Template, ...]
    hosts: frozenset[str]
    by: frozenset[Way]
    longest_s: int
    bind_ip: bool

    def held(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether a token with *claims* has this grant."""
        return all(_holds(name, claims.get(name), wanted) for name, wanted in self.claims)

    def names(self) -> set[str]:
        """Name the claims that it asks for, and those that stand in its paths."""
        filled_in = (name for template in self.templates for name in template.parts[1::2])
        return {name for name, _ in self.claims} | set(filled_in)


class Allowed(NamedTuple):
    """
    The resource may be opened.

    Attributes:
        resource: The URL as it must be signed and sent; with a last `*`, all that starts so.
        longest_s: For how long at most, however the expiry is rounded.
        bind_ip: Whether only from the viewer's IPv4 address.
        grant: The name of the grant that says so.
    """

    resource: str
    longest_s: int
    bind_ip: bool
    grant: str


class Refused(NamedTuple):
    """
    The resource may not be opened.

    Attributes:
        reason: A `Reason` or, where *malformed*, the reason of a `UrlPatternError`.
        detail: The same for people; it tells of no grant that the caller does not have.
        malformed: Whether no token and no grant could help.
    """

    reason: str
    detail: str
    malformed: bool = False


class Held(NamedTuple):
    """
    The grants that one token has.

    Attributes:
        grants: In the document's order.
        claims: Those that a grant names.
        areas: What these grants open on each host, the claims filled in, the best first.
    """

    grants: tuple[Grant, ...]
    claims: Mapping[str, Any]
    areas: Mapping[str, Sequence[tuple[Grant, Area]]]

    def decide(self, resource: str, *, by: Way, wanted_s: int | None) -> Allowed | Refused:
        """Decide as `decide` does."""
        try:
            asked = url_patterns.read(resource)
            if by == "cookies":
                url_patterns.check_for_cookies(asked)
        except UrlPatternError as exc:
            return Refused(exc.reason, exc.detail, malformed=True)
        for grant, area in self.areas.get(asked.host, ()):
            if by in grant.by and area.covers(asked):
                if wanted_s is not None and not 1 <= wanted_s <= grant.longest_s:
                    return _refused(
                        "lifetime_not_granted", f"this opens for 1 to {grant.longest_s} seconds"
                    )
                return Allowed(asked.text, grant.longest_s, grant.bind_ip, grant.name)
        return self._why_not(asked, by)

    def _why_not(self, asked: Resource, by: Way) -> Refused:
        if not self.grants:
            return _refused("claims_not_held", "no grant is for a token with these claims")
        here = self.areas.get(asked.host, ())
        if not here:
            return _refused("host_not_granted", "your grants open nothing on this host")
        if any(area.covers(asked) for _, area in here):
            return _refused("way_not_granted", f"your grants open this, but not by {by}")
        in_order = (grant for grant in self.grants if asked.host in grant.hosts)
        for template in (one for grant in in_order for one in grant.templates):
            name = template.unusable(self.claims)
            if name is not None and asked.path.startswith(template.parts[0]):
                return _refused(
                    "claim_unusable",
                    f"the token's claim {name} must be 1 to 128 letters, digits or ._@=+- to stand "
                    "in a path, and neither . nor ..",
                )
        return _refused("path_not_granted", "your grants do not open this path")


@dataclass(frozen=True, slots=True)
class Grants:
    """A checked document; without *entries* it allows nothing."""

    entries: tuple[Grant, ...] = ()
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _remembered: dict[tuple[object, ...], Held] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        names = {name for entry in self.entries for name in entry.names()}
        object.__setattr__(self, "_names", tuple(sorted(names)))

    def held_by(self, claims: Mapping[str, Any]) -> Held:
        """Find what a token with *claims* has of it; it is remembered by the claims that count."""
        values = list(map(claims.get, self._names))
        key = tuple([tuple(one) if isinstance(one, list) else one for one in values])
        try:
            held = self._remembered.get(key)
        except TypeError:
            # A claim with an object in it, which gives nobody anything.
            return self._find(values)
        if held is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            held = self._remembered[key] = self._find(values)
        return held

    def _find(self, values: Sequence[object]) -> Held:
        claims = dict(zip(self._names, values, strict=True))
        held = tuple(grant for grant in self.entries if grant.held(claims))
        best_first = sorted(held, key=lambda one: (one.longest_s, not one.bind_ip), reverse=True)
        filled = [(grant, path_templates.area(grant.templates, claims)) for grant in best_first]
        hosts = {host for grant in held for host in grant.hosts}
        areas = {host: [one for one in filled if host in one[0].hosts] for host in hosts}
        return Held(held, claims, areas)


def decide(
    grants: Grants,
    *,
    claims: Mapping[str, Any],
    resource: str,
    by: Way,
    wanted_s: int | None,
) -> Allowed | Refused:
    """
    Decide whether a verified token's *claims* may open *resource*.

    Of several grants that allow it, the one with the longest lifetime is named; of equal ones, one
    that does not bind the address, then the first in the document. A refusal names the check at
    which the last of the caller's grants failed.

    Args:
        claims: As JSON in the token itself. What API Gateway hands over has strings for lists.
        resource: A URL as it came; or that of a folder with `/*`, for all that is in it.
        wanted_s: Refused where it is longer than allowed, or no second.

    >>> grants = parse('''{"version": 1, "grants": [{"name": "own-files",
    ...     "claims": {"token_use": "access"}, "resources": ["https://{host}/users/{sub}/*"],
    ...     "hosts": ["media.example.com"], "by": ["url"], "longest_s": 600, "bind_ip": false}]}''')
    >>> def ask(url):
    ...     claims = {"token_use": "access", "sub": "42"}
    ...     return decide(grants, claims=claims, resource=url, by="url", wanted_s=None)
    >>> ask("https://media.example.com/users/42/a b.jpg").resource
    'https://media.example.com/users/42/a%20b.jpg'
    >>> ask("https://media.example.com/users/43/a.jpg").reason
    'path_not_granted'
    >>> ask("https://media.example.com/users/42/../43/a.jpg").reason
    'dot_segment'
    """
    return grants.held_by(claims).decide(resource, by=by, wanted_s=wanted_s)


def _refused(reason: Reason, detail: str) -> Refused:
    return Refused(reason, detail)


def _holds(name: str, value: object, wanted: str | tuple[str, ...]) -> bool:
    if isinstance(wanted, str):
        return value == wanted
    if isinstance(value, str):
        # RFC 7519 lets an `aud` of one be no list.
        value = value.split(" ") if name in _SCOPES else [value]
    return isinstance(value, list) and all(one in value for one in wanted)


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
        value, where, "name", "claims", "resources", "hosts", "by", "longest_s", "bind_ip"
    )
    _check(isinstance(grant["bind_ip"], bool), f"{where}.bind_ip", "be true or false")
    return Grant(
        name=_text(grant["name"], f"{where}.name", _NAME, "be 1 to 64 letters, digits or -"),
        claims=_claims(grant["claims"], f"{where}.claims"),
        templates=tuple(
            _template(text, at) for at, text in _distinct(grant["resources"], f"{where}.resources")
        ),
        hosts=frozenset(
            _text(host, at, _HOST, "be a host's name in lower case, such as media.example.com")
            for at, host in _distinct(grant["hosts"], f"{where}.hosts")
        ),
        by=frozenset(_way(way, at) for at, way in _distinct(grant["by"], f"{where}.by")),
        longest_s=_lifetime(grant["longest_s"], f"{where}.longest_s"),
        bind_ip=grant["bind_ip"],
    )


def _claims(value: object, where: str) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    claims = _object(value, where)
    _check(
        not claims.keys().isdisjoint(_PURPOSES),
        where,
        "have token_use, scope or scp, since ID and access tokens look alike",
    )
    return tuple((name, _wanted(name, wanted, where)) for name, wanted in claims.items())


def _wanted(name: str, wanted: object, where: str) -> str | tuple[str, ...]:
    at = f"{where}.{name}" if name.isidentifier() else f"{where}[{json.dumps(name)}]"
    _text(name, at, _CLAIM, "be named with 1 to 128 letters, digits or _.:/-")
    if name == "token_use":
        return _text(wanted, at, _TOKEN_USE, "be access or id")
    if name in _SCOPES:
        return tuple(
            _text(scope, each, _SCOPE, "be a scope, without spaces")
            for each, scope in _distinct(wanted, at)
        )
    if isinstance(wanted, list):
        return tuple(_text(one, each, _TEXT, "be a text") for each, one in _distinct(wanted, at))
    return _text(wanted, at, _TEXT, "be a text or a list of texts")


def _template(text: object, where: str) -> Template:
    if not isinstance(text, str):
        raise GrantsError(where, "be a text")
    if expected := path_templates.why_not(text):
        raise GrantsError(where, expected)
    return path_templates.read(text)


def _way(way: object, where: str) -> Way:
    _check(way in get_args(Way), where, "be url or cookies")
    return way  # type: ignore[return-value]  # as checked


def _lifetime(value: object, where: str) -> int:
    # As JSON Schema counts, 60.0 is whole and true is no number.
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise GrantsError(where, "be a whole number")
    _check(1 <= value <= LONGEST_S, where, f"be from 1 to {LONGEST_S}")
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
    found = _object(value, where)
    for key in keys:
        _check(key in found, where, f"have {key}; its keys are {', '.join(keys)}")
    for key in found:
        _check(
            key in {*keys, optional},
            where,
            f"not have {json.dumps(key)}; its keys are {', '.join(keys)}",
        )
    return found


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GrantsError(where, "be an object")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise GrantsError(where, "be a list")
    return value


def _distinct(value: object, where: str) -> list[tuple[str, Any]]:
    """Give each of a list's values, and where it stands."""
    values = _list(value, where)
    _check(values, where, "not be empty")
    for n, one in enumerate(values):
        _check(one not in values[:n], f"{where}[{n}]", "not stand there twice")
    return [(f"{where}[{n}]", one) for n, one in enumerate(values)]


def _text(value: object, where: str, pattern: re.Pattern[str], expected: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise GrantsError(where, expected)
    return value


def _check(held: object, where: str, expected: str) -> None:
    if not held:
        raise GrantsError(where, expected)
