"""Tests of local.cloudfront.invalidations."""

from datetime import UTC, datetime
from random import Random

import pytest

from local.cloudfront import CloudFront, Lags, Quotas, ServiceError
from tests import work


def paths(*items):
    return {"Quantity": len(items), "Items": list(items)}


@pytest.fixture
def create(core, distribution):
    """
    Invalidate in the one distribution, by reference and items.
    """

    def create(reference, *items):
        batch = {"CallerReference": reference, "Paths": paths(*items)}
        sent = {"DistributionId": distribution["Id"], "InvalidationBatch": batch}
        return core.call("CreateInvalidation", sent)["Invalidation"]

    return create


@pytest.fixture
def listed(core, distribution):
    """
    A page of the one distribution's invalidations.
    """

    def listed(**sent):
        sent["DistributionId"] = distribution["Id"]
        return core.call("ListInvalidations", sent)["InvalidationList"]

    return listed


class TestCreate:
    def test_answer(self, core, distribution):
        """
        An invalidation begins in progress, says what was asked, and where it is.
        """
        batch = {"CallerReference": "r", "Paths": paths("/a", "/b/*")}

        answer = core.call(
            "CreateInvalidation",
            {"DistributionId": distribution["Id"], "InvalidationBatch": batch},
        )

        made = answer["Invalidation"]
        assert made == {
            "Id": made["Id"],
            "Status": "InProgress",
            "CreateTime": datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC),
            "InvalidationBatch": batch,
        }
        assert answer["Location"] == (
            "https://cloudfront.amazonaws.com/2020-05-31/distribution/"
            f"{distribution['Id']}/invalidation/{made['Id']}"
        )

    def test_milliseconds(self, create, virtual_time):
        """
        Times have milliseconds, cut and not rounded.
        """
        virtual_time.seconds += 0.0009

        assert create("r", "/a")["CreateTime"].microsecond == 500_000

    def test_replay(self, create, listed, virtual_time):
        """
        The same reference with the same items is the earlier invalidation, also after its end.
        """
        first = create("r", "/a", "/b")
        virtual_time.seconds += 20

        again = create("r", "/a", "/b")

        assert again == first | {"Status": "Completed"}
        assert listed()["Quantity"] == 1

    @pytest.mark.parametrize("items", [["/a"], ["/b", "/a"], ["/a", "/b", "/b"]])
    def test_conflict(self, create, items):
        """
        The same reference with anything else is refused in the words seen in the field.
        """
        create("r", "/a", "/b")

        with pytest.raises(ServiceError) as refused:
            create("r", *items)

        assert (refused.value.code, refused.value.status) == ("InvalidArgument", 400)
        assert refused.value.message == (
            "Your request contains a caller reference that was used for a previous "
            "invalidation batch for the same distribution."
        )

    def test_reference_scope(self, core, create, config):
        """
        A reference belongs to its distribution: another one may use it too.
        """
        create("r", "/a")
        other = core.call(
            "CreateDistribution", {"DistributionConfig": config | {"CallerReference": "second"}}
        )["Distribution"]["Id"]

        answer = core.call(
            "CreateInvalidation",
            {
                "DistributionId": other,
                "InvalidationBatch": {"CallerReference": "r", "Paths": paths("/b")},
            },
        )

        assert answer["Invalidation"]["InvalidationBatch"]["Paths"]["Items"] == ["/b"]

    @pytest.mark.parametrize(
        "item", ["/", "/*", "/a*b", "/**", "#tag", "/a b", "/" + "x" * 3_999, "/a?b=c*"]
    )
    def test_accepted(self, create, item):
        """
        A star may stand anywhere, a leading # is a tag, and 4,000 characters are not too many.
        """
        assert create("r", item)["InvalidationBatch"]["Paths"]["Items"] == [item]

    @pytest.mark.parametrize("item", ["", "a", "*", "images/*", "/" + "x" * 4_000, "/it's"])
    def test_bad_item(self, create, item):
        """
        An item without its slash, of 4,001 characters, or with an apostrophe has all refused.
        """
        with pytest.raises(ServiceError, match=r"InvalidArgument: .* invalid invalidation paths"):
            create("r", "/good", item)

    def test_nothing(self, create):
        """
        No items are no request.
        """
        with pytest.raises(ServiceError, match="InvalidArgument"):
            create("r")

    @pytest.mark.parametrize("sent", [{"Quantity": 2, "Items": ["/a"]}, {"Quantity": 1}])
    def test_quantity(self, core, distribution, sent):
        """
        Quantity must be the number of items.
        """
        batch = {"CallerReference": "r", "Paths": sent}

        with pytest.raises(ServiceError) as refused:
            core.call(
                "CreateInvalidation",
                {"DistributionId": distribution["Id"], "InvalidationBatch": batch},
            )

        assert (refused.value.code, refused.value.status) == ("InconsistentQuantities", 400)

    def test_shape(self, core, distribution):
        """
        What botocore's model does not know is refused before anything else looks at it.
        """
        with pytest.raises(ServiceError, match=r'InvalidArgument: .*"CallerReference"'):
            core.call(
                "CreateInvalidation",
                {"DistributionId": distribution["Id"], "InvalidationBatch": {"Paths": paths("/")}},
            )

    def test_too_large(self, create):
        """
        A request may have as many items as the quota says, and no more.
        """
        create("r", *[f"/{number}" for number in range(2_500)])

        with pytest.raises(ServiceError) as refused:
            create("s", *[f"/{number}" for number in range(2_501)])

        assert (refused.value.code, refused.value.status) == ("BatchTooLarge", 413)

    def test_items_in_progress(self, create, virtual_time):
        """
        3,000 items may be in progress; those that are completed make room.
        """
        create("r", *[f"/{number}" for number in range(2_500)])
        virtual_time.seconds += 5
        create("s", *[f"/{number}" for number in range(500)])

        with pytest.raises(ServiceError) as refused:
            create("t", "/one")
        virtual_time.seconds += 15

        assert (refused.value.code, refused.value.status) == ("TooManyInvalidationsInProgress", 400)
        assert create("t", "/one")["Status"] == "InProgress"

    def test_wildcards_in_progress(self, create, virtual_time):
        """
        15 wildcards may be in progress, in whatever batches; other items are counted apart.
        """
        create("r", *[f"/{number}/*" for number in range(14)])
        create("s", "/x*", "/y*z", "#tag*")

        with pytest.raises(ServiceError, match=r"TooManyInvalidationsInProgress: .* wildcard"):
            create("t", "/z*")
        assert create("t", "/z*z")["Status"] == "InProgress"
        virtual_time.seconds += 20
        assert create("u", "/z*")["Status"] == "InProgress"

    def test_account_wide(self, core, create, config):
        """
        The quotas count what all distributions have in progress.
        """
        create("r", *[f"/{number}/*" for number in range(15)])
        other = core.call(
            "CreateDistribution", {"DistributionConfig": config | {"CallerReference": "second"}}
        )["Distribution"]["Id"]

        with pytest.raises(ServiceError, match="TooManyInvalidationsInProgress"):
            core.call(
                "CreateInvalidation",
                {
                    "DistributionId": other,
                    "InvalidationBatch": {"CallerReference": "r", "Paths": paths("/*")},
                },
            )

    def test_replay_needs_no_room(self, create):
        """
        A replay is answered while the quota is used up.
        """
        items = [f"/{number}/*" for number in range(15)]
        first = create("r", *items)

        assert create("r", *items) == first

    @pytest.mark.parametrize("operation", ["CreateInvalidation", "ListInvalidations"])
    @pytest.mark.parametrize("mode", ["tenant-only", None])
    def test_no_such_distribution(self, core, config, operation, mode):
        """
        A distribution that is not there, or serves tenants only, is NoSuchDistribution.
        """
        identity = "E0"
        if mode:
            sent = {"DistributionConfig": config | {"ConnectionMode": mode}}
            identity = core.call("CreateDistribution", sent)["Distribution"]["Id"]
        sent = {"DistributionId": identity}
        if operation == "CreateInvalidation":
            sent["InvalidationBatch"] = {"CallerReference": "r", "Paths": paths("/*")}

        with pytest.raises(ServiceError) as refused:
            core.call(operation, sent)

        assert (refused.value.code, refused.value.status) == ("NoSuchDistribution", 404)


