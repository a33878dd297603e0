"""Which cache behavior a viewer's path falls to."""

import re
import string
from typing import Any

from local.edge.wildcards import matches

UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_ENCODED = re.compile("%([0-9a-fA-F]{2})")


def choose(config: dict[str, Any], path: str) -> dict[str, Any]:
    """Take the first behavior whose pattern matches, in the order of the list, else the default."""
    normal = normalised(path)
    for behavior in config["CacheBehaviors"].get("Items", ()):
        if _matches(behavior["PathPattern"], normal):
            return dict(behavior)
    return dict(config["DefaultCacheBehavior"])


def normalised(path: str) -> str:
    """
    Write a path as RFC 3986 §6 does, with one slash for many.

    >>> normalised("/a//b/./c/../%7euser%2f%c3%bc")
    '/a/b/~user%2F%C3%BC'
    >>> normalised("/../a/..")
    '/'
    """
    path = _ENCODED.sub(_decoded, path)
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            kept[-1:] = []
        elif segment not in ("", "."):
            kept.append(segment)
    # A last segment that stands for a folder leaves its slash behind.
    tail = "/" if kept and segments[-1] in ("", ".", "..") else ""
    return "/" + "/".join(kept) + tail


def _decoded(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in UNRESERVED else match[0].upper()


def _matches(pattern: str, path: str) -> bool:
    """Decide by characters; the leading slash of a pattern may be left out."""
    return matches(pattern if pattern.startswith(("/", "*")) else f"/{pattern}", path)
