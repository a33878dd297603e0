"""No test passes that prints a key, a signature, a policy or a token."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secrecy import leaks

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----",
        "CloudFront-Policy=" + "e" * 60,
        "&Signature=" + "M" * 90,
        "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI0MiJ9xx.c2lnbmF0dXJl",
    ],
)
def test_found(secret):
    """
    Each kind is found, wherever it stands.
    """
    assert leaks(f"a line\nwith {secret} in it")


@pytest.mark.parametrize(("printed", "passes"), [("Signature=" + "M" * 90, 0), ("nothing", 1)])
def test_fails(tmp_path, printed, passes):
    """
    A test that prints one fails, and does not print it again.
    """
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    print({printed!r})\n")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-q", tmp_path, "-c", "/dev/null"],
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1 - passes, done.stdout
    assert ("must stay secret" in done.stdout) == (not passes)
