"""Rows are written on conditions, and read as they were written."""

import pytest

from cdn.aws import table

ROW = {"pk": "p", "sk": "s", "number": 1, "text": "ü", "blob": b"\x00", "map": {"list": [1]}}


class TestPut:
    def test_round_trip(self, rows):
        """
        Numbers, text, bytes, maps and lists come back as they went.
        """
        rows.put(ROW)

        assert rows.get("p", "s") == ROW

    def test_new(self, rows):
        """
        A row that is there already is left as it is.
        """
        assert rows.put_new(ROW)
        assert not rows.put_new(ROW | {"number": 2})
        assert rows.get("p", "s") == ROW

    def test_absent(self, rows):
        """
        A row that was never written is none.
        """
        assert rows.get("p", "s") is None


class TestChange:
    def test_all_at_once(self, rows):
        """
        One write sets, keeps, adds and removes.
        """
        rows.put(ROW)

        after = rows.change(
            "p",
            "s",
            put={"text": "new"},
            keep={"number": 9, "more": 1},
            add={"count": 2},
            remove=["map", "other"],
        )

        assert after == {
            "pk": "p",
            "sk": "s",
            "number": 1,
            "text": "new",
            "blob": b"\x00",
            "more": 1,
            "count": 2,
        }

    def test_before(self, rows):
        """
        What a row was before its first write is nothing.
        """
        assert rows.change("p", "s", put={"number": 1}, returning="ALL_OLD") == {}

    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            (table.equal("number", 1), True),
            (table.equal("number", 2), False),
            (table.absent("other"), True),
            (table.absent("number"), False),
            (table.present("number"), True),
            (table.present("other"), False),
            (table.passed("number", 2), True),
            (table.passed("number", 1), False),
            (table.passed("other", 1), True),
            (table.equal("number", 1) & table.absent("text"), False),
        ],
    )
    def test_condition(self, rows, condition, holds):
        """
        A write happens only if its condition holds.
        """
        rows.put(ROW)

        after = rows.change("p", "s", put={"number": 7}, when=condition)

        assert (after is not None) == holds
        found = rows.get("p", "s")
        assert found is not None
        assert found["number"] == (7 if holds else 1)


class TestRows:
    def test_range(self, rows):
        """
        The rows of a range come in order, and no others.
        """
        for sk in ("b#2", "a#1", "b#1", "c#1"):
            rows.put({"pk": "p", "sk": sk})

        assert [row["sk"] for row in rows.rows("p", first="b#", last="b#~")] == ["b#1", "b#2"]

    def test_many(self, rows):
        """
        More rows than one answer of DynamoDB holds are all there.
        """
        for number in range(5):
            rows.put({"pk": "p", "sk": f"{number}", "blob": bytes(300_000)})

        assert len(list(rows.rows("p", first="0", last="9"))) == 5


class TestDelete:
    def test_many(self, rows):
        """
        Any number of rows is deleted, gone ones among them.
        """
        for number in range(60):
            rows.put({"pk": "p", "sk": f"{number:02}"})

        rows.delete("p", [f"{number:02}" for number in range(5, 70)])

        assert [row["sk"] for row in rows.rows("p", first="0", last="9")] == [
            "00",
            "01",
            "02",
            "03",
            "04",
        ]


class TestOverdue:
    def test_own_clock(self, rows):
        """
        Only rows that wait for this clock, and for too long, are overdue.
        """
        rows.put({"pk": "late", "sk": "s", "timer": "flush", "due_at_ms": 1})
        rows.put({"pk": "early", "sk": "s", "timer": "flush", "due_at_ms": 9})
        rows.put({"pk": "other", "sk": "s", "timer": "watch", "due_at_ms": 1})
        rows.put({"pk": "done", "sk": "s"})

        assert list(rows.overdue("flush", before_ms=5)) == [("late", "s")]
