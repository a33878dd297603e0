"""Tests of local.cloudfront.distributions, and of what all resources do alike."""

import copy

import pytest

from local.cloudfront import ServiceError


@pytest.fixture
def create(core, config):
    """
    Create a distribution whose configuration differs by *changes*.
    """

    def create(**changes):
        sent = {"DistributionConfig": config | changes}
        return core.call("CreateDistribution", sent)["Distribution"]

    return create


@pytest.fixture
def update(core, distribution):
    """
    Get the configuration, change it, and put it back.
    """

    def update(**changes):
        got = core.call("GetDistributionConfig", {"Id": distribution["Id"]})
        return core.call(
            "UpdateDistribution",
            {
                "Id": distribution["Id"],
                "DistributionConfig": got["DistributionConfig"] | changes,
                "IfMatch": got["ETag"],
            },
        )

    return update


def status(core, distribution):
    return core.call("GetDistribution", {"Id": distribution["Id"]})["Distribution"]["Status"]


class TestCreate:
    def test_names(self, distribution):
        """
        Id, ARN and domain name have the forms that CloudFront gives them.
        """
        identity = distribution["Id"]

        assert len(identity) == 14
        assert identity.startswith("E")
        assert distribution["ARN"] == f"arn:aws:cloudfront::123456789012:distribution/{identity}"
        assert distribution["DomainName"].removesuffix(".cloudfront.net").isalnum()
        assert len(distribution["DomainName"]) == len("d1234567890123.cloudfront.net")

    def test_lossless(self, core, config, distribution):
        """
        Whatever was sent is found again; what was left out may have been filled in.
        """
        got = core.call("GetDistributionConfig", {"Id": distribution["Id"]})["DistributionConfig"]

        assert got["Origins"]["Items"][0].items() >= config["Origins"]["Items"][0].items()
        assert got["DefaultCacheBehavior"].items() >= config["DefaultCacheBehavior"].items()
        assert got["Aliases"] == {"Quantity": 0}

    def test_sent_is_not_kept(self, core, create, config):
        """
        What the caller does to his configuration afterwards does not reach the kept one.
        """
        made = create()
        config["Origins"]["Items"][0]["DomainName"] = "changed.example.com"

        got = core.call("GetDistributionConfig", {"Id": made["Id"]})["DistributionConfig"]

        assert got["Origins"]["Items"][0]["DomainName"] == "site.s3.us-east-1.amazonaws.com"

    def test_sent_is_not_filled(self, create, config):
        """
        Defaults are added to the kept configuration, not to the caller's.
        """
        before = copy.deepcopy(config)

        create()

        assert config == before

    @pytest.mark.parametrize(
        ("changes", "code", "status"),
        [
            ({}, "DistributionAlreadyExists", 409),
            ({"CallerReference": "x", "Comment": "other"}, "CNAMEAlreadyExists", 409),
            ({"CallerReference": "x", "Aliases": {"Quantity": 2}}, "InconsistentQuantities", 400),
            (
                {"CallerReference": "x", "Aliases": {"Quantity": 0}, "DefaultRootObject": "/i"},
                "InvalidDefaultRootObject",
                400,
            ),
        ],
    )
    def test_refused(self, create, changes, code, status):
        """
        A reference is used once, an alias belongs to one distribution, and numbers must be right.
        """
        aliases = {"Quantity": 1, "Items": ["www.example.com"]}
        create(Aliases=aliases)

        with pytest.raises(ServiceError) as refused:
            create(**({"Aliases": aliases} | changes))

        assert (refused.value.code, refused.value.status) == (code, status)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"TargetOriginId": "nobody"}, "NoSuchOrigin"),
            ({"CachePolicyId": "none"}, "NoSuchCachePolicy"),
            ({"ResponseHeadersPolicyId": "none"}, "NoSuchResponseHeadersPolicy"),
            (
                {"TrustedKeyGroups": {"Enabled": True, "Quantity": 1, "Items": ["k"]}},
                "TrustedKeyGroupDoesNotExist",
            ),
            (
                {"ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}}},
                "InvalidArgument",
            ),
            ({"MinTTL": 3, "DefaultTTL": 2}, "InvalidTTLOrder"),
        ],
    )
    def test_bad_behavior(self, create, config, changes, code):
        """
        A behavior names only what is there, and has its times in one place and in order.
        """
        with pytest.raises(ServiceError) as refused:
            create(DefaultCacheBehavior=config["DefaultCacheBehavior"] | changes)

        assert refused.value.code == code

    def test_too_many(self, create):
        """
        An account has as many distributions as its quota says.
        """
        for reference in "abc":
            create(CallerReference=reference)

        with pytest.raises(ServiceError, match="TooManyDistributions"):
            create(CallerReference="d")

    def test_enough_of_the_same(self, create):
        """
        At most so many aliases, origins and behaviors.
        """
        names = [f"{number}.example.com" for number in range(101)]

        with pytest.raises(ServiceError, match="TooManyDistributionCNAMEs"):
            create(Aliases={"Quantity": 101, "Items": names})


