"""A listing is asked for as long as it stays cheap, and its absence costs no invalidation."""

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from cdn.aws.object_listing import ObjectListing


@pytest.fixture
def client(client_of):
    return client_of("s3")


@pytest.fixture
def script(client):
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def page(*keys, token=None):
    answer = {"Contents": [{"Key": key} for key in keys], "IsTruncated": token is not None}
    return answer | ({"NextContinuationToken": token} if token else {})


class TestKeys:
    def test_pages(self, client, script):
        """
        All pages of a prefix are read, into one sorted list.
        """
        script.add_response("list_objects_v2", page("a/2", token="1"))
        script.add_response("list_objects_v2", page("a/1"))

        assert ObjectListing(client, "site").keys("a/") == ["a/1", "a/2"]

    def test_too_many(self, client, script):
        """
        After ten pages a prefix counts as too long to list.
        """
        for number in range(10):
            script.add_response("list_objects_v2", page("a", token=f"{number}"))

        assert ObjectListing(client, "site").keys("") is None

    def test_too_many_in_all(self, client, script):
        """
        After a hundred pages nothing more is asked.
        """
        listing = ObjectListing(client, "site")
        for number in range(100):
            script.add_response("list_objects_v2", page("a", token=f"{number}"))
        for _ in range(10):
            assert listing.keys("") is None

        assert listing.keys("a") is None

    def test_bucket_gone(self, client, script):
        """
        A bucket that was deleted holds nothing.
        """
        script.add_client_error("list_objects_v2", "NoSuchBucket", http_status_code=404)

        assert ObjectListing(client, "site").keys("") == []

    def test_forbidden(self, client, script):
        """
        What may not be listed is not known.
        """
        script.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)

        assert ObjectListing(client, "site").keys("") is None

    def test_fault(self, client, script):
        """
        A fault of S3's is no answer.
        """
        script.add_client_error("list_objects_v2", "InternalError", http_status_code=500)

        with pytest.raises(ClientError):
            ObjectListing(client, "site").keys("")
