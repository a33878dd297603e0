"""The ledger: rows of one DynamoDB table, written on conditions. Rows are the truth.

Every time in a row is in epoch milliseconds. A row that waits for something has `clock`
(which clock rings for it) and `due_at_ms` (by when it should have rung), and so stands in
the index `overdue`; a row that waits for nothing has neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from boto3.dynamodb.conditions import Attr, ConditionBase, ConditionExpressionBuilder, Key
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

Row = dict[str, Any]

FLUSH = "flush"
"""The one row of a bucket's partition by which its flushes are kept apart."""

_INDEX = "overdue"
_MOST_DELETES = 25  # of one BatchWriteItem


def of_bucket(bucket: str) -> str:
    """Name the partition of the rows of *bucket*."""
    return f"bucket#{bucket}"


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


@dataclass(frozen=True, slots=True)
class Ledger:
    """The table, and the client that reaches it."""

    client: DynamoDBClient
    table: str

    def get(self, pk: str, sk: str) -> Row | None:
        """Read one row, as the last write left it."""
        answer = self.client.get_item(
            TableName=self.table, Key=_plain({"pk": pk, "sk": sk}), ConsistentRead=True
        )
        return _native(answer["Item"]) if "Item" in answer else None

    def put(self, row: Mapping[str, Any]) -> None:
        """Write a whole row, in place of any that was there."""
        self.client.put_item(TableName=self.table, Item=_plain(row))

    def put_new(self, row: Mapping[str, Any]) -> bool:
        """Write a whole row unless there is one; tell whether it was written."""
        try:
            self.client.put_item(
                TableName=self.table,
                Item=_plain(row),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def change(
        self,
        pk: str,
        sk: str,
        *,
        put: Mapping[str, Any] | None = None,
        keep: Mapping[str, Any] | None = None,
        add: Mapping[str, int] | None = None,
        remove: Iterable[str] = (),
        when: ConditionBase | None = None,
        returning: Literal["ALL_OLD", "ALL_NEW"] = "ALL_NEW",
    ) -> Row | None:
        """
        Change attributes of one row, in one write.

        Args:
            put: Attributes to set.
            keep: Attributes to set unless the row has them.
            add: Numbers to add to attributes, which start at 0.
            remove: Attributes to drop.
            when: The condition, checked in the same write.

        Returns:
            The row after or before the write, or None when the condition did not hold.
        """
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def name(attribute: str) -> str:
            names[f"#{attribute}"] = attribute
            return f"#{attribute}"

        def value(attribute: str, given: object) -> str:
            values[f":{attribute}"] = given
            return f":{attribute}"

        sets = [f"{name(k)} = {value(k, v)}" for k, v in (put or {}).items()]
        sets += [
            f"{name(k)} = if_not_exists({name(k)}, {value(k, v)})" for k, v in (keep or {}).items()
        ]
        clauses = {
            "SET": sets,
            "ADD": [f"{name(k)} {value(k, v)}" for k, v in (add or {}).items()],
            "REMOVE": [name(k) for k in remove],
        }
        request: dict[str, Any] = {
            "UpdateExpression": " ".join(
                f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts
            )
        }
        if when is not None:
            condition = ConditionExpressionBuilder().build_expression(when)
            request["ConditionExpression"] = condition.condition_expression
            names |= condition.attribute_name_placeholders
            values |= condition.attribute_value_placeholders
        if values:
            request["ExpressionAttributeValues"] = _plain(values)
        try:
            answer = self.client.update_item(
                TableName=self.table,
                Key=_plain({"pk": pk, "sk": sk}),
                ExpressionAttributeNames=names,
                ReturnValues=returning,
                **request,
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return None
        return _native(answer.get("Attributes", {}))

    def rows(self, pk: str, *, first: str, last: str) -> Iterator[Row]:
        """Read the rows of *pk* from *first* to *last* in order, as the last writes left them."""
        condition = Key("pk").eq(pk) & Key("sk").between(first, last)
        return map(_native, self._items(condition, index=None))

    def overdue(self, clock: str, *, before_ms: int) -> Iterator[tuple[str, str]]:
        """Yield the keys of the rows for which *clock* should have rung before *before_ms*."""
        condition = Key("timer").eq(clock) & Key("due_at_ms").lt(before_ms)
        for item in self._items(condition, index=_INDEX):
            row = _native(item)
            yield row["pk"], row["sk"]

    def delete(self, pk: str, sks: Sequence[str]) -> None:
        """Drop rows of *pk*; those that are gone already are none to worry about."""
        requests: list[Any] = [
            {"DeleteRequest": {"Key": _plain({"pk": pk, "sk": sk})}} for sk in sks
        ]
        for at in range(0, len(requests), _MOST_DELETES):
            answer = self.client.batch_write_item(
                RequestItems={self.table: requests[at : at + _MOST_DELETES]}
            )
            if answer.get("UnprocessedItems"):
                raise RetryLaterError("BatchWriteItem", "UnprocessedItems")

    def _items(self, condition: ConditionBase, *, index: str | None) -> Iterator[Mapping[str, Any]]:
        built = ConditionExpressionBuilder().build_expression(condition, is_key_condition=True)
        request: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": built.condition_expression,
            "ExpressionAttributeNames": built.attribute_name_placeholders,
            "ExpressionAttributeValues": _plain(built.attribute_value_placeholders),
        }
        # An index is never read consistently; whoever reads one must bear a late row.
        request |= {"IndexName": index} if index else {"ConsistentRead": True}
        for page in self.client.get_paginator("query").paginate(**request):
            yield from page["Items"]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in row.items()}


def _native(item: Mapping[str, Any]) -> Row:
    deserialize = TypeDeserializer().deserialize
    return {name: _value(deserialize(value)) for name, value in item.items()}


def _value(value: Any) -> Any:  # noqa: ANN401  # whatever a row may hold
    match value:
        case Decimal():
            return int(value)
        case Binary():
            return bytes(value)  # type: ignore[call-overload]  # Binary has __bytes__, untyped
        case list():
            return [_value(one) for one in value]
        case dict():
            return {name: _value(one) for name, one in value.items()}
        case _:
            return value
