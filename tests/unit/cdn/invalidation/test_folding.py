"""A fold covers every change, evicts nothing else, and is as small as can be."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from cdn.invalidation import folding

KEYS = st.text("ab/", min_size=1, max_size=4)


def everything_foldable(_prefix):
    return True


def listing_of(keys):
    return lambda prefix: sorted(key for key in keys if key.startswith(prefix))


def covered(folded, key):
    return key in folded.keys or any(map(key.startswith, folded.prefixes))


class TestFold:
    def test_all_siblings_changed(self):
        """
        A folder in which every key changed is one prefix.
        """
        folded = folding.fold(
            ["css/a", "css/b"],
            list_keys=listing_of(["css/a", "css/b", "index"]),
            foldable=everything_foldable,
        )

        assert folded == folding.Folded(keys=(), prefixes=("css/",))

    def test_one_sibling_unchanged(self):
        """
        A folder in which one key did not change is named key by key.
        """
        folded = folding.fold(
            ["css/a", "css/b"],
            list_keys=listing_of(["css/a", "css/b", "css/c"]),
            foldable=everything_foldable,
        )

        assert folded == folding.Folded(keys=("css/a", "css/b"), prefixes=())

    def test_too_many_to_list(self):
        """
        What cannot be listed is not folded, but what lies below it may be.
        """
        keys = ["a/1", "a/2", "b/1"]
        folded = folding.fold(
            keys,
            list_keys=lambda prefix: listing_of(keys)(prefix) if prefix else None,
            foldable=everything_foldable,
        )

        assert folded == folding.Folded(keys=("b/1",), prefixes=("a/",))

    def test_listed_once(self):
        """
        What a listing has shown is not asked for again.
        """
        asked = []
        keys = ["a/1", "a/2", "b/1", "b/2", "c"]

        def list_keys(prefix):
            asked.append(prefix)
            return listing_of([*keys, "d"])(prefix)

        folding.fold(keys, list_keys=list_keys, foldable=everything_foldable)

        assert [""] == asked

    @given(dirty=st.sets(KEYS), clean=st.sets(KEYS), unfoldable=st.sets(KEYS))
    def test_exact(self, dirty, clean, unfoldable):
        """
        Every changed key is covered, no unchanged key is, and only foldable prefixes are used.
        """
        clean -= dirty
        folded = folding.fold(
            dirty,
            list_keys=listing_of(clean | dirty),
            foldable=lambda prefix: prefix not in unfoldable,
        )

        assert all(covered(folded, key) for key in dirty)
        assert not any(covered(folded, key) for key in clean)
        assert not unfoldable & set(folded.prefixes)

    @given(dirty=st.sets(KEYS, max_size=5), clean=st.sets(KEYS, max_size=5))
    def test_fewest(self, dirty, clean):
        """
        No choice of keys and prefixes covers the same with fewer items.
        """
        clean -= dirty
        folded = folding.fold(
            dirty, list_keys=listing_of(clean | dirty), foldable=everything_foldable
        )

        assert len(folded.keys) + len(folded.prefixes) == fewest_by_trying(dirty, clean)


def fewest_by_trying(dirty, clean):
    starts = {key[:end] for key in dirty for end in range(len(key) + 1)}
    usable = [p for p in starts if not any(key.startswith(p) for key in clean)]
    options = [{key for key in dirty if key.startswith(p)} for p in usable]
    options += [{key} for key in dirty]
    for count in range(len(dirty) + 1):
        for chosen in combinations(options, count):
            if dirty == set().union(*chosen):
                return count
    raise AssertionError
