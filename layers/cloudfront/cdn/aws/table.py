"""The ledger's DynamoDB table: rows are read consistently, and written on conditions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from heapq import merge
from typing import TYPE_CHECKING, Any, Literal, cast

from boto3.dynamodb.conditions import Attr, ConditionBase, ConditionExpressionBuilder
from boto3.dynamodb.conditions import Key as KeyCondition
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from cdn.aws.rows import Key
from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from cdn.aws.rows import KeyRange, R, Row, Timer

_INDEX = "overdue"
_MAX_DELETES = 25  # of one BatchWriteItem
_MAX_ATTEMPTS = 5  # of what DynamoDB leaves unprocessed


def absent(name: str) -> ConditionBase:
    """Hold while a row has no attribute *name*."""
    return Attr(name).not_exists()


def present(name: str) -> ConditionBase:
    """Hold while a row has an attribute *name*."""
    return Attr(name).exists()


def equal(name: str, value: object) -> ConditionBase:
    """Hold while a row's attribute *name* is *value*."""
    return Attr(name).eq(value)


def passed(name: str, now_ms: int) -> ConditionBase:
    """Hold when the moment *name* of a row is over, or was never set."""
    return Attr(name).not_exists() | Attr(name).lt(now_ms)


def at_most(name: str, limit: int) -> ConditionBase:
    """Hold while the number *name* of a row is not over *limit*; one that is not there is 0."""
    return Attr(name).lte(limit) if limit < 0 else Attr(name).not_exists() | Attr(name).lte(limit)


