"""Tests of local.cloudfront.key_groups."""

import pytest

from local.cloudfront import Quotas, ServiceError


@pytest.fixture
def upload(core, pems):
    def upload(name):
        config = {"CallerReference": name, "Name": name, "EncodedKey": pems["ecdsa"]}
        return core.call("CreatePublicKey", {"PublicKeyConfig": config})["PublicKey"]["Id"]

    return upload


@pytest.fixture
def keys(upload):
    return [upload(str(number)) for number in range(6)]


@pytest.fixture
def group(core):
    def group(*keys, name="readers"):
        sent = {"KeyGroupConfig": {"Name": name, "Items": list(keys)}}
        return core.call("CreateKeyGroup", sent)

    return group


@pytest.fixture
def update(core):
    def update(group_id, *keys):
        got = core.call("GetKeyGroupConfig", {"Id": group_id})
        config = got["KeyGroupConfig"] | {"Items": list(keys)}
        sent = {"Id": group_id, "IfMatch": got["ETag"], "KeyGroupConfig": config}
        return core.call("UpdateKeyGroup", sent)

    return update


@pytest.fixture
def trust(core, config):
    """
    Create a distribution whose default behavior trusts *groups*.
    """

    def trust(*groups, reference="trusting"):
        trusted = {"Enabled": True, "Quantity": len(groups), "Items": list(groups)}
        behavior = config["DefaultCacheBehavior"] | {"TrustedKeyGroups": trusted}
        changes = {"CallerReference": reference, "DefaultCacheBehavior": behavior}
        return core.call("CreateDistribution", {"DistributionConfig": config | changes})

    return trust


def refused(core, operation, **sent):
    with pytest.raises(ServiceError) as refused:
        core.call(operation, sent)
    return refused.value.code, refused.value.status


class TestCreate:
    @pytest.mark.parametrize(
        ("chosen", "code"),
        [
            (slice(0), "InvalidArgument"),
            (slice(6), "TooManyPublicKeysInKeyGroup"),
        ],
    )
    def test_number(self, core, keys, chosen, code):
        """
        A group has one key at least and five at most.
        """
        config = {"Name": "g", "Items": keys[chosen]}

        assert refused(core, "CreateKeyGroup", KeyGroupConfig=config) == (code, 400)

    def test_five(self, keys, group):
        """
        Five keys are kept in their order.
        """
        made = group(*keys[4::-1])["KeyGroup"]

        assert made["KeyGroupConfig"]["Items"] == keys[4::-1]

    def test_members(self, core, keys):
        """
        A group names keys that are there, each once.
        """
        for items in (["K0"], [keys[0], keys[0]]):
            config = {"Name": "g", "Items": items}

            assert refused(core, "CreateKeyGroup", KeyGroupConfig=config)[0] == "InvalidArgument"

    def test_name_is_taken(self, core, keys, group):
        """
        A name belongs to one group.
        """
        group(keys[0], name="g")
        config = {"Name": "g", "Items": keys[1:2]}

        answer = refused(core, "CreateKeyGroup", KeyGroupConfig=config)

        assert answer == ("KeyGroupAlreadyExists", 409)

    def test_too_many(self, core, keys, group):
        """
        An account has at most ten groups.
        """
        for number in range(10):
            group(keys[0], name=str(number))
        config = {"Name": "more", "Items": keys[:1]}

        assert refused(core, "CreateKeyGroup", KeyGroupConfig=config) == ("TooManyKeyGroups", 400)


