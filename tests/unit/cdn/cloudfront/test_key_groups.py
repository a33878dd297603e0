"""What guards a URL is found by its host and path, as CloudFront does."""

import pytest

from cdn.cloudfront import key_groups
from cdn.errors import NotServedError, RetryLaterError
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


class TestGuardOf:
    @pytest.mark.parametrize("host", ["media.example.com", "MEDIA.example.com", "any.example.org"])
    def test_guarded(self, account, guarded, host):
        """
        The behavior's key groups say which keys count; the others are known all the same.
        """
        made, group, ids, pem = guarded

        guard = key_groups.guard_of(account.client, f"https://{host}/private/a.jpg?x=1")

        assert (guard.distribution_id, guard.pattern) == (made, "private/*")
        assert (guard.key_group_ids, guard.key_ids) == ((group,), (ids[0],))
        assert {key: text.strip() for key, text in guard.public.items()} == dict.fromkeys(
            ids, pem.strip()
        )

    def test_open(self, account, guarded):
        """
        Beside the guarded folder nothing is asked for.
        """
        guard = key_groups.guard_of(account.client, "https://media.example.com/a.jpg")

        assert (guard.pattern, guard.key_group_ids, guard.key_ids) == ("*", (), ())

    def test_nearest_alias(self, account, guarded):
        """
        An alias to the letter beats a wildcard.
        """
        made = account.distribute("other", Aliases={"Quantity": 1, "Items": ["this.example.org"]})

        guard = key_groups.guard_of(account.client, "https://this.example.org/")

        assert guard.distribution_id == made

    @pytest.mark.parametrize("host", ["example.org", "a.b.example.org", "another.example"])
    def test_nobody(self, account, guarded, host):
        """
        A host that no distribution has is told as that.
        """
        with pytest.raises(NotServedError):
            key_groups.guard_of(account.client, f"https://{host}/a.jpg")


def seen(account, group_id):
    group = key_groups.read(account.client, group_id)
    assert group is not None
    return group


class TestGroups:
    def test_replace(self, account, guarded):
        """
        A group is replaced as it was seen, and keeps its name and comment.
        """
        _, group_id, ids, _ = guarded
        group = seen(account, group_id)

        key_groups.replace(account.client, group, key_ids=ids)

        now = seen(account, group_id)
        assert (now.name, now.comment, now.key_ids) == (group.name, group.comment, tuple(ids))

    def test_outrun(self, account, guarded):
        """
        One that has changed since is not written over.
        """
        _, group_id, ids, _ = guarded
        group = seen(account, group_id)
        key_groups.replace(account.client, group, key_ids=ids)

        with pytest.raises(RetryLaterError, match="PreconditionFailed"):
            key_groups.replace(account.client, group, key_ids=[ids[1]])

    def test_nothing_to_write(self, account, guarded):
        """
        What is true already is not written.
        """
        group_id = guarded[1]
        group = seen(account, group_id)
        account.heard()

        key_groups.replace(account.client, group, key_ids=group.key_ids)

        assert account.heard() == []

    def test_gone(self, account, guarded):
        """
        A group that does not exist is none, and not an error.
        """
        assert key_groups.read(account.client, "gone") is None

    def test_create_once(self, account, guarded):
        """
        A group of a name is made once.
        """
        _, _, ids, _ = guarded
        made = {
            key_groups.create(account.client, name="one", key_ids=ids[:1], comment="")
            for _ in range(2)
        }

        assert len(made) == 1
        assert {group.name for group in key_groups.list_all(account.client)} == {"viewers", "one"}

    def test_in_use(self, account, guarded):
        """
        A group that a distribution trusts is not deleted.
        """
        _, group_id, _, _ = guarded

        with pytest.raises(RetryLaterError, match="ResourceInUse"):
            key_groups.delete(account.client, seen(account, group_id))
