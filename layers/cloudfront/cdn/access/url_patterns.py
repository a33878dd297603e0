"""URL patterns: a URL or all of a folder, written so that it means only one thing.

Browsers, CloudFront, S3 and origins differ in how they read `..`, `%2f`, a backslash, `//`, a port
or an odd host. A URL that two of them might read differently is refused, never repaired, so that
what was checked, what is signed and what is served are the same.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

from cdn.errors import UrlPatternError
from cdn.signing import urls

# Browsers ignore a longer Path and make one up: https://chromestatus.com/feature/4946713618939904
_MAX_COOKIE_PATH_BYTES = 1_024

# CloudFront's own parameters, which nobody else may use beside a signature:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
_RESERVED = {name.lower() for name in urls.PARAMETERS}

SLASHES = r"\u2044\u2100\u2101\u2105\u2106\u2215\u2216\ufe68\uff0f\uff3c"
"""What compatibility normalisation (NFKC) or a best-fit conversion may turn into a slash."""

DOTS = r"\s.\u2024\u2025\u2026\ufe19\ufe30\ufe52\uff0e"
"""Dots, what NFKC turns into dots, and the spaces that some file systems drop beside dots."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
_HALF_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# The wide percent signs are those that NFKC turns into `%`.
_ESCAPE_LEFT = re.compile(r"[%\ufe6a\uff05][0-9A-Fa-f]{2}")
_ENCODED_SLASH = re.compile(r"%2[Ff]")
_SLASH_LIKE = re.compile(f"[{SLASHES}]")
# Servlet containers cut a segment at its `;` before they look for `..`.
_DOT_SEGMENT = re.compile(rf"/[{DOTS}]+(?:[/;]|\Z)")

