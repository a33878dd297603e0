"""Paths in which the claims of a token stand, so that each user has their own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cdn.access.url_patterns import DOTS, SLASHES, UrlPattern

_START = "https://{host}"

# Written as people read it. A claim shares its segment with no other claim and no `*`: else one
# user's path could be another's, too.
_LITERAL = rf"[^/\\?#*%{{}}\x00-\x1f\x7f-\x9f{SLASHES}]*"
_SEGMENT = rf"(?![{DOTS}]+(?:[/;]|$)){_LITERAL}(?:\{{(?!host\}})[A-Za-z0-9_.:/-]+\}}{_LITERAL})?"
PATTERN = rf"^https://\{{host\}}(?=/)(?:/(?!/){_SEGMENT})*(?:/\*)?$"
"""What a template looks like, for Python and for JSON Schema."""

_TEMPLATE = re.compile(PATTERN)
_FAULTS = (
    (r"^(?!https://\{host\}/)", "start with https://{host}/, whose hosts stand in `hosts`"),
    (r"\*.|[^/]\*", "have no * but a last one after a slash, as in /folder/*"),
    (r"[?#]", "have neither ? nor #; any query string may be signed"),
    (r"%", "be written as people read it, without %"),
    (r"\}[^/]*\{", "have one claim at most between two slashes, so that none runs into another"),
    (rf"[^:]//|/[{DOTS}]+(?:[/;]|$)", "have no empty part and none that is . or .."),
)

_USABLE = re.compile(r"[A-Za-z0-9._@=+-]{1,128}")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """
    A path in which claims are filled in as literals.

    Attributes:
        parts: Literals and names of claims in turn: `("/users/", "sub", "/")`.
        wildcard: Whether all paths that start so are meant.
    """

    parts: tuple[str, ...]
    wildcard: bool

    def unusable(self, claims: Mapping[str, Any]) -> str | None:
        """
        Return the name of the first claim that cannot be filled in, if any.

        >>> read("https://{host}/users/{sub}/*").unusable({"sub": "../43"})
        'sub'
        """
        return next((name for name in self.parts[1::2] if not _usable(claims.get(name))), None)

    def covers(self, url_pattern: UrlPattern, claims: Mapping[str, Any]) -> bool:
        """Return whether all of *url_pattern* is under this path; never with an unusable claim."""
        return area([self], claims).covers(url_pattern)


class Area(NamedTuple):
    """All that is under some templates, once the claims of a token stand in them."""

    folders: tuple[str, ...]
    paths: frozenset[str]

    def covers(self, url_pattern: UrlPattern) -> bool:
        """Return whether all of *url_pattern* is in here."""
        path = url_pattern.path
        return path.startswith(self.folders) or (path in self.paths and not url_pattern.wildcard)


def area(templates: Iterable[PathTemplate], claims: Mapping[str, Any]) -> Area:
    """
    Fill *claims* in; a template with an unusable one covers nothing.

    >>> area([read("https://{host}/users/{sub}/*")], {"sub": "42"}).folders
    ('/users/42/',)
    """
    filled = [
        (
            "".join(claims[part] if n % 2 else part for n, part in enumerate(template.parts)),
            template.wildcard,
        )
        for template in templates
        if template.unusable(claims) is None
    ]
    return Area(
        tuple(path for path, wildcard in filled if wildcard),
        frozenset(path for path, wildcard in filled if not wildcard),
    )


def why_not(text: str) -> str | None:
    """
    Return what *text* must do to be a template, or None when it is one.

    >>> why_not("https://{host}/users/{sub}*")
    'have no * but a last one after a slash, as in /folder/*'
    """
    if _TEMPLATE.fullmatch(text):
        return None
    faults = (expected for sign, expected in _FAULTS if re.search(sign, text))
    return next(faults, "be such as https://{host}/users/{sub}/*")


def read(text: str) -> PathTemplate:
    """
    Read a template that `why_not` finds nothing wrong with.

    >>> read("https://{host}/users/{sub}/*")
    PathTemplate(parts=('/users/', 'sub', '/'), wildcard=True)
    """
    path = text.removeprefix(_START)
    parts = tuple(re.split(r"\{([^}]+)\}", path.removesuffix("*")))
    return PathTemplate(parts, wildcard=path.endswith("*"))


def _usable(value: object) -> bool:
    return isinstance(value, str) and value not in {".", ".."} and bool(_USABLE.fullmatch(value))
