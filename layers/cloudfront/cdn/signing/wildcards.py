"""Wildcards: `*` is any run of characters and `?` any one, matched in linear time."""


def matches(pattern: str, text: str) -> bool:
    """
    Return whether all of *text* is what *pattern* says.

    >>> matches("/a/*.jp?g", "/a/b/c.jpeg"), matches("/a?", "/a")
    (True, False)
    """
    first, *rest = pattern.split("*")
    if not rest:
        return len(first) == len(text) and _at(first, text, 0)
    if len(text) < len(first) or not _at(first, text, 0):
        return False
    position, last = len(first), rest.pop()
    for part in rest:
        found = next(
            (p for p in range(position, len(text) - len(part) + 1) if _at(part, text, p)), -1
        )
        if found < 0:
            return False
        position = found + len(part)
    return len(text) - len(last) >= position and _at(last, text, len(text) - len(last))


def _at(part: str, text: str, position: int) -> bool:
    return all(
        a in {b, "?"} for a, b in zip(part, text[position : position + len(part)], strict=True)
    )
