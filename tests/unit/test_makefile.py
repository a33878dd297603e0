"""What `make test` runs for which arguments."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = "tests/unit/test_makefile.py"
MAKE = shutil.which("make") or ""


@pytest.mark.skipif(not MAKE, reason="there is no make here")
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
    done = subprocess.run(
        [MAKE, "--dry-run", "test", f"ARGS={arguments}", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "-m pytest" in done.stdout
    assert ("--numprocesses" in done.stdout) == parallel
