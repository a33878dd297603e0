"""One request from here to an edge, on a connection of its own."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S = 5
_HEADERS = {"user-agent": "cloudfront-autopilot"}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Return a redirection as the status that it is."""

    def redirect_request(self, *_: Any) -> None:
        return


def fetch(url: str) -> int:
    """Request *url*, which must be https; return the status, or 0 where nobody answers."""
    return _send(urllib.request.Request(url, headers=_HEADERS))  # noqa: S310  # the caller checks it


def put(url: str, body: bytes, *, headers: Mapping[str, str]) -> int:
    """Send *body* to *url*, which must be https; return the status, or 0 where nobody answers."""
    return _send(urllib.request.Request(url, body, {**_HEADERS, **headers}, method="PUT"))  # noqa: S310  # as above


def _send(request: urllib.request.Request) -> int:
    # An opener of its own keeps no connection, and urllib itself sends `connection: close`.
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            return int(response.status)
    except HTTPError as exc:
        exc.close()
        return exc.code
    except (URLError, TimeoutError, ConnectionError):
        return 0