class TestUpdate:
    def test_deployed(self, core, distribution, update, virtual_time):
        """
        Every create and every update is in progress for as long as a deployment takes.
        """
        seen = [status(core, distribution)]
        for act, seconds in ((None, 180), (update, 179), (None, 1), (update, 100), (update, 80)):
            if act:
                act()
            virtual_time.seconds += seconds
            seen.append(status(core, distribution))

        assert seen == [
            "InProgress",
            "Deployed",
            "InProgress",
            "Deployed",
            "InProgress",
            "InProgress",
        ]

    def test_etag(self, core, distribution, update):
        """
        An update makes a new ETag, which all readings show.
        """
        first = core.call("GetDistribution", {"Id": distribution["Id"]})["ETag"]

        second = update(Comment="new")["ETag"]

        summary = core.call("ListDistributions", {})["DistributionList"]["Items"][0]
        assert first != second
        assert summary["ETag"] == second
        assert core.call("GetDistributionConfig", {"Id": distribution["Id"]})["ETag"] == second

    def test_modified(self, distribution, update, virtual_time):
        """
        LastModifiedTime is the moment of the last update.
        """
        virtual_time.seconds += 60

        changed = update(Comment="new")["Distribution"]["LastModifiedTime"]

        assert (changed - distribution["LastModifiedTime"]).total_seconds() == 60

    def test_full_replacement(self, core, distribution, update):
        """
        What an update leaves out is gone.
        """
        update(CacheTagConfig={"HeaderName": "x-tag"})
        got = core.call("GetDistributionConfig", {"Id": distribution["Id"]})
        del got["DistributionConfig"]["CacheTagConfig"]

        core.call(
            "UpdateDistribution",
            {
                "Id": distribution["Id"],
                "DistributionConfig": got["DistributionConfig"],
                "IfMatch": got["ETag"],
            },
        )

        after = core.call("GetDistributionConfig", {"Id": distribution["Id"]})
        assert "CacheTagConfig" not in after["DistributionConfig"]

    @pytest.mark.parametrize(
        ("if_match", "error"),
        [
            ({}, ("InvalidIfMatchVersion", 400)),
            ({"IfMatch": "E0"}, ("InvalidIfMatchVersion", 400)),
            (None, ("PreconditionFailed", 412)),
        ],
    )
    @pytest.mark.parametrize("operation", ["UpdateDistribution", "DeleteDistribution"])
    def test_if_match(self, core, update, operation, if_match, error):
        """
        A version that is missing or was never one is invalid; one that has passed is stale.
        """
        passed = update(Comment="before")
        update(Comment="in between")
        sent = {"Id": passed["Distribution"]["Id"]}
        sent |= {"IfMatch": passed["ETag"]} if if_match is None else if_match
        if operation == "UpdateDistribution":
            sent["DistributionConfig"] = passed["Distribution"]["DistributionConfig"]

        with pytest.raises(ServiceError) as refused:
            core.call(operation, sent)

        assert (refused.value.code, refused.value.status) == error

    @pytest.mark.parametrize("changes", [{"CallerReference": "x"}, {"Staging": True}])
    def test_illegal(self, update, changes):
        """
        Some members are for ever.
        """
        with pytest.raises(ServiceError, match="IllegalUpdate"):
            update(**changes)

    def test_refused_changes_nothing(self, core, distribution, update):
        """
        After a refused update all is as it was.
        """
        before = core.call("GetDistribution", {"Id": distribution["Id"]})

        with pytest.raises(ServiceError):
            update(Comment="new", Aliases={"Quantity": 1})

        assert core.call("GetDistribution", {"Id": distribution["Id"]}) == before


