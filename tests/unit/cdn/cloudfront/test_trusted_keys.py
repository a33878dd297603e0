"""Which distributions trust a key group is listed, with the keys that are active for each."""

import pytest

from cdn.cloudfront import trusted_keys
from cdn.signing import key_pairs

BEHAVIOR = {
    "TargetOriginId": "site",
    "ViewerProtocolPolicy": "allow-all",
    "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
}


@pytest.fixture
def guarded(account, private_keys):
    """A distribution that guards one folder, for two hosts."""
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


class TestListByKeyGroup:
    def test_all(self, account, guarded):
        """
        Every distribution that trusts the group is listed, with the keys that are active for it.
        """
        made, group_id, ids, _ = guarded
        account.update(made, Enabled=False)

        (trust,) = trusted_keys.list_by_key_group(account.client, group_id)

        assert (trust.distribution_id, trust.enabled) == (made, False)
        assert trust.key_ids == {ids[0]}
