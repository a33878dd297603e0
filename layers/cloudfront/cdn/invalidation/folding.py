"""The fewest items that cover what changed and evict nothing that did not."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folded:
    """Keys to name one by one, and prefixes under which every key changed."""

    keys: tuple[str, ...]
    prefixes: tuple[str, ...]


def fold(
    changed: Iterable[str],
    *,
    list_keys: Callable[[str], Sequence[str] | None],
    foldable: Callable[[str], bool],
) -> Folded:
    """
    Fold siblings among the keys *changed* where a listing shows that all of them changed.

    Only the branching nodes of the changed keys' trie can be useful prefixes, so those are
    all that is looked at, from the top down.

    Args:
        list_keys:
            Returns all keys that start with a prefix, sorted, or None when there are too many to
            list. Asked once a branch: what lies below a listing is read from it.
        foldable:
            Whether a wildcard over a prefix would touch nothing but these keys.

    >>> bucket = ["css/a", "css/b", "js/a", "js/b"]
    >>> def list_keys(prefix): return [key for key in bucket if key.startswith(prefix)]
    >>> fold(["css/a", "css/b", "js/a"], list_keys=list_keys, foldable=lambda prefix: True)
    Folded(keys=('js/a',), prefixes=('css/',))
    """
    keys: list[str] = []
    prefixes: list[str] = []
    branches: list[tuple[list[str], Sequence[str] | None]] = [(sorted(set(changed)), None)]
    while branches:
        branch, listed = branches.pop()
        if len(branch) < 2:  # noqa: PLR2004  # one key has no sibling to be folded with
            keys += branch
            continue
        prefix = _shared_start(branch[0], branch[-1])
        if listed is None:
            listed = list_keys(prefix)
        if listed is not None and foldable(prefix) and not _any_unchanged(listed, branch, prefix):
            prefixes.append(prefix)
        else:
            branches += [(child, listed) for child in _children(branch, len(prefix))]
    return Folded(tuple(sorted(keys)), tuple(sorted(prefixes)))


def _shared_start(first: str, last: str) -> str:
    pairs = enumerate(zip(first, last, strict=False))
    return first[
        : next((at for at, (one, other) in pairs if one != other), min(len(first), len(last)))
    ]


def _any_unchanged(listed: Sequence[str], branch: Sequence[str], prefix: str) -> bool:
    start = bisect_left(listed, prefix)
    changed = set(branch)
    for at in range(start, len(listed)):
        if not listed[at].startswith(prefix):
            return False
        if listed[at] not in changed:
            return True
    return False


def _children(branch: Sequence[str], depth: int) -> list[list[str]]:
    children: dict[str, list[str]] = {}
    for key in branch:
        children.setdefault(key[depth : depth + 1], []).append(key)
    return list(children.values())