class TestDelete:
    def test_in_order(self, core, distribution, update, virtual_time):
        """
        A distribution is disabled first, deployed next, deleted last.
        """
        refused = []

        def delete():
            etag = core.call("GetDistribution", {"Id": distribution["Id"]})["ETag"]
            try:
                core.call("DeleteDistribution", {"Id": distribution["Id"], "IfMatch": etag})
            except ServiceError as error:
                refused.append((error.code, error.status))

        virtual_time.seconds += 180
        delete()
        update(Enabled=False)
        delete()
        virtual_time.seconds += 180
        delete()

        assert refused == [("DistributionNotDisabled", 409)] * 2
        with pytest.raises(ServiceError, match="NoSuchDistribution"):
            core.call("GetDistribution", {"Id": distribution["Id"]})


class TestRead:
    @pytest.mark.parametrize("operation", ["GetDistribution", "GetDistributionConfig"])
    def test_own_copy(self, core, distribution, operation):
        """
        Whoever changes an answer changes nothing but the answer.
        """
        sent = {"Id": distribution["Id"]}
        answer = core.call(operation, sent)
        config = answer.get("Distribution", answer)["DistributionConfig"]
        config["Origins"]["Items"].clear()

        again = core.call("GetDistributionConfig", sent)["DistributionConfig"]

        assert len(again["Origins"]["Items"]) == 1

    def test_in_progress_batches(self, core, distribution, virtual_time):
        """
        GetDistribution counts the invalidations that have not ended.
        """
        seen = []
        for number in range(3):
            batch = {"CallerReference": str(number), "Paths": {"Quantity": 1, "Items": ["/"]}}
            sent = {"DistributionId": distribution["Id"], "InvalidationBatch": batch}
            core.call("CreateInvalidation", sent)
            virtual_time.seconds += 10
            got = core.call("GetDistribution", {"Id": distribution["Id"]})["Distribution"]
            seen.append(got["InProgressInvalidationBatches"])

        assert seen == [1, 1, 1]

    def test_summary(self, core, distribution):
        """
        A summary says how the distribution stands, and lacks what the configuration alone tells.
        """
        summary = core.call("ListDistributions", {})["DistributionList"]["Items"][0]

        assert (summary["Status"], summary["Staging"], summary["ConnectionMode"]) == (
            "InProgress",
            False,
            "direct",
        )
        assert summary["DomainName"] == distribution["DomainName"]
        assert "DefaultRootObject" not in summary
        assert "CallerReference" not in summary

    def test_marker_of_the_deleted(self, core, create, update, distribution, virtual_time):
        """
        A page may follow a distribution that is gone by now.
        """
        create(CallerReference="b")
        create(CallerReference="c")
        page = core.call("ListDistributions", {"MaxItems": "1"})["DistributionList"]
        etag = update(Enabled=False)["ETag"]
        virtual_time.seconds += 180
        core.call("DeleteDistribution", {"Id": distribution["Id"], "IfMatch": etag})

        rest = core.call("ListDistributions", {"Marker": page["NextMarker"]})["DistributionList"]

        assert rest["Quantity"] == 2
