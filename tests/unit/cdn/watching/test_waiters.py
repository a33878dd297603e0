"""A look ends as botocore's own waiter would."""

import pytest
from botocore.exceptions import WaiterError
from botocore.stub import Stubber
from botocore.waiter import WaiterModel, create_waiter_with_client

from cdn.watching import waiters

MODEL = {
    "version": 2,
    "waiters": {
        "Tested": {
            "operation": "GetInvalidation",
            "delay": 0,
            "maxAttempts": 1,
            "acceptors": [
                {
                    "matcher": "path",
                    "argument": "Invalidation.Status",
                    "expected": "Completed",
                    "state": "success",
                },
                {
                    "matcher": "path",
                    "argument": "Invalidation.Status",
                    "expected": "Failed",
                    "state": "failure",
                },
                {"matcher": "error", "expected": "NoSuchInvalidation", "state": "success"},
            ],
        }
    },
}


@pytest.fixture
def client(client_of):
    return client_of("cloudfront")


class TestEvaluate:
    @pytest.mark.parametrize(
        ("status", "verdict"),
        [("Completed", "success"), ("Failed", "failure"), ("InProgress", "retry")],
    )
    def test_answers(self, client, status, verdict):
        """
        An answer is judged by the first acceptor that it matches.
        """
        config = WaiterModel(MODEL).get_waiter("Tested")

        assert verdict == waiters.evaluate(config.acceptors, {"Invalidation": {"Status": status}})

    @pytest.mark.parametrize(
        ("code", "verdict"), [("NoSuchInvalidation", "success"), ("AccessDenied", "error")]
    )
    def test_refusals(self, code, verdict):
        """
        A refusal is an error unless an acceptor expects it.
        """
        config = WaiterModel(MODEL).get_waiter("Tested")

        assert verdict == waiters.evaluate(config.acceptors, {"Error": {"Code": code}})

    @pytest.mark.parametrize("status", ["Completed", "Failed", "InProgress"])
    def test_as_botocore(self, client, status):
        """
        The waiter of botocore, given the same answer, ends where our look says success.
        """
        invalidation = {
            "Id": "I1",
            "Status": status,
            "CreateTime": 0,
            "InvalidationBatch": {"Paths": {"Quantity": 0}, "CallerReference": "r"},
        }
        model = WaiterModel(MODEL)
        verdict = waiters.evaluate(
            model.get_waiter("Tested").acceptors, {"Invalidation": invalidation}
        )
        waiter = create_waiter_with_client("Tested", model, client)

        with Stubber(client) as stub:
            stub.add_response("get_invalidation", {"Invalidation": invalidation})
            try:
                waiter.wait(DistributionId="E1", Id="I1")
            except WaiterError:
                assert "success" != verdict
            else:
                assert "success" == verdict
