"""Tests of local.cloudfront.response_headers."""

import pytest

from local.cloudfront import ServiceError


@pytest.fixture
def policy(core):
    """
    A policy with nothing in it but its name.
    """
    config = {"Name": "pages"}
    return core.call("CreateResponseHeadersPolicy", {"ResponseHeadersPolicyConfig": config})


class TestCreate:
    @pytest.mark.parametrize(
        "part",
        [
            {"SecurityHeadersConfig": {"ContentTypeOptions": {"Override": True}}},
            {"ServerTimingHeadersConfig": {"Enabled": False}},
            {"CustomHeadersConfig": {"Quantity": 0}},
            {"RemoveHeadersConfig": {"Quantity": 0}},
        ],
    )
    def test_missing_parts(self, core, part):
        """
        What the edge would ignore is refused by name.
        """
        config = {"Name": "more", **part}

        with pytest.raises(ServiceError, match=next(iter(part))) as refused:
            core.call("CreateResponseHeadersPolicy", {"ResponseHeadersPolicyConfig": config})

        assert refused.value.status == 501

    def test_name_is_taken(self, core, policy):
        """
        A name belongs to one policy.
        """
        sent = {"ResponseHeadersPolicyConfig": {"Name": "pages"}}

        with pytest.raises(ServiceError) as refused:
            core.call("CreateResponseHeadersPolicy", sent)

        code = "ResponseHeadersPolicyAlreadyExists"
        assert (refused.value.code, refused.value.status) == (code, 409)


class TestDelete:
    def test_in_use(self, core, config, policy):
        """
        A policy that a behavior names stays.
        """
        identity = policy["ResponseHeadersPolicy"]["Id"]
        config["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] = identity
        core.call("CreateDistribution", {"DistributionConfig": config})

        with pytest.raises(ServiceError) as refused:
            core.call("DeleteResponseHeadersPolicy", {"Id": identity, "IfMatch": policy["ETag"]})

        code = "ResponseHeadersPolicyInUse"
        assert (refused.value.code, refused.value.status) == (code, 409)


class TestView:
    def test_by_id(self, core, policy):
        """
        An edge reads a policy by its id, and nothing by another.
        """
        found = core.response_headers_policy(policy["ResponseHeadersPolicy"]["Id"])

        assert found == {"Name": "pages"}
        assert core.response_headers_policy("") is None