class TestGet:
    def test_completed(self, core, create, distribution, virtual_time):
        """
        The status changes when the lag has passed, to the moment.
        """
        sent = {"DistributionId": distribution["Id"], "Id": create("r", "/a")["Id"]}

        seen = []
        for seconds in (0, 19.5, 0.5):
            virtual_time.seconds += seconds
            seen.append(core.call("GetInvalidation", sent)["Invalidation"]["Status"])

        assert seen == ["InProgress", "InProgress", "Completed"]

    def test_elsewhere(self, core, create, config):
        """
        An invalidation is not found under another distribution.
        """
        other = core.call(
            "CreateDistribution", {"DistributionConfig": config | {"CallerReference": "second"}}
        )["Distribution"]["Id"]

        with pytest.raises(ServiceError) as refused:
            core.call("GetInvalidation", {"DistributionId": other, "Id": create("r", "/a")["Id"]})

        assert (refused.value.code, refused.value.status) == ("NoSuchInvalidation", 404)

    def test_own_copy(self, core, create, distribution):
        """
        Whoever changes an answer changes nothing but the answer.
        """
        made = create("r", "/a")
        made["InvalidationBatch"]["Paths"]["Items"].append("/b")

        again = core.call(
            "GetInvalidation", {"DistributionId": distribution["Id"], "Id": made["Id"]}
        )

        assert again["Invalidation"]["InvalidationBatch"]["Paths"]["Items"] == ["/a"]


