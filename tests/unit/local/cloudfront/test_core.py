"""Tests of local.cloudfront.core: dispatch, and the views of an edge."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from local.cloudfront import ServiceError


def invalidate(core, distribution, reference, *items):
    paths = {"Quantity": len(items), "Items": list(items)}
    batch = {"CallerReference": reference, "Paths": paths}
    sent = {"DistributionId": distribution["Id"], "InvalidationBatch": batch}
    return core.call("CreateInvalidation", sent)["Invalidation"]


class TestCall:
    @pytest.mark.parametrize(
        ("operation", "code", "status"),
        [("ListFunctions", "NotImplemented", 501), ("MakeCoffee", "InvalidAction", 400)],
    )
    def test_unknown(self, core, operation, code, status):
        """
        What the stand-in lacks is distinguished from what CloudFront lacks; both by name.
        """
        with pytest.raises(ServiceError, match=operation) as refused:
            core.call(operation, {})

        assert (refused.value.code, refused.value.status) == (code, status)

    def test_threads(self, core, distribution):
        """
        Of many callers with one reference, one creates and the others replay.
        """
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: invalidate(core, distribution, "r", "/a"), range(40)))

        assert len({one["Id"] for one in made}) == 1
        assert len(core.invalidations_of(distribution["Id"])) == 1


class TestNextChangeAt:
    def test_in_turn(self, core, virtual_time, distribution):
        """
        The next moment is named until it has come; then nothing more changes.
        """
        began = virtual_time.seconds
        invalidate(core, distribution, "r", "/a")

        moments = []
        while (moment := core.next_change_at()) is not None:
            moments.append(moment - began)
            virtual_time.seconds = moment

        assert moments == [5, 20, 180]


class TestDistributionByHost:
    @pytest.mark.parametrize(
        ("host", "found"),
        [
            ("www.example.com", True),
            ("WWW.Example.Com:8080", True),
            ("www.localhost:1234", True),
            ("x.example.org", True),
            ("x.y.example.org", False),
            ("example.org", False),
            ("example.com", False),
            ("", False),
        ],
    )
    def test_alias(self, core, config, host, found):
        """
        An alias answers in any case and with any port; a star stands for one label.
        """
        config["Aliases"] = {"Quantity": 2, "Items": ["www.example.com", "*.example.org"]}
        made = core.call("CreateDistribution", {"DistributionConfig": config})["Distribution"]

        view = core.distribution_by_host(host)

        assert (view and view.id) == (made["Id"] if found else None)

    def test_domain_name(self, core, distribution):
        """
        The domain name answers, and so does its first label under localhost.
        """
        name = distribution["DomainName"]
        short = f"{name.partition('.')[0]}.localhost"

        views = [core.distribution_by_host(name), core.distribution_by_host(short)]

        assert [view.domain_name for view in views] == [name, name]

    def test_nearest(self, core, config):
        """
        An alias beats a wildcard that another distribution has.
        """
        ids = {}
        for alias in ("*.example.com", "www.example.com"):
            config |= {"CallerReference": alias, "Aliases": {"Quantity": 1, "Items": [alias]}}
            sent = {"DistributionConfig": config}
            ids[alias] = core.call("CreateDistribution", sent)["Distribution"]["Id"]

        assert core.distribution_by_host("www.example.com").id == ids["www.example.com"]
        assert core.distribution_by_host("img.example.com").id == ids["*.example.com"]

    def test_rollout(self, core, virtual_time, distribution):
        """
        The edges get each configuration when it is deployed, in the order of the updates.
        """

        def update(comment):
            got = core.call("GetDistributionConfig", {"Id": distribution["Id"]})
            config = got["DistributionConfig"] | {"Comment": comment}
            sent = {"Id": distribution["Id"], "DistributionConfig": config, "IfMatch": got["ETag"]}
            core.call("UpdateDistribution", sent)

        update("one")
        virtual_time.seconds += 60
        update("two")
        seen = []
        for seconds in (0, 119, 1, 59, 1):
            virtual_time.seconds += seconds
            view = core.distribution_by_host(distribution["DomainName"])
            seen.append(view.config["Comment"])

        assert seen == ["", "", "one", "one", "two"]


class TestInvalidationsOf:
    def test_since(self, core, virtual_time, distribution):
        """
        Oldest first, with the moments that follow from the lags, from any place on.
        """
        began = virtual_time.seconds
        for number in range(3):
            invalidate(core, distribution, str(number), f"/{number}")
            virtual_time.seconds += 1

        seen = core.invalidations_of(distribution["Id"], since=1)

        assert [
            (one.items, one.created_at - began, one.effective_at - began, one.completed_at - began)
            for one in seen
        ] == [(("/1",), 1, 6, 21), (("/2",), 2, 7, 22)]


class TestCachePolicy:
    def test_managed(self, core):
        """
        An edge reads any policy by its id, and nothing by another.
        """
        amplify = core.cache_policy("2e54312d-136d-493c-8eb9-b001f22f67d2")

        assert amplify["Name"] == "Managed-Amplify"
        assert core.cache_policy("") is None
