"""The keys that decide about a URL are found by its host and path, as CloudFront does."""

import pytest

from cdn.diagnosis import access_rules
from cdn.errors import NotServedError


class TestRead:
    @pytest.mark.parametrize("host", ["media.example.com", "MEDIA.example.com", "any.example.org"])
    def test_private(self, account, private_folder, host):
        """
        The behavior's key groups say which keys count; the others are known all the same.
        """
        made, group, ids, pem = private_folder

        rules = access_rules.read(account.client, f"https://{host}/private/a.jpg?x=1")

        assert (rules.distribution_id, rules.pattern) == (made, "private/*")
        assert (rules.key_group_ids, rules.key_ids) == ((group,), (ids[0],))
        assert {key: text.strip() for key, text in rules.public.items()} == dict.fromkeys(
            ids, pem.strip()
        )

    def test_open(self, account, private_folder):
        """
        Beside the private folder nothing is asked for.
        """
        rules = access_rules.read(account.client, "https://media.example.com/a.jpg")

        assert (rules.pattern, rules.key_group_ids, rules.key_ids) == ("*", (), ())

    def test_nearest_alias(self, account, private_folder):
        """
        An alias to the letter beats a wildcard.
        """
        made = account.distribute("other", Aliases={"Quantity": 1, "Items": ["this.example.org"]})

        rules = access_rules.read(account.client, "https://this.example.org/")

        assert rules.distribution_id == made

    @pytest.mark.parametrize("host", ["example.org", "a.b.example.org", "another.example"])
    def test_nobody(self, account, private_folder, host):
        """
        For a host that no distribution has, the error names it.
        """
        with pytest.raises(NotServedError):
            access_rules.read(account.client, f"https://{host}/a.jpg")
