"""What `make test` and `make prove` run for which arguments."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = "tests/unit/test_makefile.py"
MAKE = shutil.which("make") or ""


pytestmark = pytest.mark.skipif(not MAKE, reason="there is no make here")


def dry_run(*arguments):
    """Return what make would do."""
    return subprocess.run(
        [MAKE, "--dry-run", *arguments, f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "parallel"),
    [
        ("", True),
        ("tests/unit", True),
        (f"tests/unit {FILE}", True),
        (f"{FILE} tests/unit/test_template.py", True),
        (f"--ignore={FILE}", True),
        (FILE, False),
        (f"{FILE}::test_workers -x", False),
        (f"-k 'any or none' {FILE}", False),
    ],
)
def test_workers(arguments, parallel):
    """
    For one file no worker processes are started.
    """
    done = dry_run("test", f"ARGS={arguments}")

    assert "-m pytest" in done.stdout
    assert ("--numprocesses" in done.stdout) == parallel


@pytest.mark.parametrize(
    ("arguments", "marker"),
    [
        ([], '-m "prove"'),
        (["PROFILE=short"], '-m "prove"'),
        (["PROFILE=full"], '-m "prove or full"'),
    ],
)
def test_profiles(arguments, marker):
    """
    The full profile has the longest tests besides.
    """
    done = dry_run("prove", *arguments)

    assert done.returncode == 0
    assert marker in done.stdout


def test_unknown_profile():
    """
    A profile that there is not is refused, with those that there are.
    """
    done = dry_run("prove", "PROFILE=ful")

    assert done.returncode != 0
    assert "PROFILE is one of: short full" in done.stderr
