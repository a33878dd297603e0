"""Tests of local.edge.behaviors."""

import pytest

from local.edge import behaviors


def config(*patterns):
    return {
        "CacheBehaviors": {
            "Quantity": len(patterns),
            "Items": [{"PathPattern": pattern} for pattern in patterns],
        },
        "DefaultCacheBehavior": {},
    }


class TestChoose:
    @pytest.mark.parametrize(
        ("pattern", "path", "matches"),
        [
            ("/images/*.jpg", "/images/a.jpg", True),
            ("/images/*.jpg", "/images/a/b.jpg", True),
            ("/images/*.jpg", "/images/.jpg", True),
            ("images/*.jpg", "/images/a.jpg", True),
            ("/images/*.jpg", "/Images/a.jpg", False),
            ("/images/*.jpg", "/images/a.jpeg", False),
            ("/images/*.jpg", "/x/images/a.jpg", False),
            ("*.jpg", "/images/a.jpg", True),
            ("*", "/", True),
            ("/a?c", "/abc", True),
            ("/a?c", "/ac", False),
            ("/a?c", "/abbc", False),
            ("/a.c", "/abc", False),
            ("/a+(b)", "/a+(b)", True),
            ("/images/*", "/images//a.jpg", True),
            ("/images/*", "/x/../images/a.jpg", True),
            ("/images/*", "/images/../a.jpg", False),
            ("/~me", "/%7Eme", True),
            ("/a%2Fb", "/a%2fb", True),
            ("/a/b", "/a%2Fb", False),
        ],
    )
    def test_pattern(self, pattern, path, matches):
        """
        `*` is any number of characters and `?` exactly one, on the normalised path.
        """
        chosen = behaviors.choose(config(pattern), path)

        assert (chosen.get("PathPattern") == pattern) == matches

    @pytest.mark.parametrize(
        ("path", "pattern"),
        [("/a/b.css", "/a/*"), ("/b/b.css", "*.css"), ("/b/b.js", None)],
    )
    def test_order(self, path, pattern):
        """
        The first match in the order of the list wins; no match is the default.
        """
        chosen = behaviors.choose(config("/a/*", "*.css", "/b/b.css"), path)

        assert chosen.get("PathPattern") == pattern


class TestNormalised:
    @pytest.mark.parametrize(
        ("path", "normal"),
        [
            ("/", "/"),
            ("", "/"),
            ("//", "/"),
            ("/a/", "/a/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/../../a", "/a"),
            ("/%61%2e%2e", "/a.."),
            ("/%c3%bc%2f", "/%C3%BC%2F"),
            ("/100%", "/100%"),
        ],
    )
    def test_rfc_3986(self, path, normal):
        """
        Dot segments and doubled slashes go, unreserved characters are plain, hex is upper case.
        """
        assert behaviors.normalised(path) == normal
