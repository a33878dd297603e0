"""Rows are spelled in one place: their keys, their attributes, and every text that names one."""

import ast
import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from cdn.aws import rows
from cdn.aws.rows import Key, Row

CDN = Path(__file__).parents[4] / "layers" / "cloudfront" / "cdn"
MODULES = [path for path in sorted(CDN.rglob("*.py")) if path.name not in {"rows.py", "table.py"}]
KINDS = [
    kind
    for _, kind in inspect.getmembers(rows, inspect.isclass)
    if kind is not Row and issubclass(kind, dict)
]
ATTRIBUTES = {name for kind in KINDS for name in kind.__annotations__}
CONDITIONS = {"absent", "present", "equal", "passed", "at_most"}


def texts(tree):
    """Yield every attribute of a row that stands in *tree* as a text: types do not see these."""
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Attribute(value=ast.Name(id="table"), attr=attr) if attr in CONDITIONS:
                yield from literals(node.args[0], constants)
        for keyword in node.keywords:
            if keyword.arg == "remove":
                yield from literals(keyword.value, constants)


def literals(node, constants):
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:
                yield from literals(element, constants)
        case ast.Starred(value=value):
            yield from literals(value, constants)
        case ast.Name(id=name) if name in constants:
            yield from literals(constants[name], constants)


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


class TestTexts:
    @pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CDN)))
    def test_spelled(self, path):
        """
        Whatever a condition or a removal names is an attribute of some kind of row.
        """
        assert {*texts(parsed(path))} - ATTRIBUTES == set()

    @pytest.mark.parametrize(
        "line",
        [
            'table.equal("lokc", lock)',
            'table.passed("lock_expires", now_ms) & table.present("lock")',
            'ledger.update(key, remove=("lock", "retrys"))',
            'ledger.update(key, remove=("lock", *_RETRIES))\n_RETRIES = ("retrys",)',
        ],
    )
    def test_misspelled(self, line):
        """
        A misspelt attribute is found, wherever in a text it stands.
        """
        assert len({*texts(ast.parse(line))} - ATTRIBUTES) == 1

    def test_all_seen(self):
        """
        The check finds the texts that are there.
        """
        found = {text for path in MODULES for text in texts(parsed(path))}

        assert {"lock", "plan_id", "outcome", "version", "expires_at_s", "timer"} <= found


class TestKeys:
    def test_nowhere_else(self):
        """
        No other module spells the beginning of a key.
        """
        prefixes = {
            key.pk.partition("#")[0] + "#"
            for key in (rows.flush("b"), rows.watch("w"), rows.status_page("E1"))
        } | {"change#", "plan#", "batch#", "key#"}

        spelled = {
            (path.name, node.value)
            for path in MODULES
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            for prefix in prefixes
            if node.value.startswith(prefix)
        }

        assert spelled == set()

    def test_apart(self):
        """
        No two kinds of row have the same key.
        """
        keys: list[Key[Any]] = [
            rows.flush("x"),
            rows.changes("x", at_ms=1, token="t"),
            rows.plan("x", "p"),
            rows.batch("x", "p", 1),
            rows.history("x", "p"),
            rows.budget("x"),
            rows.watch("x"),
            rows.status_page("x"),
            rows.polling_schedule("x"),
            rows.quota_reservations(),
            rows.distribution_list(),
            rows.distribution_config("x"),
            rows.key_group(),
            rows.signing_key("x"),
            rows.previous_version(),
            rows.announced(),
        ]

        assert len({(key.pk, key.sk) for key in keys}) == len(keys) == len(KINDS)

    @pytest.mark.parametrize(
        ("key", "keys"),
        [
            (rows.plan("b", rows.plan_id(at_ms=7, token="t")), rows.plans_since("b", 7)),
            (rows.plan("b", rows.plan_id(at_ms=7, token="t")), rows.plans_since("b", -1)),
            (rows.batch("b", "p", 3), rows.batches("b", "p")),
            (rows.half_batch(rows.batch("b", "p", 3), 1), rows.batches("b", "p")),
            (rows.budget("2026-11-28"), rows.budget_of_month("2026-11")),
            (rows.distribution_config("E1"), rows.distribution_configs()),
            (rows.signing_key("n"), rows.signing_keys()),
        ],
    )
    def test_ranges(self, key, keys):
        """
        A range holds the keys of its kind.
        """
        assert key.pk == keys.pk
        assert keys.first <= key.sk <= keys.last

    def test_partitions(self):
        """
        Changes are spread over all partitions of their bucket, and each is in one.
        """
        ranges = rows.all_changes("b")

        keys = [rows.changes("b", at_ms=1, token=f"t{number}") for number in range(100)]

        assert {key.pk for key in keys} == {each.pk for each in ranges}
        assert len(ranges) == rows.CHANGES_PARTITIONS
        assert all(each.first <= key.sk <= each.last for key in keys for each in ranges)

    def test_of_row(self):
        """
        A row that was read has the key that it was read by.
        """
        assert rows.key_of(Row(pk="p", sk="s")) == Key("p", "s")


class TestTimeToLive:
    def test_who_has_one(self):
        """
        Only what nothing depends on any more can expire; the flush of a bucket never does.
        """
        expiring = {kind.__name__ for kind in KINDS if "expires_at_s" in get_type_hints(kind)}

        assert expiring == {
            "PlanRow",
            "BatchRow",
            "HistoryRow",
            "BudgetRow",
            "WatchRow",
            "SigningKeyRow",
        }
