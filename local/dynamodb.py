"""
DynamoDB as moto has it, at its worst.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ says what may be: a read that is
not asked to be consistent, and each of an index, may be behind (HowItWorks.ReadConsistency); a row
may go in the moment in which its time to live ends (TTL); a batch may leave some of its items
unprocessed (BatchWriteItem, BatchGetItem in the API reference).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.patching import all_replaced

STALE_S = 1.0
"""So long a read that is not consistent does not see a row's last write."""

LEAVES = "x-local-leaves"
"""The header of a batch request of which half of the items, rounded down, stay unprocessed."""

_RowKey = tuple[DynamoType, DynamoType | None]


@dataclass(slots=True)
class _LastWrite:
    """What a row was before its last write, and when that was."""

    at_s: float
    before: Item | None


@dataclass(slots=True)
class _Rows:
    """What moto does not remember: the last write of each row, by table."""

    now: Callable[[], float]
    stale_s: float
    writes: dict[str, dict[_RowKey, _LastWrite]] = field(default_factory=dict)
    expired_at_s: dict[str, int] = field(default_factory=dict)

    def written(self, table: Table, key: _RowKey, before: Item | None) -> None:
        self.writes.setdefault(table.name, {})[key] = _LastWrite(self.now(), before)

    @contextmanager
    def stale(self, table: Table) -> Iterator[None]:
        """Let each row of *table* be as it was before its last write."""
        since_s = self.now() - self.stale_s
        recent = {
            key: write
            for key, write in self.writes.get(table.name, {}).items()
            if write.at_s > since_s
        }
        self.writes[table.name] = recent
        before = {key: write.before for key, write in recent.items()}
        current = {key: table.get_item(*key) for key in before}
        _set(table, before)
        try:
            yield
        finally:
            _set(table, current)

    def expire(self, table: Table) -> None:
        """Delete the rows whose time to live is over."""
        if table.ttl.get("TimeToLiveStatus") != "ENABLED":
            return
        attribute, now_s = table.ttl["AttributeName"], int(self.now())
        # It is in whole seconds, and to look through all rows takes long.
        if self.expired_at_s.get(table.name) == now_s:
            return
        self.expired_at_s[table.name] = now_s
        expired = [
            (item.hash_key, item.range_key)
            for item in table.all_items()
            if attribute in item.attrs and float(item.attrs[attribute].value) <= now_s
        ]
        _set(table, dict.fromkeys(expired))


def _set(table: Table, items: Mapping[_RowKey, Item | None]) -> None:
    for (hash_key, range_key), item in items.items():
        rows: dict[Any, Any] = table.items[hash_key] if range_key else table.items
        if item is None:
            rows.pop(range_key or hash_key, None)
        else:
            rows[range_key or hash_key] = item


@contextmanager
def mended(*, now: Callable[[], float] = time.time, stale_s: float = STALE_S) -> Iterator[None]:
    """Replace what moto does better than the service promises."""
    rows = _Rows(now, stale_s)
    get_table = DynamoDBBackend.get_table

    def get_living(backend: DynamoDBBackend, table_name: str) -> Table:
        table = get_table(backend, table_name)
        rows.expire(table)
        return table

    def written(name: str) -> tuple[type, str, Any]:
        write = vars(DynamoDBBackend)[name]

        def remembered(
            backend: DynamoDBBackend,
            table_name: str,
            key: Mapping[str, Any],
            *args: Any,
            **how: Any,
        ) -> Any:  # noqa: ANN401  (moto's)
            table = backend.get_table(table_name)
            row_key = backend.get_keys_value(table, key)  # type: ignore[arg-type]
            before = copy.deepcopy(table.get_item(*row_key))
            answer = write(backend, table_name, key, *args, **how)
            rows.written(table, row_key, before)
            return answer

        return DynamoDBBackend, name, remembered

    def read(name: str) -> tuple[type, str, Any]:
        answer = vars(DynamoHandler)[name]

        def behind(handler: DynamoHandler) -> Any:  # noqa: ANN401  (moto's)
            requests = handler.body.get(
                "RequestItems", {handler.body.get("TableName"): handler.body}
            )
            with ExitStack() as stack:
                for table_name, request in requests.items():
                    if not request.get("ConsistentRead"):
                        table = handler.dynamodb_backend.get_table(table_name)
                        stack.enter_context(rows.stale(table))
                return answer(handler)

        return DynamoHandler, name, behind

    with all_replaced(
        (DynamoDBBackend, "get_table", get_living),
        *map(written, ("put_item", "update_item", "delete_item")),
        *map(read, ("get_item", "query", "scan")),
        (DynamoHandler, "batch_get_item", _leaving(read("batch_get_item")[2], "UnprocessedKeys")),
        (
            DynamoHandler,
            "batch_write_item",
            _leaving(DynamoHandler.batch_write_item, "UnprocessedItems"),
        ),
    ):
        yield


def _leaving(batch: Callable[[DynamoHandler], Any], left: str) -> Callable[[DynamoHandler], Any]:
    """Return *batch* that says in *left* what it leaves of each table, where it is told to."""

    def half(handler: DynamoHandler) -> Any:  # noqa: ANN401  (moto's)
        if LEAVES not in handler.headers:
            return batch(handler)
        unprocessed = {}
        for table_name, request in handler.body["RequestItems"].items():
            # Writes are a list; reads say besides how to read.
            items = request["Keys"] if isinstance(request, dict) else request
            middle = (len(items) + 1) // 2
            if later := items[middle:]:
                whole = isinstance(request, dict)
                unprocessed[table_name] = {**request, "Keys": later} if whole else later
            del items[middle:]
        answer = batch(handler)
        answer.result[left] = unprocessed
        return answer

    return half
