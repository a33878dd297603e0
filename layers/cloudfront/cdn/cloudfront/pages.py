"""The lists of CloudFront for which botocore has no paginator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def items(ask: Callable[..., Mapping[str, Any]], member: str, **request: Any) -> Iterator[Any]:
    """
    Call *ask* with *request* until it has told its last page, and yield the items.

    Args:
        member: Of the answer, in which items and `NextMarker` stand.

    >>> pages = {"": {"Items": [1, 2], "NextMarker": "2"}, "2": {"Items": [3]}}
    >>> list(items(lambda Marker="": {"List": pages[Marker]}, "List"))
    [1, 2, 3]
    """
    while True:
        page = ask(**request)[member]
        yield from page.get("Items", ())
        if not page.get("NextMarker"):
            return
        request["Marker"] = page["NextMarker"]
