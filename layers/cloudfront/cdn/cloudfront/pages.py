"""The lists of CloudFront for which botocore has no paginator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def items(
    operation: Callable[..., Mapping[str, Any]], member: str, **parameters: Any
) -> Iterator[Any]:
    """
    Call *operation* until the last page, and yield the items of all pages.

    Args:
        member: Of the response, in which `Items` and `NextMarker` are.

    >>> pages = {"": {"Items": [1, 2], "NextMarker": "2"}, "2": {"Items": [3]}}
    >>> list(items(lambda Marker="": {"List": pages[Marker]}, "List"))
    [1, 2, 3]
    """
    while True:
        page = operation(**parameters)[member]
        yield from page.get("Items", ())
        if not page.get("NextMarker"):
            return
        parameters["Marker"] = page["NextMarker"]
