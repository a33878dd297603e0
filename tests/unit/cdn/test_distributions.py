"""Of a distribution's configuration, routes get what decides about paths."""

from cdn import distributions
from cdn.routes import Behavior, Distribution, Origin

SITE = {"Id": "site", "DomainName": "site.s3.amazonaws.com", "OriginPath": "/v2"}
COPY = {"Id": "copy", "DomainName": "copy.s3.amazonaws.com"}
CONFIG = {
    "DefaultRootObject": "index.html",
    "Origins": {"Quantity": 2, "Items": [SITE, COPY]},
    "DefaultCacheBehavior": {"TargetOriginId": "site"},
}


class TestOfConfig:
    def test_plain(self):
        """
        The default behavior comes last and matches all.
        """
        assert distributions.of_config("E1", CONFIG) == Distribution(
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

        assert distributions.of_config("E1", config).behaviors == (
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

        assert distributions.of_config("E1", config).behaviors == (Behavior("*", ("site", "copy")),)
