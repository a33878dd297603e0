"""How a viewer's URL must be written so that it arrives at CloudFront as it was signed.

A signature holds for exact bytes. Whatever a browser would rewrite on the way is written here
as browsers write it, and what has no one way of being written is refused.
"""

import re
from typing import Literal
from urllib.parse import quote, unquote

from cdn.errors import UrlError

PARAMETERS = ("Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
"""The query parameters that are CloudFront's own; with `CloudFront-` before them, its cookies."""

MAX_URL_BYTES = 8_192
"""Bytes of a URL, its signature included: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html"""

Section = Literal["scheme", "host", "path", "query"]

_HOST = r"[a-z0-9]++(?:(?:\.|-++)[a-z0-9]++)*+"
# A name that begins as one of CloudFront's own does is looked at more closely.
_PARAMETER = r"""
    (?! [EPSKH] ) [\w!$()*+,:;@~./?-]++ (?: = (?: [\w!$()*+,:;=@~./?-]++ | %[0-9A-Fa-f]{2} )*+ )?+
"""
# Written as it is sent already, as nearly every URL is: one match, and nothing else to look at.
_READY = re.compile(
    rf"""
    https?://{_HOST}
    / (?: [\w/!$&'()*+,:;=@~.-]++ | %(?!2[eE])[0-9A-Fa-f]{{2}} )*+
    (?: \? {_PARAMETER} (?: & {_PARAMETER} )*+ )?+
    """,
    re.ASCII | re.VERBOSE,
)
_PARTS = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?]*)(?P<query>\?.*)?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65_535


def encode(url: str) -> str:
    """
    Write *url* as browsers send it, or refuse it.

    What must not stand raw in a URL is percent-encoded; what is encoded already stays as it is.
    Scheme and host become lower-case, the scheme's own port and an empty query go, an empty
    path becomes `/`.

    Raises:
        UrlError: The URL has a fragment, user information, a query parameter of CloudFront's
            own, a `.` or `..` segment, a `%` that encodes nothing, a control character, or a
            scheme, host or port that CloudFront serves nothing under.

    >>> encode("HTTPS://D1.cloudfront.net:443/übung/a b%20c.jpg?q=it's")
    'https://d1.cloudfront.net/%C3%BCbung/a%20b%20c.jpg?q=it%27s'
    >>> encode("https://d1.cloudfront.net/a.jpg?Expires=1")
    Traceback (most recent call last):
    cdn.errors.UrlError: query has a parameter Expires, which is CloudFront's own; rename it
    """
    # Only a segment that begins with a dot can be . or ..
    if "/." not in url and _READY.fullmatch(url):
        return url
    refuse_unwritable(url)
    scheme, colon, rest = url.partition("://")
    parts = _PARTS.fullmatch(f"{scheme.lower()}{colon}{rest}")
    if not parts:
        raise UrlError("scheme", "must be http:// or https://")
    host = encode_authority(parts["authority"], scheme=parts["scheme"])
    path, query = encode_path(parts["path"] or "/"), encode_query((parts["query"] or "")[1:])
    for name in names(query):
        if name in PARAMETERS:
            raise UrlError("query", f"has a parameter {name}, which is CloudFront's own; rename it")
    return f"{parts['scheme']}://{host}{path}{'?' if query else ''}{query}"


def encode_authority(authority: str, *, scheme: str) -> str:
    """
    Write host and port as browsers send them.

    Raises:
        UrlError: There is user information, or the host or the port is none.
    """
    if "@" in authority:
        raise UrlError("userinfo", "must not be in a URL; nothing may stand before the host")
    host, colon, port = authority.lower().partition(":")
    if not host.isascii():
        raise UrlError("host", "has letters beyond ASCII; write it in its xn-- form")
    if not re.fullmatch(_HOST, host):
        raise UrlError("host", "must be a domain name, such as d111111abcdef8.cloudfront.net")
    if not colon:
        return host
    if not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 0 < int(port) <= _LAST_PORT:
        raise UrlError("port", f"must be a number from 1 to {_LAST_PORT}")
    return host if int(port) == _DEFAULT_PORTS.get(scheme) else f"{host}:{int(port)}"


def encode_path(path: str) -> str:
    """
    Write *path* as invalidations name it, so that copies fetched by signed URLs go as well.

    Raises:
        UrlError: It has a fragment, a `.` or `..` segment, or a `%` that encodes nothing.
    """
    _refuse_fragment(path)
    _refuse_stray_percent("path", path)
    if {".", ".."} & {unquote(segment) for segment in re.split(r"[/\\]", path)}:
        raise UrlError("path", "has a segment . or .., which browsers resolve before they ask")
    return quote(path, safe="%/!$&'()*+,:;=@")


def encode_query(query: str) -> str:
    """
    Write *query*, without its `?`, as browsers send it: unlike in a path, `'` is encoded.

    Raises:
        UrlError: It has a fragment, or a `%` that encodes nothing.
    """
    _refuse_fragment(query)
    _refuse_stray_percent("query", query)
    return quote(query, safe="%/?!$&()*+,:;=@")


def refuse_unwritable(text: str) -> None:
    """
    Refuse what no URL can have in it, encoded or not.

    Raises:
        UrlError: There is a control character or half a surrogate pair.
    """
    for at, character in enumerate(text):
        if character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff":
            raise UrlError("character", f"{at} is U+{ord(character):04X}, which no URL can have")


def split(url: str) -> dict[Section, str]:
    """
    Cut *url*, which may be of any kind, into the sections that a policy's wildcards keep to.

    >>> split("https://d1.cloudfront.net/a/b.jpg?size=2")
    {'scheme': 'https', 'host': 'd1.cloudfront.net', 'path': '/a/b.jpg', 'query': 'size=2'}
    """
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    return {"scheme": scheme, "host": host, "path": f"{slash}{path}", "query": query}


def names(query: str) -> list[str]:
    """
    Return the parameters of *query*, decoded, as often as they come.

    >>> names("size=2&%45xpires&size=3")
    ['size', 'Expires', 'size']
    """
    return [unquote(parameter.partition("=")[0]) for parameter in query.split("&") if parameter]


def _refuse_stray_percent(part: Section, text: str) -> None:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise UrlError(part, "has a % that encodes nothing; a % itself is written %25")


def _refuse_fragment(text: str) -> None:
    if "#" in text:
        raise UrlError("fragment", "is never sent, so not signed; a # of the path is written %23")
