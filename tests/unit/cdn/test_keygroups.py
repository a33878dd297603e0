"""What guards a URL is found by its host and path, as CloudFront does."""

import pytest

from cdn import keygroups, keypairs
from cdn.errors import NotServedError

BEHAVIOR = {
    "TargetOriginId": "site",
    "ViewerProtocolPolicy": "allow-all",
    "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
}


@pytest.fixture
def guarded(account, private_keys):
    """A distribution that guards one folder, for two hosts."""
    pem = keypairs.public_pem(private_keys["ECDSA-P256"])
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


class TestGuardOf:
    @pytest.mark.parametrize("host", ["media.example.com", "MEDIA.example.com", "any.example.org"])
    def test_guarded(self, account, guarded, host):
        """
        The behavior's key groups say which keys count; the others are known all the same.
        """
        made, group, ids, pem = guarded

        guard = keygroups.guard_of(account.client, f"https://{host}/private/a.jpg?x=1")

        assert (guard.distribution_id, guard.pattern) == (made, "private/*")
        assert (guard.key_group_ids, guard.key_ids) == ((group,), (ids[0],))
        assert {key: text.strip() for key, text in guard.public.items()} == dict.fromkeys(
            ids, pem.strip()
        )

    def test_open(self, account, guarded):
        """
        Beside the guarded folder nothing is asked for.
        """
        guard = keygroups.guard_of(account.client, "https://media.example.com/a.jpg")

        assert (guard.pattern, guard.key_group_ids, guard.key_ids) == ("*", (), ())

    def test_nearest_alias(self, account, guarded):
        """
        An alias to the letter beats a wildcard.
        """
        made = account.distribute("other", Aliases={"Quantity": 1, "Items": ["this.example.org"]})

        guard = keygroups.guard_of(account.client, "https://this.example.org/")

        assert guard.distribution_id == made

    @pytest.mark.parametrize("host", ["example.org", "a.b.example.org", "another.example"])
    def test_nobody(self, account, guarded, host):
        """
        A host that no distribution has is told as that.
        """
        with pytest.raises(NotServedError):
            keygroups.guard_of(account.client, f"https://{host}/a.jpg")
