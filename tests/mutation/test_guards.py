"""No condition, consistent read or time to live of the ledger can be left out unnoticed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import guards, plugin

ROOT = Path(__file__).parents[2]
ENDLESS_S = 240

# Some seconds each: `make prove` tries every twelfth.
MUTANTS = [
    pytest.param(mutant, id=mutant.name, marks=pytest.mark.full if n % 12 else pytest.mark.prove)
    for n, mutant in enumerate(guards.all_mutants())
]

_STEPS = "tests/local/invalidation"
# What only whole steps show, and in which of them.
_NOTICED_BY = {
    "cdn.invalidation.batches": ("test_lost_locks.py::TestBatch", "test_batch_steps.py"),
    "cdn.invalidation.context": ("test_lost_locks.py::TestFlush",),
    "cdn.invalidation.flushes": (
        "test_flush_races.py::TestRaces::test_upload_in_the_middle",
        "test_lost_locks.py::TestFlush",
    ),
    "cdn.invalidation.halving": ("test_lost_locks.py::TestFlush",),
    "cdn.invalidation.holding": ("test_lost_locks.py::TestFlush",),
    "cdn.invalidation.plans": (
        "test_flush_steps.py::TestCommitted",
        "test_lost_locks.py::TestFlush",
    ),
}


def files_with_tests(module):
    """Return what is to notice a mutant: named tests, or its own first, then its package's."""
    if module in _NOTICED_BY:
        return [f"{_STEPS}/{name}" for name in _NOTICED_BY[module]]
    *packages, name = module.removeprefix("cdn.").split(".")
    folder = "/".join(["tests/unit/cdn", *packages])
    own = f"{folder}/test_{name}.py"
    return [own] * (ROOT / own).exists() + [folder] * bool(packages)


def unnoticed(mutant):
    """Run the tests of a mutant's package with it; return what pytest says if all passed."""
    number = guards.mutants(mutant.module).index(mutant)
    arguments = ("-p", "tests.mutation.plugin", "-p", "no:cacheprovider", "-q", "-x")
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments, *files_with_tests(mutant.module)],
            cwd=ROOT,
            env=os.environ | {plugin.VARIABLE: f"{mutant.module}:{number}"},
            capture_output=True,
            text=True,
            timeout=ENDLESS_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        # A test that waits for what never comes.
        return ""
    return "" if run.returncode == pytest.ExitCode.TESTS_FAILED else run.stdout + run.stderr


@pytest.mark.parametrize("mutant", MUTANTS)
def test_noticed(mutant):
    """
    Without any one guard some test fails.
    """
    assert unnoticed(mutant) == ""
