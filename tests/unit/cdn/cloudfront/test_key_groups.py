"""Key groups are read, made and replaced, and only as they were last read."""

import pytest

from cdn.cloudfront import key_groups
from cdn.errors import RetryLaterError


def seen(account, group_id):
    group = key_groups.read(account.client, group_id)
    assert group is not None
    return group


class TestGroups:
    def test_replace(self, account, private_folder):
        """
        A group is replaced as it was seen, and keeps its name and comment.
        """
        _, group_id, ids, _ = private_folder
        group = seen(account, group_id)

        key_groups.replace(account.client, group, key_ids=ids)

        now = seen(account, group_id)
        assert (now.name, now.comment, now.key_ids) == (group.name, group.comment, tuple(ids))

    def test_outrun(self, account, private_folder):
        """
        One that has changed since is not written over.
        """
        _, group_id, ids, _ = private_folder
        group = seen(account, group_id)
        key_groups.replace(account.client, group, key_ids=ids)

        with pytest.raises(RetryLaterError, match="PreconditionFailed"):
            key_groups.replace(account.client, group, key_ids=[ids[1]])

    def test_nothing_to_write(self, account, private_folder):
        """
        What is true already is not written.
        """
        group_id = private_folder[1]
        group = seen(account, group_id)
        account.new_calls()

        key_groups.replace(account.client, group, key_ids=group.key_ids)

        assert account.new_calls() == []

    def test_gone(self, account, private_folder):
        """
        A group that does not exist is none, and not an error.
        """
        assert key_groups.read(account.client, "gone") is None

    def test_create_once(self, account, private_folder):
        """
        A group of a name is made once.
        """
        _, _, ids, _ = private_folder
        made = {
            key_groups.create(account.client, name="one", key_ids=ids[:1], comment="")
            for _ in range(2)
        }

        assert len(made) == 1
        assert {group.name for group in key_groups.list_all(account.client)} == {"viewers", "one"}

    def test_in_use(self, account, private_folder):
        """
        A group that a distribution trusts is not deleted.
        """
        _, group_id, _, _ = private_folder

        with pytest.raises(RetryLaterError, match="ResourceInUse"):
            key_groups.delete(account.client, seen(account, group_id))
