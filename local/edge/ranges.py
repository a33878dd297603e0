"""A part of what is there: a viewer's Range, cut out of the whole."""

import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from local.edge.responses import EdgeResponse

_RANGE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)")
_UNSATISFIABLE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>InvalidRange</Code>"
    b"<Message>The requested range is not satisfiable</Message></Error>"
)


def cut(answer: EdgeResponse, request_headers: Mapping[str, str]) -> EdgeResponse:
    """
    Return the part that the request asks for: 206, or 416 where there is no such part.

    The whole stays whole for several ranges at once, for an If-Range that names something else
    than its ETag, and where the origin takes no ranges.

    https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
    """
    match = _RANGE.fullmatch(request_headers.get("range", ""))
    takes_ranges = answer.headers.get("accept-ranges") == "bytes"
    if answer.status != HTTPStatus.OK or not takes_ranges or not match or not any(match.groups()):
        return answer
    if request_headers.get("if-range", answer.headers.get("etag")) != answer.headers.get("etag"):
        return answer
    size = len(answer.body)
    first, last = match["first"], match["last"]
    # Without a first byte it is the number of the last ones.
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if first and last and int(last) < int(first):
        return answer
    if start >= end:
        added = {"content-range": f"bytes */{size}", "content-type": "application/xml"}
        return _with(answer, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, added, _UNSATISFIABLE)
    added = {"content-range": f"bytes {start}-{end - 1}/{size}"}
    return _with(answer, HTTPStatus.PARTIAL_CONTENT, added, answer.body[start:end])


def _with(
    answer: EdgeResponse, status: HTTPStatus, added: Mapping[str, str], body: bytes
) -> EdgeResponse:
    headers = {**answer.headers, **added, "content-length": str(len(body))}
    return replace(answer, status=status.value, headers=headers, body=body)
