"""Tests of local.cloudfront.cache_policies."""

import pytest

from local.cloudfront import ServiceError

MANAGED = {
    "Managed-CachingOptimized": ("658327ea-f89d-4fab-a63d-7e88639e58f6", 1, 86_400, 31_536_000),
    "Managed-CachingOptimizedForUncompressedObjects": (
        "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
        1,
        86_400,
        31_536_000,
    ),
    "Managed-CachingDisabled": ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", 0, 0, 0),
    "Managed-UseOriginCacheControlHeaders": (
        "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
        0,
        0,
        31_536_000,
    ),
    "Managed-UseOriginCacheControlHeaders-QueryStrings": (
        "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
        0,
        0,
        31_536_000,
    ),
    "Managed-Amplify": ("2e54312d-136d-493c-8eb9-b001f22f67d2", 2, 2, 600),
}


@pytest.fixture
def policy(core):
    """
    A policy of the account's own.
    """
    config = {"Name": "ours", "MinTTL": 0}
    return core.call("CreateCachePolicy", {"CachePolicyConfig": config})


class TestManaged:
    def test_there_from_the_start(self, core):
        """
        The managed policies have the ids and times that CloudFront's guide gives them.
        """
        items = core.call("ListCachePolicies", {"Type": "managed"})["CachePolicyList"]["Items"]

        found = {}
        for item in items:
            config = item["CachePolicy"]["CachePolicyConfig"]
            found[config["Name"]] = (
                item["CachePolicy"]["Id"],
                config["MinTTL"],
                config["DefaultTTL"],
                config["MaxTTL"],
            )
        assert found == MANAGED

    @pytest.mark.parametrize(
        ("operation", "code"),
        [("UpdateCachePolicy", "IllegalUpdate"), ("DeleteCachePolicy", "IllegalDelete")],
    )
    def test_for_ever(self, core, operation, code):
        """
        A managed policy is neither changed nor deleted.
        """
        identity = MANAGED["Managed-CachingDisabled"][0]
        got = core.call("GetCachePolicy", {"Id": identity})
        sent = {"Id": identity, "IfMatch": got["ETag"]}
        if operation == "UpdateCachePolicy":
            sent["CachePolicyConfig"] = got["CachePolicy"]["CachePolicyConfig"]

        with pytest.raises(ServiceError) as refused:
            core.call(operation, sent)

        assert (refused.value.code, refused.value.status) == (code, 400)

    def test_types(self, core, policy):
        """
        Without a type the list has both kinds, and each entry says which it is.
        """
        items = core.call("ListCachePolicies", {})["CachePolicyList"]["Items"]

        assert [item["Type"] for item in items] == ["managed"] * 6 + ["custom"]


class TestOwn:
    @pytest.mark.parametrize(
        ("least", "default", "most"),
        [(0, 86_400, 31_536_000), (90_000, 90_000, 31_536_000), (10**8, 10**8, 10**8)],
    )
    def test_times(self, core, least, default, most):
        """
        Times that are left out follow from the least, as the model's text has it.
        """
        sent = {"CachePolicyConfig": {"Name": "n", "MinTTL": least}}

        config = core.call("CreateCachePolicy", sent)["CachePolicy"]["CachePolicyConfig"]

        assert (config["DefaultTTL"], config["MaxTTL"]) == (default, most)

    def test_name_is_taken(self, core, policy):
        """
        A name belongs to one policy.
        """
        with pytest.raises(ServiceError) as refused:
            core.call("CreateCachePolicy", {"CachePolicyConfig": {"Name": "ours", "MinTTL": 1}})

        assert (refused.value.code, refused.value.status) == ("CachePolicyAlreadyExists", 409)

    def test_too_many(self, core, policy):
        """
        The managed ones are not counted.
        """
        core.call("CreateCachePolicy", {"CachePolicyConfig": {"Name": "2", "MinTTL": 1}})

        with pytest.raises(ServiceError, match="TooManyCachePolicies"):
            core.call("CreateCachePolicy", {"CachePolicyConfig": {"Name": "3", "MinTTL": 1}})

    def test_in_use(self, core, config, policy):
        """
        A policy that a behavior names stays.
        """
        identity = policy["CachePolicy"]["Id"]
        config["CacheBehaviors"] = {
            "Quantity": 1,
            "Items": [
                config["DefaultCacheBehavior"] | {"PathPattern": "/x", "CachePolicyId": identity}
            ],
        }
        core.call("CreateDistribution", {"DistributionConfig": config})

        with pytest.raises(ServiceError) as refused:
            core.call("DeleteCachePolicy", {"Id": identity, "IfMatch": policy["ETag"]})

        assert (refused.value.code, refused.value.status) == ("CachePolicyInUse", 409)