class TestUpdate:
    def test_full_replacement(self, core, keys, group, update):
        """
        What an update does not name is gone, and the version is a new one.
        """
        made = group(*keys[:3])
        identity = made["KeyGroup"]["Id"]

        after = update(identity, keys[3])

        assert after["KeyGroup"]["KeyGroupConfig"]["Items"] == keys[3:4]
        assert after["ETag"] not in ("", made["ETag"])

    @pytest.mark.parametrize("operation", ["UpdateKeyGroup", "DeleteKeyGroup"])
    def test_etags(self, core, keys, group, update, operation):
        """
        A version that is missing or wrong is not a version that has passed.
        """
        made = group(keys[0])
        identity = made["KeyGroup"]["Id"]
        update(identity, keys[1])
        sent = {"Id": identity}
        if operation == "UpdateKeyGroup":
            sent["KeyGroupConfig"] = {"Name": "readers", "Items": keys[:1]}

        seen = [
            refused(core, operation, **sent),
            refused(core, operation, **sent, IfMatch="E0"),
            refused(core, operation, **sent, IfMatch=made["ETag"]),
        ]

        assert seen == [
            ("InvalidIfMatchVersion", 400),
            ("InvalidIfMatchVersion", 400),
            ("PreconditionFailed", 412),
        ]

    def test_missing(self, core, keys):
        """
        A group that is not there is a missing resource; no code of its own exists.
        """
        config = {"Name": "g", "Items": keys[:1]}

        answer = refused(core, "UpdateKeyGroup", Id="g", IfMatch="E", KeyGroupConfig=config)

        assert answer == ("NoSuchResource", 404)


class TestDelete:
    def test_in_use(self, core, keys, group, trust):
        """
        A group stays for as long as a distribution's configuration names it.
        """
        made = group(keys[0])
        distribution = trust(made["KeyGroup"]["Id"])
        sent = {"Id": made["KeyGroup"]["Id"], "IfMatch": made["ETag"]}

        before = refused(core, "DeleteKeyGroup", **sent)
        identity = distribution["Distribution"]["Id"]
        got = core.call("GetDistributionConfig", {"Id": identity})
        got["DistributionConfig"]["DefaultCacheBehavior"].pop("TrustedKeyGroups")
        core.call("UpdateDistribution", {"Id": identity, "IfMatch": got.pop("ETag"), **got})
        core.call("DeleteKeyGroup", sent)

        assert before == ("ResourceInUse", 409)
        assert refused(core, "GetKeyGroup", Id=sent["Id"]) == ("NoSuchResource", 404)


class TestList:
    def test_shape(self, core, keys, group):
        """
        An entry wraps the group once more, and has no ETag.
        """
        made = group(*keys[:2])["KeyGroup"]

        listed = core.call("ListKeyGroups", {})["KeyGroupList"]

        assert listed == {"MaxItems": 100, "Quantity": 1, "Items": [{"KeyGroup": made}]}


class TestListDistributions:
    def test_bare_ids(self, core, keys, group, trust):
        """
        The list of those that trust a group has their ids alone, page by page.
        """
        made = group(keys[0])["KeyGroup"]["Id"]
        ids = [trust(made, reference=r)["Distribution"]["Id"] for r in "ab"]
        sent = {"KeyGroupId": made, "MaxItems": "1"}

        one = core.call("ListDistributionsByKeyGroup", sent)["DistributionIdList"]
        sent["Marker"] = one["NextMarker"]
        two = core.call("ListDistributionsByKeyGroup", sent)["DistributionIdList"]

        assert (one["Items"], one["IsTruncated"]) == (ids[:1], True)
        assert (two["Items"], two["IsTruncated"]) == (ids[1:], False)

    def test_missing(self, core):
        """
        A group that is not there has no list.
        """
        answer = refused(core, "ListDistributionsByKeyGroup", KeyGroupId="g")

        assert answer == ("NoSuchResource", 404)