# Read by all in the same way as it stands, as nearly every URL is: there is nothing else to check.
_PLAIN = re.compile(
    r"https://([a-z0-9-]++(?:\.[a-z0-9-]++)++)"
    r"((?=/)(?:/[\w~!$&'()+,=@:-][\w.~!$&'()+,=@:-]*+)*+/?+)((?<=/)\*)?+",
    re.ASCII,
)
_PARTS = re.compile(r"([^/?]*)([^?]*)(?:\?(.*))?", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")

# RFC 3986's pchar. Whatever else is raw is encoded; what browsers encode is among it, so that they
# send what was signed: https://url.spec.whatwg.org/#path-percent-encode-set. In a query, that
# includes the apostrophe.
_RAW_IN_PATH = "/:@!$&'()*+,;=%"
_RAW_IN_QUERY = "/:@!$&()*+,;=%"
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


# Made for each URL; a frozen dataclass takes thrice as long to be made, as with others like it.
class UrlPattern(NamedTuple):
    """
    An https URL, or with *wildcard* every URL that starts so.

    Attributes:
        text: As it must be signed and sent, byte for byte: ASCII, and the same in browsers.
        host: In lower case.
        path: Percent-decoded, without the `*` of a wildcard.
    """

    text: str
    host: str
    path: str
    wildcard: bool


def read(text: str) -> UrlPattern:
    """
    Read a URL, or the URL of a folder with a last `*` for all that is in it.

    Raises:
        UrlPatternError: It is no https URL, or one that may be read in two ways.

    Raw characters that URLs don't have are encoded, as browsers do. Escapes of letters, digits and
    `-._~` are undone in the path; all other escapes stay, since `+` and `%2B` differ in S3.

    >>> read("https://Media.example.com/users/42/café %7e.jpg?v=1").text
    'https://media.example.com/users/42/caf%C3%A9%20~.jpg?v=1'
    >>> read("https://media.example.com/users/42/*").path
    '/users/42/'
    >>> read("https://media.example.com/users/42/%2e%2e/43/a.jpg")
    Traceback (most recent call last):
    cdn.errors.UrlPatternError: no part of the path may be . or .., in whatever spelling
    """
    plain = _PLAIN.fullmatch(text)
    if plain is None or len(text) > urls.MAX_URL_BYTES:
        return _read_odd(text)
    host, path, star = plain.groups()
    return UrlPattern(text, host, path, star is not None)


def _read_odd(text: str) -> UrlPattern:
    _check_characters(text)
    authority, path, query = _PARTS.fullmatch(text, len("https://")).groups()  # type: ignore[union-attr]  # it matches anything
    host = _host(authority)
    path, star, rest = (path or "/").partition("*")
    if star and (rest or query is not None or not path.endswith("/")):
        raise UrlPatternError(
            "wildcard", "a * may only end the URL, as in /folder/*; else write it %2A"
        )
    decoded = _decoded(path)
    canonical = f"https://{host}{_encoded(path)}{star}"
    if query:
        _check_query(query)
        canonical += f"?{quote(query, safe=_RAW_IN_QUERY)}"
    _check_length(canonical)
    return UrlPattern(canonical, host, decoded, wildcard=bool(star))


def check_for_cookies(url_pattern: UrlPattern) -> None:
    """
    Check that cookies can open *url_pattern*.

    Raises:
        UrlPatternError: It has a query string, or a path that no cookie's Path can say.
    """
    path = cookie_path(url_pattern.text)
    if "?" in path:
        raise UrlPatternError("query", "cookies open paths; a query string belongs to a signed URL")
    if ";" in path:
        raise UrlPatternError("semicolon", "the Path of a cookie cannot hold a ;")
    if len(path) > _MAX_COOKIE_PATH_BYTES:
        raise UrlPatternError(
            "too_long", f"the Path of a cookie has at most {_MAX_COOKIE_PATH_BYTES} bytes"
        )


def cookie_path(text: str) -> str:
    """
    Return the Path with which browsers send the cookies for a URL pattern wherever they open it.

    Args:
        text: Of a `UrlPattern`.

    CloudFront's samples write `Path=/images/*`, which browsers take literally (RFC 6265, 5.1.4).

    >>> cookie_path("https://media.example.com/users/42/*")
    '/users/42/'
    >>> cookie_path("https://media.example.com/users/42/a.jpg")
    '/users/42/a.jpg'
    """
    return _host_and_path(text)[1]


def overlapping(texts: Iterable[str], *, any_host: bool = False) -> tuple[str, str] | None:
    """
    Return two URL patterns whose cookies a browser would send together, or None.

    CloudFront would get two cookies of each name then, and may read the wrong ones.

    Args:
        texts: Of `UrlPattern`s.
        any_host: Whether the cookies get a Domain, so that all hosts below it share them.

    >>> overlapping(["https://a.example/x/*", "https://a.example/y/*", "https://a.example/x/1/*"])
    ('https://a.example/x/*', 'https://a.example/x/1/*')
    >>> overlapping(["https://a.example/x/*", "https://b.example/x/*"])
    """
    placed: list[tuple[list[str], str]] = []
    for text in texts:
        host, path = _host_and_path(text)
        placed.append((["" if any_host else host, *filter(None, path.split("/"))], text))
    # In the order of their parts, what lies below a path follows it at once.
    for (above, first), (below, second) in pairwise(sorted(placed)):
        if below[: len(above)] == above:
            return first, second
    return None


def _host_and_path(text: str) -> tuple[str, str]:
    host, _, path = text.removeprefix("https://").partition("/")
    return host, f"/{path.removesuffix('*')}"


def _check_length(text: str) -> None:
    if len(text) > urls.MAX_URL_BYTES:
        raise UrlPatternError("too_long", f"a URL has at most {urls.MAX_URL_BYTES} bytes")


def _check_characters(text: str) -> None:
    _check_length(text)
    if _CONTROL.search(text) or _ENCODED_CONTROL.search(text):
        raise UrlPatternError(
            "control_character", "a URL has no control characters, raw or encoded"
        )
    if text[:8].lower() != "https://":
        raise UrlPatternError("scheme", "the URL must start with https://")
    # Browsers drop it, others encode it.
    if text.endswith(" "):
        raise UrlPatternError(
            "space", "the URL must not end with a space; write %20 where one is meant"
        )
    if "\\" in text:
        raise UrlPatternError("backslash", "a URL has no backslash, since browsers make it a slash")
    if "#" in text:
        raise UrlPatternError(
            "fragment", "the URL must have no #fragment; write %23 where # is meant"
        )
    if _HALF_ESCAPE.search(text):
        raise UrlPatternError("encoding", "each % must be followed by two hexadecimal digits")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UrlPatternError("encoding", "the URL has half of a surrogate pair") from None


def _host(authority: str) -> str:
    if "@" in authority:
        raise UrlPatternError("userinfo", "the URL must have no user name and no @ before its path")
    host, colon, _ = authority.partition(":")
    # Matched before it is lowered: some letters beyond ASCII have ASCII's as their lower case.
    if not _HOST.fullmatch(host):
        raise UrlPatternError(
            "host", "the host must be a plain name: letters, digits, - and single dots"
        )
    if colon:
        raise UrlPatternError("port", "the URL must name no port, not even 443")
    return host.lower()


def _decoded(path: str) -> str:
    if _ENCODED_SLASH.search(path):
        raise UrlPatternError("encoded_slash", "the path must not hold %2F")
    decoded = path
    if "%" in path:
        try:
            decoded = unquote_to_bytes(path).decode()
        except UnicodeDecodeError:
            raise UrlPatternError("encoding", "the path's escapes must be UTF-8") from None
    if _ESCAPE_LEFT.search(decoded):
        raise UrlPatternError("double_encoding", "the path must be percent-encoded once, not twice")
    if _CONTROL.search(decoded):
        raise UrlPatternError(
            "control_character", "a URL has no control characters, raw or encoded"
        )
    if "\\" in decoded:
        raise UrlPatternError("backslash", "a URL has no backslash, since browsers make it a slash")
    if _SLASH_LIKE.search(decoded):
        raise UrlPatternError(
            "slash_lookalike", "the path has a character that may be read as a slash"
        )
    if "//" in decoded:
        raise UrlPatternError("empty_segment", "the path must not hold //")
    if _DOT_SEGMENT.search(decoded):
        raise UrlPatternError(
            "dot_segment", "no part of the path may be . or .., in whatever spelling"
        )
    return decoded


def _check_query(query: str) -> None:
    if "*" in query or "?" in query:
        raise UrlPatternError("wildcard", "in a query * must be written as %2A and ? as %3F")
    for parameter in re.split("[&;]", query):
        name = unquote(parameter.partition("=")[0])
        if "%" in name:
            raise UrlPatternError(
                "double_encoding", "a parameter's name must be percent-encoded once"
            )
        if name.casefold() in _RESERVED:
            raise UrlPatternError("reserved_parameter", f"parameter {name} is CloudFront's own")


def _encoded(path: str) -> str:
    def settle(escape: re.Match[str]) -> str:
        char = chr(int(escape[1], 16))
        return char if char in _UNRESERVED else escape[0].upper()

    return _ESCAPE.sub(settle, quote(path, safe=_RAW_IN_PATH))
