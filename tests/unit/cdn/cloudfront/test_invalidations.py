"""CreateInvalidation is repeated without being paid twice, and each refusal has its own error."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from cdn.cloudfront import invalidations, targets
from cdn.errors import RetryLaterError, TargetGoneError

BATCH = {"Paths": {"Quantity": 2, "Items": ["/a", "/b*"]}, "CallerReference": "ours"}
TARGET = targets.distribution("E1")
REQUEST = {"DistributionId": "E1", "InvalidationBatch": BATCH}


@pytest.fixture
def client(client_of):
    return client_of("cloudfront")


@pytest.fixture
def script(client):
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def create(client):
    return invalidations.create(client, target=TARGET, items=["/a", "/b*"], caller_reference="ours")


def invalidation(name, reference):
    return {
        "Invalidation": {
            "Id": name,
            "Status": "InProgress",
            "CreateTime": datetime(2026, 11, 22, tzinfo=UTC),
            "InvalidationBatch": BATCH | {"CallerReference": reference},
        }
    }


class TestCreate:
    def test_created(self, client, script):
        """
        The items are sent as they are, with their number and their reference.
        """
        script.add_response("create_invalidation", invalidation("I1", "ours"), REQUEST)

        assert "I1" == create(client)

    @pytest.mark.parametrize(
        ("code", "status", "error"),
        [
            ("NoSuchDistribution", 404, TargetGoneError),
            ("TooManyInvalidationsInProgress", 400, RetryLaterError),
            ("Throttling", 400, RetryLaterError),
            ("ServiceUnavailable", 503, RetryLaterError),
            ("AccessDenied", 403, ClientError),
            ("InvalidArgument", 400, ClientError),
        ],
    )
    def test_refused(self, client, script, code, status, error):
        """
        Refusals that somebody decides on arrive as our own errors, others as they are.
        """
        script.add_client_error(
            "create_invalidation", code, http_status_code=status, expected_params=REQUEST
        )

        with pytest.raises(error):
            create(client)

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("InvalidationBatchAlreadyExists", "It already exists."),
            (
                "InvalidArgument",
                (
                    "Your request contains a caller reference that was used for a previous "
                    "invalidation batch for the same distribution."
                ),
            ),
        ],
    )
    def test_sent_before(self, client, script, code, message):
        """
        A reference that was used before leads to the invalidation that used it.
        """
        script.add_client_error("create_invalidation", code, message, expected_params=REQUEST)
        script.add_response(
            "list_invalidations",
            {
                "InvalidationList": {
                    "Marker": "",
                    "MaxItems": 100,
                    "IsTruncated": False,
                    "Quantity": 2,
                    "Items": [
                        {"Id": name, "CreateTime": datetime.now(UTC), "Status": "InProgress"}
                        for name in ("I3", "I2")
                    ],
                }
            },
            {"DistributionId": "E1"},
        )
        script.add_response("get_invalidation", invalidation("I3", "another"))
        script.add_response("get_invalidation", invalidation("I2", "ours"))

        assert "I2" == create(client)