class TestTrusted:
    def test_active(self, core, keys, group, update, trust):
        """
        A distribution tells the keys of the groups that it trusts, at once, and stays deployed.
        """
        made = group(*keys[:2])["KeyGroup"]["Id"]
        distribution = trust(made)["Distribution"]
        update(made, keys[2])

        after = core.call("GetDistribution", {"Id": distribution["Id"]})["Distribution"]

        active = [d["ActiveTrustedKeyGroups"] for d in (distribution, after)]
        assert active == [
            {
                "Enabled": True,
                "Quantity": 1,
                "Items": [{"KeyGroupId": made, "KeyPairIds": {"Quantity": len(ids), "Items": ids}}],
            }
            for ids in (keys[:2], keys[2:3])
        ]

    def test_status(self, core, virtual_time, keys, group, update, trust):
        """
        A changed group leaves the distribution deployed.
        """
        made = group(keys[0])["KeyGroup"]["Id"]
        identity = trust(made)["Distribution"]["Id"]
        virtual_time.seconds += 180

        update(made, keys[1])

        got = core.call("GetDistribution", {"Id": identity})
        assert got["Distribution"]["Status"] == "Deployed"

    def test_too_many_groups(self, keys, group, trust):
        """
        A behavior trusts at most four groups.
        """
        made = [group(keys[0], name=str(n))["KeyGroup"]["Id"] for n in range(5)]
        trust(*made[:4], reference="four")

        with pytest.raises(ServiceError, match="TooManyKeyGroupsAssociatedToDistribution"):
            trust(*made)

    def test_too_many_distributions(self, core, keys, group, trust):
        """
        A group is trusted by as many distributions as its quota says, an update not counted twice.
        """
        core._account.quotas = Quotas(distributions_per_group=1)
        made = group(keys[0])["KeyGroup"]["Id"]
        identity = trust(made)["Distribution"]["Id"]

        with pytest.raises(ServiceError, match="TooManyDistributionsAssociatedToKeyGroup"):
            trust(made, reference="more")
        got = core.call("GetDistributionConfig", {"Id": identity})
        core.call("UpdateDistribution", {"Id": identity, "IfMatch": got.pop("ETag"), **got})

    @pytest.mark.parametrize("trusted", [{"Enabled": True}, {"Enabled": False, "Items": ["g"]}])
    def test_contradiction(self, core, config, trusted):
        """
        Enabled says whether there are groups.
        """
        trusted["Quantity"] = len(trusted.get("Items", ()))
        config["DefaultCacheBehavior"]["TrustedKeyGroups"] = trusted

        answer = refused(core, "CreateDistribution", DistributionConfig=config)

        assert answer == ("InvalidArgument", 400)


class TestAtEdges:
    def test_lag(self, core, virtual_time, pems, keys, group, update):
        """
        Edges get the keys of a group, new or changed, after the lag, each change in its turn.
        """
        made = group(keys[0])["KeyGroup"]["Id"]
        seen = [dict(core.trusted_keys(made))]
        virtual_time.seconds += 10
        update(made, *keys[:2])
        virtual_time.seconds += 10
        update(made, keys[1])
        for seconds in (9, 1, 10, 9, 1):
            virtual_time.seconds += seconds
            seen.append(dict(core.trusted_keys(made)))

        ids = [list(one) for one in seen]
        assert ids == [[], [], keys[:1], keys[:2], keys[:2], keys[1:2]]
        assert set(seen[3].values()) == {pems["ecdsa"]}

    def test_next_change(self, core, virtual_time, keys, group):
        """
        The moment at which the edges get a group is a change that virtual time can jump to.
        """
        began = virtual_time.seconds
        group(keys[0])

        assert core.next_change_at() == began + 30

    def test_deleted_key(self, core, virtual_time, pems, upload, group, update):
        """
        A key that is deleted opens for as long as the edges have it.
        """
        old, new = upload("old"), upload("new")
        made = group(old)["KeyGroup"]["Id"]
        virtual_time.seconds += 30
        update(made, new)
        etag = core.call("GetPublicKey", {"Id": old})["ETag"]
        core.call("DeletePublicKey", {"Id": old, "IfMatch": etag})

        before = core.trusted_keys(made)
        virtual_time.seconds += 30

        assert before == {old: pems["ecdsa"]}
        assert list(core.trusted_keys(made)) == [new]

    def test_missing(self, core):
        """
        A group that is not there has no keys.
        """
        assert core.trusted_keys("g") == {}
