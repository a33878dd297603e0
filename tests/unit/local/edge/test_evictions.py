"""Tests of local.edge.evictions."""

import pytest

from local.edge import evictions
from local.edge.evictions import Eviction

NO_TAGS: frozenset[str] = frozenset()


class TestTakes:
    @pytest.mark.parametrize(
        ("item", "url", "takes"),
        [
            ("/a.css", "/a.css", True),
            ("/a.css", "/A.css", False),
            ("/a.css", "/a.css?v=1", False),
            ("/a.css?v=1", "/a.css?v=1", True),
            ("/a.css?v=1", "/a.css?v=2", False),
            ("/a.css*", "/a.css?v=1", True),
            ("/a.css*", "/a.css", True),
            ("/dir/*", "/dir/a/b", True),
            ("/dir/*", "/dir/", True),
            ("/dir/*", "/dir", False),
            ("/dir/*", "/dir2/a", False),
            ("/dir*", "/dir2/a", True),
            ("/*", "/", True),
            ("/a*b", "/axb", False),
            ("/a*b", "/a*b", True),
            ("/dir", "/dir/", False),
            # Unsafe or not ASCII: encoded in the item, however the viewer sent it.
            ("/a%20b", "/a%20b", True),
            ("/a%20b", "/a b", True),
            ("/a b", "/a%20b", False),
            ("/a b", "/a b", False),
            ("/a+b", "/a%20b", False),
            ("/%C3%BC", "/ü", True),
            ("/%c3%bc", "/%C3%BC", True),
            ("/ü", "/%C3%BC", False),
            ("/%5Bid%5D", "/[id]", True),
            ("/100%25", "/100%25", True),
            ("/100%25", "/100%", True),
            # Everything else: as it was sent, on both sides.
            ("/a+b", "/a+b", True),
            ("/a+b", "/a%2Bb", False),
            ("/a%2Bb", "/a%2bb", True),
            ("/a%2Bb", "/a+b", False),
            ("/a%41", "/aA", False),
            ("/%C3%BC*", "/%c3%bcber", True),
            ("/a b*", "/a%20bc", False),
            # Not supported at all, but a wildcard before it helps.
            ("/~me", "/~me", False),
            ("/%7Eme", "/~me", False),
            ("/~me/*", "/~me/a", False),
            ("/*", "/~me", True),
        ],
    )
    def test_item(self, item, url, takes):
        """
        An item takes the copies of exactly those URLs that CloudFront's guide promises.
        """
        assert Eviction.of((item,)).takes(evictions.canonical(url), NO_TAGS) == takes

    def test_many(self):
        """
        One item that fits is enough.
        """
        eviction = Eviction.of(("/a", "/b/*", "#c"))

        assert [eviction.takes(url, NO_TAGS) for url in ("/a", "/b/x", "/c")] == [True, True, False]

    @pytest.mark.parametrize(
        ("item", "takes"), [("#Product-42", True), ("#product-4", False), ("#product-4*", False)]
    )
    def test_tag(self, item, takes):
        """
        A tag is compared in any case, and has no wildcard.
        """
        tags = evictions.tags_of("home, PRODUCT-42")

        assert Eviction.of((item,)).takes("/x", tags) == takes


class TestCanonical:
    def test_any_bytes(self):
        """
        Bytes that are not UTF-8 are encoded one by one.
        """
        raw = b"/\xff\xc3\xbc".decode(errors="surrogateescape")

        assert evictions.canonical(raw) == "/%FF%C3%BC"


class TestTagsOf:
    def test_too_many(self):
        """
        Tags after the fiftieth, and those of more than 256 characters, do not count.
        """
        header = ",".join(["x" * 257, "y" * 256, *[f"t{number}" for number in range(60)]])

        tags = evictions.tags_of(header)

        assert len(tags) == 50
        assert "y" * 256 in tags
        assert "x" * 257 not in tags

    def test_none(self):
        """
        No header is no tag.
        """
        assert evictions.tags_of("") == frozenset()
