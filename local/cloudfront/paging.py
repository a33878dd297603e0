"""One page of a list, as all of CloudFront's list operations cut them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from local.cloudfront import model
from local.cloudfront.errors import ServiceError

# What CloudFront gives when MaxItems is absent; the stand-in never gives more at once.
PAGE = 100

T = TypeVar("T")


def page(
    operation: str,
    parameters: dict[str, Any],
    *,
    entries: Sequence[T],
    place: Callable[[T], int],
    marked: int | None,
    identify: Callable[[T], str],
    present: Callable[[T], dict[str, Any] | str],
) -> dict[str, Any]:
    """
    Answer *operation* with the entries that follow the marker.

    Args:
        place:
            Where an entry stands in the list's order, as a rising number. The
            marker's own entry may be gone; its place (*marked*) is not.
    """
    container, members = model.page_members(operation)
    size = _size(parameters.get("MaxItems"))
    marker = parameters.get("Marker", "")
    if marker and marked is None:
        raise ServiceError("InvalidArgument", "The marker is not valid.")
    rest = entries if marked is None else [entry for entry in entries if place(entry) > marked]
    shown, truncated = rest[:size], len(rest) > size

    answer: dict[str, Any] = {"MaxItems": size, "Quantity": len(shown)}
    if "Marker" in members:
        answer["Marker"] = marker
    if "IsTruncated" in members:
        answer["IsTruncated"] = truncated
    if truncated:
        answer["NextMarker"] = identify(shown[-1])
    if shown:
        answer["Items"] = [present(entry) for entry in shown]
    return {container: answer}


def _size(wanted: str | int | None) -> int:
    """MaxItems is a string in the older list operations, an integer in the newer."""
    if wanted is None:
        return PAGE
    try:
        size = int(wanted)
    except ValueError:
        size = 0
    if size < 1:
        raise ServiceError("InvalidArgument", "MaxItems must be a positive number.")
    return min(size, PAGE)