class TestList:
    def test_empty(self, listed):
        """
        An empty list has no Items and no NextMarker.
        """
        assert listed() == {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": 0}

    def test_pages(self, create, listed):
        """
        Newest first; the last id of a page is the marker of the next.
        """
        ids = [create(f"r{number}", "/a")["Id"] for number in range(5)][::-1]

        first = listed(MaxItems="2")
        second = listed(MaxItems="2", Marker=ids[1])
        third = listed(MaxItems="2", Marker=ids[3])

        assert [[item["Id"] for item in page["Items"]] for page in (first, second, third)] == [
            ids[:2],
            ids[2:4],
            ids[4:],
        ]
        assert [page.get("NextMarker") for page in (first, second, third)] == [ids[1], ids[3], None]
        assert [page["IsTruncated"] for page in (first, second, third)] == [True, True, False]
        assert [page["Marker"] for page in (first, second, third)] == ["", ids[1], ids[3]]

    def test_exactly_full(self, create, listed):
        """
        A last page that is full says that it is the last.
        """
        for reference in "ab":
            create(reference, "/a")

        page = listed(MaxItems="2")

        assert (page["Quantity"], page["IsTruncated"], page.get("NextMarker")) == (2, False, None)

    def test_newcomers(self, create, listed):
        """
        What is created while somebody reads the pages moves nothing on the later ones.
        """
        ids = [create(f"r{number}", "/a")["Id"] for number in range(4)][::-1]
        marker = listed(MaxItems="2")["NextMarker"]
        create("late", "/a")

        assert [item["Id"] for item in listed(MaxItems="2", Marker=marker)["Items"]] == ids[2:]

    def test_hundred(self, create, listed, virtual_time):
        """
        A page has 100 items unless fewer are wanted.
        """
        for number in range(101):
            virtual_time.seconds += 1
            create(f"r{number}", "/a")

        assert (listed()["Quantity"], listed(MaxItems="500")["Quantity"]) == (100, 100)

    def test_summary(self, create, listed):
        """
        An entry says neither what was invalidated nor by which reference.
        """
        made = create("r", "/a")

        assert listed()["Items"] == [
            {"Id": made["Id"], "CreateTime": made["CreateTime"], "Status": "InProgress"}
        ]

    @pytest.mark.parametrize("sent", [{"MaxItems": "0"}, {"MaxItems": "x"}, {"Marker": "I0"}])
    def test_nonsense(self, listed, sent):
        """
        A size that is none, or a marker that never was, is an invalid argument.
        """
        with pytest.raises(ServiceError, match="InvalidArgument"):
            listed(**sent)


def test_at_once(virtual_time, config):
    """
    Without lags an invalidation is completed when it is created.
    """
    core = CloudFront(now=virtual_time, random=Random(1), lags=Lags(0, 0, 0), quotas=Quotas())
    made = core.call("CreateDistribution", {"DistributionConfig": config})["Distribution"]
    batch = {"CallerReference": "r", "Paths": paths("/*")}

    answer = core.call(
        "CreateInvalidation", {"DistributionId": made["Id"], "InvalidationBatch": batch}
    )

    assert (made["Status"], answer["Invalidation"]["Status"]) == ("Deployed", "Completed")


def test_quick(create, virtual_time):
    """
    A call takes a few hundred of Python's, so that property tests can afford thousands.
    """
    create("first", "/a")
    counts = []
    for number in range(200):
        virtual_time.seconds += 30
        counts.append(work.calls(create, f"r{number}", "/a", "/b"))

    assert max(counts) < 500
