"""Which distributions trust a key group is listed, with the keys that are active for each."""

from cdn.cloudfront import trusted_keys


class TestListByKeyGroup:
    def test_all(self, account, private_folder):
        """
        Every distribution that trusts the group is listed, with the keys that are active for it.
        """
        made, group_id, ids, _ = private_folder
        account.update(made, Enabled=False)

        (trust,) = trusted_keys.list_by_key_group(account.client, group_id)

        assert (trust.distribution_id, trust.enabled) == (made, False)
        assert trust.key_ids == {ids[0]}
