"""The wildcards of CloudFront: `*` stands for any run of characters, and `?` for any one."""


def matches(pattern: str, text: str) -> bool:
    """
    Return whether *pattern* matches all of *text*. Case counts, and `*` may stand for nothing.

    The work is at most the product of both lengths, and without `?` the sum of them: each run
    between two `*` is taken where it comes first, and no choice is ever taken back. A later
    place of it would leave less text for what follows.

    >>> matches("/*/?.jpg", "/albums/2026/1.jpg"), matches("/*/?.jpg", "/albums/12.jpg")
    (True, False)
    """
    first, *others = pattern.split("*")
    if not others:
        return len(first) == len(text) and _matches_at(first, text, 0)
    *inner, last = others
    start, end = len(first), len(text) - len(last)
    if start > end or not _matches_at(first, text, 0) or not _matches_at(last, text, end):
        return False
    for run in inner:
        at = _find(run, text, start, end)
        if at < 0:
            return False
        start = at + len(run)
    return True


def _matches_at(run: str, text: str, at: int) -> bool:
    """Return whether *run*, which has no `*`, matches at *at*; the text is long enough."""
    if "?" not in run:
        return text.startswith(run, at)
    return all(char in ("?", text[at + index]) for index, char in enumerate(run))


def _find(run: str, text: str, start: int, end: int) -> int:
    if "?" not in run:
        return text.find(run, start, end)
    places = range(start, end - len(run) + 1)
    return next((at for at in places if _matches_at(run, text, at)), -1)
