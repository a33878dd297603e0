"""Who watches the same distribution shares one look."""

import pytest

from cdn.watching import polling


@pytest.fixture
def desk(rows, account, time_source):
    return polling.Desk(rows, account.client, time_source.now_ms)


@pytest.fixture
def distribution_id(account):
    return account.distribute("one")


def see(desk, distribution_id, invalidation_id):
    answer = polling.at_invalidation(
        desk,
        {"DistributionId": distribution_id, "Id": invalidation_id},
        final=lambda answer: answer["Invalidation"]["Status"] == "Completed",
    )
    return answer and answer["Invalidation"]["Status"]


class TestAtInvalidation:
    def test_shared(self, desk, account, distribution_id):
        """
        Many watches at once cost one call.
        """
        ids = [account.invalidate(distribution_id, str(number)) for number in range(20)]
        account.heard()

        seen = {see(desk, distribution_id, one) for one in ids}

        assert seen == {"InProgress"}
        assert account.heard() == ["ListInvalidations"]

    def test_completed(self, desk, account, time_source, distribution_id):
        """
        What is completed stays so: an old page tells it without a call.
        """
        ids = [account.invalidate(distribution_id, str(number)) for number in range(2)]
        time_source.s += 30
        see(desk, distribution_id, ids[0])
        account.heard()
        time_source.s += 3_600

        assert see(desk, distribution_id, ids[1]) == "Completed"
        assert account.heard() == []

    def test_in_progress(self, desk, account, time_source, distribution_id):
        """
        What was in progress is looked at anew after two seconds.
        """
        one = account.invalidate(distribution_id, "one")
        see(desk, distribution_id, one)
        time_source.s += 21
        account.heard()

        assert see(desk, distribution_id, one) == "Completed"
        assert account.heard() == ["ListInvalidations"]

    def test_claimed(self, desk, account, time_source, distribution_id):
        """
        While somebody looks, nobody else does; whoever died over it is in the way for 2 s.
        """
        one = account.invalidate(distribution_id, "one")
        polling._claim(desk, distribution_id)
        account.heard()

        assert see(desk, distribution_id, one) is None
        assert account.heard() == []
        time_source.s += 2.001
        assert see(desk, distribution_id, one) == "InProgress"

    def test_another_page(self, desk, account, distribution_id):
        """
        One that more than a hundred others follow is asked for by itself.
        """
        first = account.invalidate(distribution_id, "first")
        for number in range(100):
            account.invalidate(distribution_id, str(number))
        account.heard()

        assert see(desk, distribution_id, first) == "InProgress"
        assert account.heard() == ["ListInvalidations", "GetInvalidation"]

    def test_refused(self, desk):
        """
        A refusal is an answer, for the watch to judge.
        """
        answer = polling.at_invalidation(
            desk, {"DistributionId": "E0", "Id": "I0"}, final=lambda _: True
        )

        assert answer
        assert answer["Error"]["Code"] == "NoSuchDistribution"
