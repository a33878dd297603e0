"""A route knows which keys viewers reach, by which paths, and which path space is its own."""

import pytest

from cdn.cloudfront.behaviors import Behavior, Distribution
from cdn.cloudfront.origins import Origin
from cdn.invalidation.routes import Route

SITE = Origin("site", "site.s3.us-east-1.amazonaws.com")
API = Origin("api", "api.example.com")


def route(*behaviors, origin=SITE, default_root_object=""):
    return Route(Distribution("E1", (origin, API), behaviors, default_root_object), origin)


class TestReaches:
    def test_first_match_decides(self):
        """
        A key that an earlier behavior sends elsewhere is not reached.
        """
        here = route(Behavior("/api/*", ("api",)), Behavior("*", ("site",)))

        assert here.reaches("index.html")
        assert not here.reaches("api/users.json")

    def test_outside_origin_path(self):
        """
        Only keys below the OriginPath are reached.
        """
        here = route(Behavior("*", ("v2",)), origin=Origin("v2", SITE.domain_name, "/v2"))

        assert here.reaches("v2/index.html")
        assert not here.reaches("v20/index.html")
        assert not here.reaches("index.html")

    @pytest.mark.parametrize(
        ("pattern", "key", "reached"),
        [
            ("*.jpg", "a/b.jpg", True),
            ("/img/?.png", "img/a.png", True),
            ("/img/?.png", "img/ab.png", False),
            ("img/*", "img/a", True),
            ("IMG/*", "img/a", False),
            ("/a.c", "abc", False),
        ],
    )
    def test_patterns(self, pattern, key, reached):
        """
        `*` is any run, `?` any one character, nothing else is special, and case counts.
        """
        here = route(Behavior(pattern, ("site",)), Behavior("*", ("api",)))

        assert reached == here.reaches(key)


class TestAliases:
    def test_default_root_object(self):
        """
        The default root object is also what `/` shows, and only at the root.
        """
        here = route(Behavior("*", ("site",)), default_root_object="index.html")

        assert ("/",) == here.aliases("index.html")
        assert () == here.aliases("docs/index.html")

    @pytest.mark.parametrize(
        ("origin", "rewrites"),
        [
            (Origin("site", "site.s3-website-us-east-1.amazonaws.com"), False),
            (SITE, True),
        ],
    )
    def test_folder(self, origin, rewrites):
        """
        An index is what its folder shows, with and without the slash, where something makes it so.
        """
        here = route(Behavior("*", ("site",), rewrites=rewrites), origin=origin)

        assert here.aliases("a b+/index.html") == ("/a%20b+/", "/a%20b+", "/a%20b%2B/", "/a%20b%2B")
        assert here.aliases("index.html") == ("/",)
        assert here.aliases("index.htm") == ()
        assert here.aliases("myindex.html") == ()


class TestItems:
    def test_query_strings(self):
        """
        Where query strings are in the cache key, every one of them is covered, and no folder.
        """
        here = route(
            Behavior("/q/*", ("site",), query_strings=True, rewrites=True),
            Behavior("*", ("site",)),
        )

        assert here.items("a.css") == ("/a.css",)
        assert here.items("q/a.css") == ("/q/a.css*",)
        assert here.items("q/d/index.html") == (
            "/q/d/index.html*",
            "/q/d/",
            "/q/d",
            "/q/d/?*",
            "/q/d?*",
        )


class TestWildcards:
    def test_whole_distribution(self):
        """
        A distribution with nothing but this bucket is its own to the root.
        """
        assert route(Behavior("*", ("site",))).wildcards("") == ("/*",)

    @pytest.mark.parametrize("prefix", ["", "a", "ap", "api/v1"])
    def test_never_over_another_origin(self, prefix):
        """
        A prefix that another origin's behavior may share is never folded over.
        """
        here = route(Behavior("/api/*", ("api",)), Behavior("*", ("site",)))

        assert here.wildcards(prefix) == ()

    def test_inside_its_own_behavior(self):
        """
        A behavior of its own is path space of its own, whoever has the rest.
        """
        here = route(Behavior("/img/*", ("site",)), Behavior("*", ("api",)))

        assert here.wildcards("img/2026") == ("/img/2026*",)
        assert here.wildcards("im") == ()

    def test_origin_path(self):
        """
        A wildcard names what viewers ask for, without the OriginPath.
        """
        here = route(Behavior("*", ("v2",)), origin=Origin("v2", SITE.domain_name, "/v2"))

        assert here.wildcards("v2/css/") == ("/css/*",)
        assert here.wildcards("v") == ()
