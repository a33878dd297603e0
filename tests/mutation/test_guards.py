"""No condition, consistent read or time to live of the ledger can be left out unnoticed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import guards, plugin

ROOT = Path(__file__).parents[2]
ENDLESS_S = 600


def tests_of(module):
    """
    Return what is to notice a mutant: the module's own tests first, then its package's.

    Of whole runs of the suite only those are tried that are about steps and who comes in between.
    """
    package, _, name = module.removeprefix("cdn.").rpartition(".")
    own = f"tests/unit/cdn/{package}/test_{name}.py".replace("//", "/")
    whole = ("flush_steps", "batch_steps", "halving", "holding", "flush_races", "second_actor")
    paths = [own, *[f"tests/local/{package}/test_{what}.py" for what in whole]]
    if package:
        paths.append(f"tests/unit/cdn/{package}")
    return [path for path in paths if (ROOT / path).exists()]


def unnoticed(mutant):
    """Run the tests of a mutant's package with it; return what pytest says if all passed."""
    number = guards.mutants(mutant.module).index(mutant)
    arguments = ("-p", "tests.mutation.plugin", "-p", "no:cacheprovider", "-q", "-x")
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments, *tests_of(mutant.module)],
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


@pytest.mark.prove
@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.name) for one in guards.all_mutants()])
def test_noticed(mutant):
    """
    Without any one guard some test fails.
    """
    assert unnoticed(mutant) == ""
