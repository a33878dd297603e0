"""DynamoDB is as stale, forgetful and incomplete as the service may be."""

from functools import cache

import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local import aws, dynamodb

KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}
IN_INDEX = {
    "TableName": "rows",
    "IndexName": "by_number",
    "KeyConditionExpression": "kind = :kind",
    "ExpressionAttributeValues": {":kind": {"S": "k"}},
}


@cache
def client():
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), "dynamodb")


class TimeSource:
    s = 1_000.0

    def __call__(self):
        return self.s


@pytest.fixture
def time_source():
    return TimeSource()


@pytest.fixture
def table(time_source):
    """Make a table with an index and times to live."""
    with mock_aws(), dynamodb.mended(now=time_source):
        client().create_table(
            TableName="rows",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "kind")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_number",
                    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        client().update_time_to_live(
            TableName="rows",
            TimeToLiveSpecification={"AttributeName": "expires_at_s", "Enabled": True},
        )
        yield client()


def put(table, **attributes):
    item = KEY | {name: {"S": value} for name, value in attributes.items()}
    table.put_item(TableName="rows", Item=item)


def get(table, *, consistent):
    item = table.get_item(TableName="rows", Key=KEY, ConsistentRead=consistent).get("Item")
    return item and item["text"]["S"]


def query(table, *, consistent):
    items = table.query(
        TableName="rows",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "p"}},
        ConsistentRead=consistent,
    )["Items"]
    return items[0]["text"]["S"] if items else None


def scan(table, *, consistent):
    items = table.scan(TableName="rows", ConsistentRead=consistent)["Items"]
    return items[0]["text"]["S"] if items else None


def get_batch(table, *, consistent):
    asked = {"rows": {"Keys": [KEY], "ConsistentRead": consistent}}
    items = table.batch_get_item(RequestItems=asked)["Responses"]["rows"]
    return items[0]["text"]["S"] if items else None


class TestHooks:
    @pytest.mark.parametrize(
        ("owner", "names"),
        [
            (DynamoDBBackend, ["get_table", "get_keys_value", "put_item", "update_item"]),
            (DynamoHandler, ["get_item", "query", "scan", "batch_get_item", "batch_write_item"]),
            (Table, ["get_item", "all_items"]),
        ],
    )
    def test_there(self, owner, names):
        """
        Moto has what is replaced or read.
        """
        assert {*names} <= {*vars(owner)}


@pytest.mark.parametrize("read", [get, query, scan, get_batch])
class TestStale:
    def test_behind(self, table, read):
        """
        A read that is not consistent does not see the last write of a row; a consistent one does.
        """
        put(table, text="one")
        assert (read(table, consistent=False), read(table, consistent=True)) == (None, "one")

        put(table, text="two")
        assert (read(table, consistent=False), read(table, consistent=True)) == ("one", "two")

        table.delete_item(TableName="rows", Key=KEY)
        assert (read(table, consistent=False), read(table, consistent=True)) == ("two", None)

    def test_in_place(self, table, read):
        """
        An update in place is a write as any other, unless its condition does not hold.
        """
        put(table, text="one")
        put(table, text="two")
        for old, new in (("no", "four"), ("two", "three")):
            try:
                table.update_item(
                    TableName="rows",
                    Key=KEY,
                    UpdateExpression="SET #text = :new",
                    ConditionExpression="#text = :old",
                    ExpressionAttributeNames={"#text": "text"},
                    ExpressionAttributeValues={":old": {"S": old}, ":new": {"S": new}},
                )
            except table.exceptions.ConditionalCheckFailedException:
                assert read(table, consistent=False) == "one"

        assert (read(table, consistent=False), read(table, consistent=True)) == ("two", "three")

    def test_soon(self, table, time_source, read):
        """
        After a second every read sees it.
        """
        put(table, text="one")
        time_source.s += dynamodb.STALE_S

        assert read(table, consistent=False) == "one"


class TestIndex:
    def test_behind(self, table, time_source):
        """
        An index is always behind.
        """
        put(table, kind="k")
        assert table.query(**IN_INDEX)["Count"] == 0

        time_source.s += dynamodb.STALE_S
        table.delete_item(TableName="rows", Key=KEY)
        assert table.query(**IN_INDEX)["Count"] == 1


class TestTimeToLive:
    def test_over(self, table, time_source):
        """
        A row goes in the moment in which its time to live ends.
        """
        item = KEY | {"text": {"S": "one"}, "expires_at_s": {"N": "1060"}}
        table.put_item(TableName="rows", Item=item)
        time_source.s += 59.9
        assert get(table, consistent=True) == "one"

        time_source.s += 0.1
        assert get(table, consistent=True) is None

    def test_not_enabled(self, table, time_source):
        """
        Without times to live nothing goes.
        """
        table.update_time_to_live(
            TableName="rows",
            TimeToLiveSpecification={"AttributeName": "expires_at_s", "Enabled": False},
        )
        item = KEY | {"text": {"S": "one"}, "expires_at_s": {"N": "1060"}}
        table.put_item(TableName="rows", Item=item)
        time_source.s += 3_600

        assert get(table, consistent=True) == "one"
