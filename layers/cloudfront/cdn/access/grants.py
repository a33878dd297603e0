"""Which claims may open which URLs: what no grant allows is denied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from cdn.access import path_templates, url_patterns
from cdn.access.path_templates import Area, PathTemplate
from cdn.access.url_patterns import UrlPattern
from cdn.errors import UrlPatternError

MAX_LIFETIME_S = 2_592_000
"""30 days. A replaced key must stay trusted for as long as the longest grant."""

AccessMethod = Literal["url", "cookies"]

Reason = Literal[
    "claims_not_held",
    "host_not_granted",
    "path_not_granted",
    "claim_unusable",
    "method_not_granted",
    "lifetime_not_granted",
]
"""Why a well-formed URL or URL pattern may not be opened."""

# Where API Gateway reads scopes, too:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-jwt-authorizer-methods.html
SCOPE_CLAIMS = ("scope", "scp")
# Either tells an access token from an ID token, which looks the same otherwise.
PURPOSE_CLAIMS = ("token_use", *SCOPE_CLAIMS)

_MAX_CACHED = 1_024


@dataclass(frozen=True, slots=True)
class Grant:
    """
    One entry of the document.

    Attributes:
        claims: What each of these claims must be (a text) or must hold (a tuple).
    """

    name: str
    claims: tuple[tuple[str, str | tuple[str, ...]], ...]
    path_templates: tuple[PathTemplate, ...]
    hosts: frozenset[str]
    access_methods: frozenset[AccessMethod]
    max_lifetime_s: int
    bind_ip: bool

    def applies_to(self, claims: Mapping[str, Any]) -> bool:
        """Return whether a token with *claims* has this grant."""
        return all(_holds(name, claims.get(name), required) for name, required in self.claims)

    def claim_names(self) -> set[str]:
        """Return the names of the claims that it requires, and of those that stand in its paths."""
        filled_in = (name for template in self.path_templates for name in template.parts[1::2])
        return {name for name, _ in self.claims} | set(filled_in)


class Allow(NamedTuple):
    """
    The URLs may be opened.

    Attributes:
        url_pattern: The URL as it must be signed and sent; with a last `*`, all that starts so.
        max_lifetime_s: For how long at most, however the expiry is rounded.
        bind_ip: Whether only from the viewer's IPv4 address.
        grant: The name of the grant that says so.
    """

    url_pattern: str
    max_lifetime_s: int
    bind_ip: bool
    grant: str


class Deny(NamedTuple):
    """
    The URLs may not be opened.

    Attributes:
        reason: A `Reason` or, where *malformed*, the reason of a `UrlPatternError`.
        detail: The same for people; it tells of no grant that the caller does not have.
        malformed: Whether no token and no grant could help.
    """

    reason: str
    detail: str
    malformed: bool = False


class EffectiveGrants(NamedTuple):
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

    def decide(
        self, url_pattern: str, *, method: AccessMethod, lifetime_s: int | None
    ) -> Allow | Deny:
        """Decide as `decide` does."""
        try:
            asked = url_patterns.read(url_pattern)
            if method == "cookies":
                url_patterns.check_for_cookies(asked)
        except UrlPatternError as exc:
            return Deny(exc.reason, exc.detail, malformed=True)
        for grant, area in self.areas.get(asked.host, ()):
            if method in grant.access_methods and area.covers(asked):
                if lifetime_s is not None and not 1 <= lifetime_s <= grant.max_lifetime_s:
                    return _deny(
                        "lifetime_not_granted",
                        f"this opens for 1 to {grant.max_lifetime_s} seconds",
                    )
                return Allow(asked.text, grant.max_lifetime_s, grant.bind_ip, grant.name)
        return self._why_not(asked, method)

    def _why_not(self, asked: UrlPattern, method: AccessMethod) -> Deny:
        if not self.grants:
            return _deny("claims_not_held", "no grant is for a token with these claims")
        areas = self.areas.get(asked.host, ())
        if not areas:
            return _deny("host_not_granted", "your grants open nothing on this host")
        if any(area.covers(asked) for _, area in areas):
            return _deny("method_not_granted", f"your grants open this, but not by {method}")
        in_order = (grant for grant in self.grants if asked.host in grant.hosts)
        for template in (each for grant in in_order for each in grant.path_templates):
            name = template.unusable(self.claims)
            if name is not None and asked.path.startswith(template.parts[0]):
                return _deny(
                    "claim_unusable",
                    f"the token's claim {name} must be 1 to 128 letters, digits or ._@=+- to stand "
                    "in a path, and neither . nor ..",
                )
        return _deny("path_not_granted", "your grants do not open this path")


@dataclass(frozen=True, slots=True)
class Grants:
    """A checked document; without *entries* it allows nothing."""

    entries: tuple[Grant, ...] = ()
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _cached: dict[tuple[object, ...], EffectiveGrants] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        names = {name for entry in self.entries for name in entry.claim_names()}
        object.__setattr__(self, "_names", tuple(sorted(names)))

    def effective_for(self, claims: Mapping[str, Any]) -> EffectiveGrants:
        """Return the grants that a token with *claims* has; cached by the claims that count."""
        values = list(map(claims.get, self._names))
        key = tuple([tuple(value) if isinstance(value, list) else value for value in values])
        try:
            effective = self._cached.get(key)
        except TypeError:
            # A claim with an object in it, which gives nobody anything.
            return self._effective(values)
        if effective is None:
            if len(self._cached) >= _MAX_CACHED:
                self._cached.clear()
            effective = self._cached[key] = self._effective(values)
        return effective

    def _effective(self, values: Sequence[object]) -> EffectiveGrants:
        claims = dict(zip(self._names, values, strict=True))
        effective = tuple(grant for grant in self.entries if grant.applies_to(claims))
        best_first = sorted(
            effective, key=lambda grant: (grant.max_lifetime_s, not grant.bind_ip), reverse=True
        )
        filled = [
            (grant, path_templates.area(grant.path_templates, claims)) for grant in best_first
        ]
        hosts = {host for grant in effective for host in grant.hosts}
        areas = {
            host: [(grant, area) for grant, area in filled if host in grant.hosts] for host in hosts
        }
        return EffectiveGrants(effective, claims, areas)


def decide(
    grants: Grants,
    *,
    claims: Mapping[str, Any],
    url_pattern: str,
    method: AccessMethod,
    lifetime_s: int | None,
) -> Allow | Deny:
    """
    Decide whether a verified token's *claims* may open *url_pattern*.

    Of several grants that allow it, the one with the longest lifetime is named; of equal ones, one
    that does not bind the address, then the first in the document. A denial names the check at
    which the last of the caller's grants failed.

    Args:
        claims: As JSON in the token itself. What API Gateway hands over has strings for lists.
        url_pattern: A URL as it came; or that of a folder with `/*`, for all that is in it.
        lifetime_s: Deny where it is longer than allowed, or no second.

    >>> from cdn.access import grant_document
    >>> grants = grant_document.parse('''{"version": 1, "grants": [{"name": "own-files",
    ...     "claims": {"token_use": "access"}, "path_templates": ["https://{host}/users/{sub}/*"],
    ...     "hosts": ["media.example.com"], "access_methods": ["url"],
    ...     "max_lifetime_s": 600, "bind_ip": false}]}''')
    >>> def ask(url):
    ...     claims = {"token_use": "access", "sub": "42"}
    ...     return decide(grants, claims=claims, url_pattern=url, method="url", lifetime_s=None)
    >>> ask("https://media.example.com/users/42/a b.jpg").url_pattern
    'https://media.example.com/users/42/a%20b.jpg'
    >>> ask("https://media.example.com/users/43/a.jpg").reason
    'path_not_granted'
    >>> ask("https://media.example.com/users/42/../43/a.jpg").reason
    'dot_segment'
    """
    return grants.effective_for(claims).decide(url_pattern, method=method, lifetime_s=lifetime_s)


def _deny(reason: Reason, detail: str) -> Deny:
    return Deny(reason, detail)


def _holds(name: str, value: object, required: str | tuple[str, ...]) -> bool:
    if isinstance(required, str):
        return value == required
    if isinstance(value, str):
        # RFC 7519 lets an `aud` of one be no list.
        value = value.split(" ") if name in SCOPE_CLAIMS else [value]
    return isinstance(value, list) and all(text in value for text in required)
