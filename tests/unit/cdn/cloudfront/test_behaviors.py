"""Of a distribution's configuration, routes get what decides about paths."""

import pytest

from cdn.cloudfront import behaviors
from cdn.cloudfront.behaviors import Behavior, Distribution
from cdn.cloudfront.origins import Origin

SITE = {"Id": "site", "DomainName": "site.s3.amazonaws.com", "OriginPath": "/v2"}
COPY = {"Id": "copy", "DomainName": "copy.s3.amazonaws.com"}
CONFIG = {
    "DefaultRootObject": "index.html",
    "Origins": {"Quantity": 2, "Items": [SITE, COPY]},
    "DefaultCacheBehavior": {"TargetOriginId": "site"},
}


def of_config(config):
    return behaviors.of_config("E1", config, with_queries=frozenset({"queries"}))


class TestOfConfig:
    def test_plain(self):
        """
        The default behavior comes last and matches all.
        """
        assert of_config(CONFIG) == Distribution(
            id="E1",
            origins=(
                Origin("site", "site.s3.amazonaws.com", "/v2"),
                Origin("copy", "copy.s3.amazonaws.com"),
            ),
            behaviors=(Behavior("*", ("site",)),),
            default_root_object="index.html",
        )

    def test_behaviors(self):
        """
        The other behaviors keep their order.
        """
        items = [
            {"PathPattern": "/b/*", "TargetOriginId": "copy"},
            {"PathPattern": "/a/*", "TargetOriginId": "site"},
        ]
        config = CONFIG | {"CacheBehaviors": {"Quantity": 2, "Items": items}}

        assert of_config(config).behaviors == (
            Behavior("/b/*", ("copy",)),
            Behavior("/a/*", ("site",)),
            Behavior("*", ("site",)),
        )

    def test_origin_group(self):
        """
        A behavior with an origin group leads to each of its origins.
        """
        members = {"Quantity": 2, "Items": [{"OriginId": "site"}, {"OriginId": "copy"}]}
        config = CONFIG | {
            "OriginGroups": {"Quantity": 1, "Items": [{"Id": "both", "Members": members}]},
            "DefaultCacheBehavior": {"TargetOriginId": "both"},
        }

        assert of_config(config).behaviors == (Behavior("*", ("site", "copy")),)

    @pytest.mark.parametrize(
        ("settings", "query_strings"),
        [
            ({"CachePolicyId": "queries"}, True),
            ({"CachePolicyId": "none"}, False),
            ({"ForwardedValues": {"QueryString": True}}, True),
            ({"ForwardedValues": {"QueryString": False}}, False),
        ],
    )
    def test_query_strings(self, settings, query_strings):
        """
        Query strings are in the cache key by a cache policy, or by the settings before those.
        """
        config = CONFIG | {"DefaultCacheBehavior": {"TargetOriginId": "site"} | settings}

        assert of_config(config).behaviors == (
            Behavior("*", ("site",), query_strings=query_strings),
        )

    @pytest.mark.parametrize(
        ("kind", "event_type", "rewrites"),
        [
            ("FunctionAssociations", "viewer-request", True),
            ("FunctionAssociations", "viewer-response", False),
            ("LambdaFunctionAssociations", "origin-request", True),
            ("LambdaFunctionAssociations", "origin-response", False),
        ],
    )
    def test_rewrites(self, kind, event_type, rewrites):
        """
        A function that sees requests may turn one path into another.
        """
        functions = {"Quantity": 1, "Items": [{"EventType": event_type}]}
        config = CONFIG | {"DefaultCacheBehavior": {"TargetOriginId": "site", kind: functions}}

        assert of_config(config).behaviors == (Behavior("*", ("site",), rewrites=rewrites),)


class TestMatches:
    @pytest.mark.parametrize(
        ("pattern", "path", "matched"),
        [
            ("*", "/", True),
            ("/a/*", "/a/b/c", True),
            ("/a/*", "/b/a/c", False),
            ("a/*", "/a/b", True),
            ("/a?", "/ab", True),
            ("/a?", "/a", False),
            ("/a.css", "/aXcss", False),
            ("/A/*", "/a/b", False),
            ("/a/*", "//a///b", True),
        ],
    )
    def test_patterns(self, pattern, path, matched):
        """
        A pattern is met as a whole, by case, with its leading slash implied and slashes as one.
        """
        assert behaviors.matches(pattern, path) == matched

    def test_long_key(self):
        """
        A key of 1,024 bytes that nearly meets many wildcards is decided at once.
        """
        # By backtracking it took minutes.
        assert not behaviors.matches("/*/*/*/*.jpg", "/" + "a/" * 511 + "x")
        assert not behaviors.matches("/*a*a*a*a*a*a*a*a*.jpg", "/" + "a" * 1_023)
        assert behaviors.matches("/*/*/*/*.jpg", "/" + "a/" * 509 + "x.jpg")
