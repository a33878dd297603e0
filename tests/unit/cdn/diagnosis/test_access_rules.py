"""The keys that decide about a URL are found by its host and path, as CloudFront does."""

import pytest

from cdn.diagnosis import access_rules
from cdn.errors import NotServedError
from cdn.signing import key_pairs

BEHAVIOR = {
    "TargetOriginId": "site",
    "ViewerProtocolPolicy": "allow-all",
    "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
}


@pytest.fixture
def private(account, private_keys):
    """A distribution with one private folder, for two hosts."""
    pem = key_pairs.public_pem(private_keys["ECDSA-P256"])
    ids = [
        account.core.call(
            "CreatePublicKey",
            {"PublicKeyConfig": {"CallerReference": n, "Name": n, "EncodedKey": pem}},
        )["PublicKey"]["Id"]
        for n in ("one", "other")
    ]
    group = account.core.call(
        "CreateKeyGroup", {"KeyGroupConfig": {"Name": "viewers", "Items": ids[:1]}}
    )["KeyGroup"]["Id"]
    trusted = {"TrustedKeyGroups": {"Enabled": True, "Quantity": 1, "Items": [group]}}
    private = BEHAVIOR | trusted | {"PathPattern": "private/*"}
    made = account.distribute(
        "one",
        Aliases={"Quantity": 2, "Items": ["media.example.com", "*.example.org"]},
        CacheBehaviors={"Quantity": 1, "Items": [private]},
    )
    return made, group, ids, pem


class TestRead:
    @pytest.mark.parametrize("host", ["media.example.com", "MEDIA.example.com", "any.example.org"])
    def test_private(self, account, private, host):
        """
        The behavior's key groups say which keys count; the others are known all the same.
        """
        made, group, ids, pem = private

        rules = access_rules.read(account.client, f"https://{host}/private/a.jpg?x=1")

        assert (rules.distribution_id, rules.pattern) == (made, "private/*")
        assert (rules.key_group_ids, rules.key_ids) == ((group,), (ids[0],))
        assert {key: text.strip() for key, text in rules.public.items()} == dict.fromkeys(
            ids, pem.strip()
        )

    def test_open(self, account, private):
        """
        Beside the private folder nothing is asked for.
        """
        rules = access_rules.read(account.client, "https://media.example.com/a.jpg")

        assert (rules.pattern, rules.key_group_ids, rules.key_ids) == ("*", (), ())

    def test_nearest_alias(self, account, private):
        """
        An alias to the letter beats a wildcard.
        """
        made = account.distribute("other", Aliases={"Quantity": 1, "Items": ["this.example.org"]})

        rules = access_rules.read(account.client, "https://this.example.org/")

        assert rules.distribution_id == made

    @pytest.mark.parametrize("host", ["example.org", "a.b.example.org", "another.example"])
    def test_nobody(self, account, private, host):
        """
        A host that no distribution has is told as that.
        """
        with pytest.raises(NotServedError):
            access_rules.read(account.client, f"https://{host}/a.jpg")
