"""What a cache behavior keeps apart, and for how long it keeps it."""

import email.utils
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

DAY_S = 86_400
YEAR_S = 31_536_000
ERROR_TTL_S = 10
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
CACHED_ERRORS = frozenset({403, 404, 405, 414, 500, 501, 502, 503, 504})

_SECONDS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a request's parameters, cookies or headers belong to the cache key."""

    how: str
    names: frozenset[str] = frozenset()

    def takes(self, name: str) -> bool:
        match self.how:
            case "all":
                return True
            case "whitelist":
                return name in self.names
            case "allExcept":
                return name not in self.names
            case _:
                return False


@dataclass(frozen=True, slots=True)
class Rules:
    """A cache policy, or the older settings of a behavior that mean the same."""

    min_s: int
    default_s: int
    max_s: int
    queries: Choice
    cookies: Choice
    headers: Choice

    def query_in_key(self, query: str) -> str:
        """Leave out of a query string what the cache does not tell apart, and keep the order."""
        pairs = [pair for pair in query.split("&") if self.queries.takes(pair.partition("=")[0])]
        return "&".join(pairs) if query else ""

    def variant(self, headers: Mapping[str, str]) -> tuple[str, ...]:
        """Return what distinguishes copies of one URL: the headers and cookies in the key."""
        named = (f"{name}: {headers[name]}" for name in sorted(headers) if self.headers.takes(name))
        return (*named, *sorted(self.cookies_in_key(headers)))

    def cookies_in_key(self, headers: Mapping[str, str]) -> list[str]:
        """List the cookies that the cache tells apart, as `name=value`."""
        cookies = (pair.strip() for pair in headers.get("cookie", "").split(";"))
        return [pair for pair in cookies if pair and self.cookies.takes(pair.partition("=")[0])]

    def lifetime_s(self, headers: Mapping[str, str], *, now: float) -> int:
        """
        Return for how long a copy is fresh, by the origin's headers between least and most.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
        """
        directives = dict(_directives(headers.get("cache-control", "")))
        if directives.keys() & {"no-cache", "no-store", "private"}:
            return self.min_s
        for name in ("s-maxage", "max-age"):
            if _SECONDS.fullmatch(directives.get(name, "")):
                return self._bounded(int(directives[name]))
        if "expires" in headers:
            return self._bounded(_until(headers["expires"], now=now))
        return max(self.default_s, self.min_s)

    def _bounded(self, seconds: int) -> int:
        return max(self.min_s, min(seconds, self.max_s))


def rules(behavior: dict[str, Any], policy: dict[str, Any] | None) -> Rules:
    """Read the rules from the behavior's cache policy, or else from its older settings."""
    return _from_behavior(behavior) if policy is None else _from_policy(policy)


def error_lifetime_s(config: dict[str, Any], status: int) -> int:
    """Return for how long an error is kept: 10 seconds, unless the distribution says otherwise."""
    for custom in config["CustomErrorResponses"].get("Items", ()):
        if custom["ErrorCode"] == status:
            return int(custom.get("ErrorCachingMinTTL", ERROR_TTL_S))
    return ERROR_TTL_S if status in CACHED_ERRORS else 0


def _from_policy(policy: dict[str, Any]) -> Rules:
    in_key = policy.get("ParametersInCacheKeyAndForwardedToOrigin")
    if in_key is None:
        nothing = Choice("none")
        chosen = {"queries": nothing, "cookies": nothing, "headers": nothing}
    else:
        chosen = {
            "queries": _choice(in_key["QueryStringsConfig"], "QueryStringBehavior", "QueryStrings"),
            "cookies": _choice(in_key["CookiesConfig"], "CookieBehavior", "Cookies"),
            "headers": _choice(in_key["HeadersConfig"], "HeaderBehavior", "Headers", fold=True),
        }
    return Rules(policy["MinTTL"], policy["DefaultTTL"], policy["MaxTTL"], **chosen)


def _from_behavior(behavior: dict[str, Any]) -> Rules:
    forwarded = behavior["ForwardedValues"]
    names = forwarded.get("QueryStringCacheKeys", {}).get("Items", ())
    if not forwarded["QueryString"]:
        queries = Choice("none")
    elif names and "*" not in names:
        queries = Choice("whitelist", frozenset(names))
    else:
        queries = Choice("all")
    headers = [name.lower() for name in forwarded.get("Headers", {}).get("Items", ())]
    cookies = forwarded["Cookies"]
    return Rules(
        min_s=behavior.get("MinTTL", 0),
        default_s=behavior.get("DefaultTTL", DAY_S),
        max_s=behavior.get("MaxTTL", YEAR_S),
        queries=queries,
        cookies=_choice(cookies, "Forward", "WhitelistedNames"),
        headers=Choice("all") if "*" in headers else Choice("whitelist", frozenset(headers)),
    )


def _choice(config: dict[str, Any], how: str, names: str, *, fold: bool = False) -> Choice:
    items = config.get(names, {}).get("Items", ())
    return Choice(config[how], frozenset(name.lower() if fold else name for name in items))


def _directives(header: str) -> Iterable[tuple[str, str]]:
    for directive in header.split(","):
        name, _, value = directive.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def _until(date: str, *, now: float) -> int:
    try:
        moment = email.utils.parsedate_to_datetime(date).timestamp()
    except ValueError:
        # An unreadable date, such as 0, is in the past: RFC 9111 §5.3.
        return 0
    return max(0, int(moment - now))
