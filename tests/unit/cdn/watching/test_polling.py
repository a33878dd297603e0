"""Who watches the same distribution shares one poll."""

import pytest

from cdn.aws import rows
from cdn.watching import polling


@pytest.fixture
def context(ledger, account, time_source):
    return polling.PollingContext(ledger, account.client, time_source.now_ms)


@pytest.fixture
def distribution_id(account):
    return account.distribute("one")


def status(context, distribution_id, invalidation_id):
    response = polling.poll_invalidation(
        context,
        {"DistributionId": distribution_id, "Id": invalidation_id},
        final=lambda response: response["Invalidation"]["Status"] == "Completed",
    )
    return response and response["Invalidation"]["Status"]


class TestPollInvalidation:
    def test_shared(self, context, account, distribution_id):
        """
        Many watches at once cost one call.
        """
        ids = [account.invalidate(distribution_id, str(number)) for number in range(20)]
        account.new_calls()

        statuses = {status(context, distribution_id, one) for one in ids}

        assert statuses == {"InProgress"}
        assert account.new_calls() == ["ListInvalidations"]

    def test_completed(self, context, account, time_source, distribution_id):
        """
        What is completed stays so: an old page tells it without a call.
        """
        ids = [account.invalidate(distribution_id, str(number)) for number in range(2)]
        time_source.s += 30
        status(context, distribution_id, ids[0])
        account.new_calls()
        time_source.s += 3_600

        assert status(context, distribution_id, ids[1]) == "Completed"
        assert account.new_calls() == []

    def test_in_progress(self, context, account, time_source, distribution_id):
        """
        What was in progress is polled anew after two seconds.
        """
        one = account.invalidate(distribution_id, "one")
        status(context, distribution_id, one)
        time_source.s += 21
        account.new_calls()

        assert status(context, distribution_id, one) == "Completed"
        assert account.new_calls() == ["ListInvalidations"]

    def test_claimed(self, context, account, time_source, distribution_id):
        """
        While somebody polls, nobody else does; whoever died over it is in the way for 2 s.
        """
        one = account.invalidate(distribution_id, "one")
        polling._claim(context, rows.status_page(distribution_id))
        account.new_calls()

        assert status(context, distribution_id, one) is None
        assert account.new_calls() == []
        time_source.s += 2.001
        assert status(context, distribution_id, one) == "InProgress"

    def test_another_page(self, context, account, distribution_id):
        """
        One that more than a hundred others follow is asked for by itself.
        """
        first = account.invalidate(distribution_id, "first")
        for number in range(100):
            account.invalidate(distribution_id, str(number))
        account.new_calls()

        assert status(context, distribution_id, first) == "InProgress"
        assert account.new_calls() == ["ListInvalidations", "GetInvalidation"]

    def test_refused(self, context):
        """
        An error response is returned, for the watch to evaluate.
        """
        response = polling.poll_invalidation(
            context, {"DistributionId": "E0", "Id": "I0"}, final=lambda _: True
        )

        assert response
        assert response["Error"]["Code"] == "NoSuchDistribution"
