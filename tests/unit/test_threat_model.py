"""docs/threat-model.md names tests and settings that there are."""

import ast
import re
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
TEST = re.compile(r"`([\w/]+\.py::[\w:]+)`")
NAMED = sorted({*TEST.findall(TEXT)})


def rows():
    """Return the cells of each row of the table, without its head."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names_in(path):
    """Return what a file of tests has: its tests, its classes, and the tests of each."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef)]
            found |= {node.name, *(f"{node.name}::{name}" for name in methods)}
    return {name for name in found if name.split("::")[-1].startswith(("test_", "Test"))}


@pytest.mark.parametrize("name", NAMED)
def test_named_test(name):
    """
    A test that shows what limits somebody exists.
    """
    path, _, test = name.partition("::")

    assert test in names_in(ROOT / "tests" / path)


def test_every_row():
    """
    Whatever somebody can do at worst has its limit, and a test that shows it.
    """
    assert rows()
    for who, worst, limit, shown in rows():
        assert worst, who
        assert limit, worst
        assert TEST.findall(shown) == shown.replace("`", "").split()
        assert shown


def test_settings():
    """
    A setting that is named there is one of the template's parameters.
    """
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", TEXT))

    assert named
    assert named <= template["Parameters"].keys()


def test_functions():
    """
    A function that is named there is one of the folder's.
    """
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", TEXT))

    assert named
    assert named <= functions


@pytest.mark.parametrize("name", ["README.md", "SECURITY.md"])
def test_linked(name):
    """
    Whoever reads the first pages finds it.
    """
    assert "(docs/threat-model.md)" in (ROOT / name).read_text(encoding="utf-8")
