"""Rows are written on conditions, and read as they were written."""

from typing import Any

import pytest

from cdn.aws import table
from cdn.aws.rows import Key, KeyRange
from cdn.errors import RetryLaterError
from local.faults import Does, Rule

KEY: Key[Any] = Key("p", "s")
ROW = {"number": 1, "text": "ü", "blob": b"\x00", "map": {"list": [1]}}
WHOLE = {"pk": "p", "sk": "s", **ROW}


class TestReplace:
    def test_round_trip(self, ledger):
        """
        Numbers, text, bytes, maps and lists come back as they went.
        """
        ledger.replace(KEY, ROW)

        assert ledger.get(KEY) == WHOLE

    def test_in_place(self, ledger):
        """
        Whatever was there is gone.
        """
        ledger.replace(KEY, ROW)

        ledger.replace(KEY, {"number": 2})

        assert ledger.get(KEY) == {"pk": "p", "sk": "s", "number": 2}

    def test_absent(self, ledger):
        """
        A row that was never written is none.
        """
        assert ledger.get(KEY) is None


class TestGet:
    def test_consistent(self, ledger):
        """
        A row is read as the last write left it, though others may still see it as it was before.
        """
        for number in range(2):
            ledger.replace(KEY, {"number": number})

        assert ledger.get(KEY) == {"pk": "p", "sk": "s", "number": 1}


class TestCreate:
    def test_once(self, ledger):
        """
        A row that is there already is left as it is.
        """
        assert ledger.create(KEY, ROW)
        assert not ledger.create(KEY, ROW | {"number": 2})
        assert ledger.get(KEY) == WHOLE


class TestUpdate:
    def test_all_at_once(self, ledger):
        """
        One write sets, keeps, adds and removes.
        """
        ledger.replace(KEY, ROW)

        after = ledger.update(
            KEY,
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

    def test_only_remove(self, ledger):
        """
        A write may do nothing but drop an attribute.
        """
        ledger.replace(KEY, {"number": 1, "text": "gone"})

        assert ledger.update(KEY, remove=["text"]) == {"pk": "p", "sk": "s", "number": 1}

    def test_no_row(self, ledger):
        """
        A row that is gone is not made anew as a shell.
        """
        assert ledger.update(KEY, put={"number": 1}) is None
        assert ledger.get(KEY) is None


CONDITIONS = [
    (table.equal("number", 1), True),
    (table.equal("number", 2), False),
    (table.absent("other"), True),
    (table.absent("number"), False),
    (table.present("number"), True),
    (table.present("other"), False),
    (table.passed("number", 2), True),
    (table.passed("number", 1), False),
    (table.passed("other", 1), True),
    (table.at_most("number", 1), True),
    (table.at_most("number", 0), False),
    (table.at_most("other", 0), True),
    (table.at_most("other", -1), False),
    (table.equal("number", 1) & table.absent("text"), False),
]


class TestUpdateIf:
    @pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
    def test_condition(self, ledger, condition, holds):
        """
        A write happens only if its condition holds.
        """
        ledger.replace(KEY, ROW)

        after = ledger.update_if(condition, KEY, put={"number": 7})

        assert (after is not None) == holds
        row = ledger.get(KEY)
        assert row is not None
        assert row["number"] == (7 if holds else 1)

    def test_no_row(self, ledger):
        """
        A row that is gone meets no condition, not even that an attribute is absent.
        """
        assert ledger.update_if(table.absent("number"), KEY, put={"number": 1}) is None
        assert ledger.get(KEY) is None


class TestCreateOrUpdate:
    def test_before(self, ledger):
        """
        What a row was before its first write is nothing.
        """
        before = ledger.create_or_update(KEY, put={"number": 1}, returning="ALL_OLD")

        assert before == {}
        assert ledger.get(KEY) == {"pk": "p", "sk": "s", "number": 1}

    @pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
    def test_condition(self, ledger, condition, holds):
        """
        A condition is checked in the same write.
        """
        ledger.replace(KEY, ROW)

        after = ledger.create_or_update(KEY, put={"number": 7}, condition=condition)

        assert (after is not None) == holds


class TestQuery:
    def test_range(self, ledger):
        """
        The rows of a range come in order, and no others.
        """
        for sk in ("b#2", "a#1", "b#1", "c#1"):
            ledger.replace(Key("p", sk), {})

        found = ledger.query(KeyRange("p", "b#", "b#~"))

        assert [row["sk"] for row in found] == ["b#1", "b#2"]

    def test_consistent(self, ledger):
        """
        Rows of a range, too, are read as the last writes left them.
        """
        ledger.replace(KEY, {"number": 0})
        ledger.replace(KEY, {"number": 1})

        assert [row["number"] for row in ledger.query(KeyRange("p", "a", "z"))] == [1]

    def test_many(self, ledger):
        """
        More rows than one answer of DynamoDB holds are all there.
        """
        for number in range(5):
            ledger.replace(Key("p", f"{number}"), {"blob": bytes(300_000)})

        assert len(list(ledger.query(KeyRange("p", "0", "9")))) == 5


class TestDelete:
    def test_many(self, ledger):
        """
        Any number of rows is deleted, gone ones among them.
        """
        for number in range(60):
            ledger.replace(Key("p", f"{number:02}"), {})

        ledger.delete(Key("p", f"{number:02}") for number in range(5, 70))

        assert [row["sk"] for row in ledger.query(KeyRange("p", "0", "9"))] == [
            "00",
            "01",
            "02",
            "03",
            "04",
        ]

    def test_unprocessed(self, ledger, faults):
        """
        Rows that DynamoDB leaves for now are deleted as well, or the caller is told to come again.
        """
        faults.rules.append(Rule(does=Does.LEAVE_UNPROCESSED, operation="BatchWriteItem"))
        keys: list[Key[Any]] = [Key("p", f"{number}") for number in range(9)]
        for key in keys:
            ledger.replace(key, {})

        while not deleted(ledger, keys):
            pass

        assert list(ledger.query(KeyRange("p", "0", "9"))) == []


def deleted(ledger, keys):
    """Delete rows; return whether that is done, as far as anybody is told."""
    try:
        ledger.delete(keys)
    except RetryLaterError:
        return False
    return True


class TestOverdue:
    def test_own_timer(self, ledger, time_source):
        """
        Only rows that wait for this timer, and for too long, are overdue.
        """
        ledger.replace(Key("late", "s"), {"timer": "flush", "due_at_ms": 1})
        ledger.replace(Key("early", "s"), {"timer": "flush", "due_at_ms": 9})
        ledger.replace(Key("other", "s"), {"timer": "watch", "due_at_ms": 1})
        ledger.replace(Key("done", "s"), {})
        # An index is behind.
        time_source.s += 1

        assert list(ledger.overdue("flush", before_ms=5)) == [Key("late", "s")]
