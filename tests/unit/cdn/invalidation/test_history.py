"""What is kept of a plan says what it did and why, and fits one row."""

from random import Random

from cdn.aws import rows
from cdn.cloudfront import targets
from cdn.invalidation import history
from cdn.invalidation.history import Skipped
from cdn.invalidation.planner import Batch, Plan

FIRST, SECOND = targets.distribution("E1"), targets.distribution("E2")


class TestRow:
    def test_plan(self):
        """
        Items are counted by distribution; keys, and reasons with their keys, are kept.
        """
        plan = Plan(
            batches=(
                Batch(FIRST, ("/a", "/b/*")),
                Batch(FIRST, ("/c",)),
                Batch(SECOND, ("/a",)),
            ),
            skipped={"~x": "it has a ~"},
            widened={"a*": "its last * is a wildcard"},
        )

        row = history.row(plan, {"c", "a"}, cost_cents=2, expires_at_s=7)

        assert rows.unpack(row["items"]) == {"E1": [2, 1], "E2": [1, 0]}
        assert (row["item_count"], row["cost_cents"]) == (4, 2)
        assert rows.unpack(row["keys"]) == ["a", "c"]
        assert row["key_count"] == 2
        assert history.skipped(row) == [Skipped("it has a ~", 1, ["~x"])]
        assert rows.unpack(row["widened"]) == [["its last * is a wildcard", 1, ["a*"]]]
        assert row["expires_at_s"] == 7

    def test_first_thousand(self):
        """
        Of very many keys the first thousand are kept, and how many there are.
        """
        keys = {f"{number:05}" for number in range(3_000)}

        row = history.row(Plan(()), keys, cost_cents=2, expires_at_s=7)

        assert rows.unpack(row["keys"]) == sorted(keys)[:1_000]
        assert row["key_count"] == 3_000

    def test_fits(self):
        """
        The longest keys that S3 takes fit, though they do not compress: a row may have 400 kB.
        """
        random = Random(7)
        keys = ["".join(map(chr, random.choices(range(0x4E00, 0x9FFF), k=341))) for _ in range(999)]
        reasons = {key: f"reason {number % 100}" for number, key in enumerate(keys)}
        plan = Plan((), skipped=reasons, widened=reasons)

        row = history.row(plan, keys, cost_cents=2, expires_at_s=7)

        size = sum(len(row[name]) for name in ("keys", "skipped", "widened"))
        assert 100_000 < size < rows.MAX_PACKED_BYTES
        assert sum(skipped.key_count for skipped in history.skipped(row)) == 999


class TestByReason:
    def test_first_keys(self):
        """
        Of a reason ten keys are named, in order, and all are counted.
        """
        reasons = {f"{number:02}": "no route" for number in reversed(range(20))}

        (skipped,) = history.by_reason(reasons)

        assert skipped == Skipped("no route", 20, [f"{number:02}" for number in range(10)])