@dataclass(frozen=True, slots=True)
class Table:
    """The table, and the client that reaches it."""

    client: DynamoDBClient
    name: str

    def get(self, key: Key[R]) -> R | None:
        """Return one row as the last write left it, or None where there is none."""
        response = self.client.get_item(
            TableName=self.name, Key=_serialized(_key(key)), ConsistentRead=True
        )
        return cast("R", _deserialized(response["Item"])) if "Item" in response else None

    def replace(self, key: Key[R], row: R) -> None:
        """Write a whole row, in place of any that was there."""
        self.client.put_item(TableName=self.name, Item=_serialized({**row, **_key(key)}))

    def create(self, key: Key[R], row: R) -> bool:
        """Write a whole row unless there is one; return whether it was written."""
        try:
            self.client.put_item(
                TableName=self.name,
                Item=_serialized({**row, **_key(key)}),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def update(
        self,
        key: Key[R],
        *,
        put: R | None = None,
        keep: R | None = None,
        add: R | None = None,
        remove: Iterable[str] = (),
    ) -> R | None:
        """
        Write attributes of a row that exists: UpdateItem alone would make one anew.

        Args:
            put: Attributes to set.
            keep: Attributes to set unless the row has them.
            add: Numbers to add to attributes, which start at 0.
            remove: Attributes to drop.

        Returns:
            The row after the write, or None where there is no such row (any more).
        """
        return self._update(key, put, keep, add, remove, present("pk"))

    def update_if(
        self,
        condition: ConditionBase,
        key: Key[R],
        *,
        put: R | None = None,
        keep: R | None = None,
        add: R | None = None,
        remove: Iterable[str] = (),
    ) -> R | None:
        """
        Write attributes of a row that exists and meets *condition*, checked in the same write.

        Returns:
            The row after the write, or None when the condition did not hold.
        """
        return self._update(key, put, keep, add, remove, present("pk") & condition)

    def create_or_update(
        self,
        key: Key[R],
        *,
        put: R | None = None,
        keep: R | None = None,
        add: R | None = None,
        remove: Iterable[str] = (),
        condition: ConditionBase | None = None,
        returning: Literal["ALL_OLD", "ALL_NEW"] = "ALL_NEW",
    ) -> R | None:
        """
        Write attributes of a row, which is created where there is none.

        Args:
            condition: Checked in the same write; on a row that does not exist, every attribute is
                absent.

        Returns:
            The row after or before the write (empty where there was none), or None when the
            condition did not hold.
        """
        return self._update(key, put, keep, add, remove, condition, returning)

    def query(self, keys: KeyRange[R], *, limit: int | None = None) -> Iterator[R]:
        """Yield the rows of a range in order (the first *limit*), as the last writes left them."""
        condition = KeyCondition("pk").eq(keys.pk) & KeyCondition("sk").between(
            keys.first, keys.last
        )
        items = self._items(condition, index=None, limit=limit)
        return (cast("R", _deserialized(item)) for item in items)

    def query_all(self, ranges: Iterable[KeyRange[R]]) -> Iterator[R]:
        """Yield the rows of several ranges, in the order of their sort keys."""
        return merge(*map(self.query, ranges), key=lambda row: row["sk"])

    def first(self, keys: KeyRange[R]) -> R | None:
        """Return the first row of a range, or None where there is none."""
        return next(self.query(keys, limit=1), None)

    def overdue(self, timer: Timer, *, before_ms: int) -> Iterator[Key[Any]]:
        """Yield the keys of the rows that *timer* should have brought back by then."""
        condition = KeyCondition("timer").eq(timer) & KeyCondition("due_at_ms").lt(before_ms)
        for item in self._items(condition, index=_INDEX):
            row = _deserialized(item)
            yield Key(str(row["pk"]), str(row["sk"]))

    def first_due_at_ms(self, timer: Timer, *, before_ms: int) -> int | None:
        """Return when the most overdue of those rows was due; None where there is none."""
        condition = KeyCondition("timer").eq(timer) & KeyCondition("due_at_ms").lt(before_ms)
        first = next(self._items(condition, index=_INDEX), None)
        return None if first is None else int(_deserialized(first)["due_at_ms"])

    def delete(self, keys: Iterable[Key[Any]]) -> None:
        """
        Delete rows; one that does not exist is passed over.

        Raises:
            RetryLaterError: DynamoDB is throttling.
        """
        requests: list[Any] = [{"DeleteRequest": {"Key": _serialized(_key(key))}} for key in keys]
        for start in range(0, len(requests), _MAX_DELETES):
            self._write_batch(requests[start : start + _MAX_DELETES])

    def _write_batch(self, requests: Sequence[Any]) -> None:
        for _ in range(_MAX_ATTEMPTS):
            response = self.client.batch_write_item(RequestItems={self.name: requests})
            requests = response.get("UnprocessedItems", {}).get(self.name, [])
            if not requests:
                return
        raise RetryLaterError("BatchWriteItem", "UnprocessedItems")

    def _update(
        self,
        key: Key[R],
        put: R | None,
        keep: R | None,
        add: R | None,
        remove: Iterable[str],
        condition: ConditionBase | None,
        returning: Literal["ALL_OLD", "ALL_NEW"] = "ALL_NEW",
    ) -> R | None:
        request = _update_expression(put or {}, keep or {}, add or {}, tuple(remove))
        if condition is not None:
            built = ConditionExpressionBuilder().build_expression(condition)
            request["ConditionExpression"] = built.condition_expression
            request["ExpressionAttributeNames"] |= built.attribute_name_placeholders
            request["ExpressionAttributeValues"] |= built.attribute_value_placeholders
        values = _serialized(request.pop("ExpressionAttributeValues"))
        if values:
            request["ExpressionAttributeValues"] = values
        try:
            response = self.client.update_item(
                TableName=self.name,
                Key=_serialized(_key(key)),
                ReturnValues=returning,
                **request,
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return None
        return cast("R", _deserialized(response.get("Attributes", {})))

    def _items(
        self, condition: ConditionBase, *, index: str | None, limit: int | None = None
    ) -> Iterator[Mapping[str, Any]]:
        built = ConditionExpressionBuilder().build_expression(condition, is_key_condition=True)
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": built.condition_expression,
            "ExpressionAttributeNames": built.attribute_name_placeholders,
            "ExpressionAttributeValues": _serialized(built.attribute_value_placeholders),
        }
        # An index is never read consistently; whoever reads one must bear a late row.
        request |= {"IndexName": index} if index else {"ConsistentRead": True}
        if limit is not None:
            request["PaginationConfig"] = {"MaxItems": limit, "PageSize": limit}
        for page in self.client.get_paginator("query").paginate(**request):
            yield from page["Items"]


def _update_expression(
    put: Mapping[str, Any], keep: Mapping[str, Any], add: Mapping[str, Any], remove: tuple[str, ...]
) -> dict[str, Any]:
    sets = [f"#{name} = :{name}" for name in put]
    sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in keep]
    clauses = {
        "SET": sets,
        "ADD": [f"#{name} :{name}" for name in add],
        "REMOVE": [f"#{name}" for name in remove],
    }
    values = {**put, **keep, **add}
    return {
        "UpdateExpression": " ".join(
            f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts
        ),
        "ExpressionAttributeNames": {f"#{name}": name for name in [*values, *remove]},
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }


def _key(key: Key[Any]) -> Row:
    return {"pk": key.pk, "sk": key.sk}


def _serialized(row: Mapping[str, Any]) -> dict[str, Any]:
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in row.items()}


def _deserialized(item: Mapping[str, Any]) -> dict[str, Any]:
    deserialize = TypeDeserializer().deserialize
    return {name: _native(deserialize(value)) for name, value in item.items()}


def _native(value: Any) -> Any:  # noqa: ANN401  # whatever a row may hold
    match value:
        case Decimal():
            return int(value)
        case Binary():
            return bytes(value)  # type: ignore[call-overload]  # Binary has __bytes__, untyped
        case list():
            return [_native(item) for item in value]
        case dict():
            return {name: _native(item) for name, item in value.items()}
        case _:
            return value
