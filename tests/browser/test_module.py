"""The browser's module by itself, under Node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
TESTS = Path(__file__).with_name("signed-access.test.mjs")


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
def test_module():
    """
    What the module does by itself, it does as its own tests say.
    """
    done = subprocess.run(
        [str(NODE), "--test", str(TESTS)], check=False, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
