"""What is imported, and what is not, before a command has anything to ask."""

import subprocess
import sys

from commands.exit_codes import Exit
from tests.unit.commands import running

IMPORTED = """
import sys
from commands.entry import main
from commands.cli import cli
codes = [main(["--help"]), main(["--version"]), main(["nonsense"])]
codes += [main([name, "--help"]) for name in cli.commands]
heavy = [name for name in sys.modules if name.partition(".")[0] in {"boto3", "botocore"}]
print(heavy, [*map(int, codes[:3])])
"""
STOPPED = """
import sys
from commands.entry import main

class Stopped:
    def find_spec(self, name, *_):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Stopped())
sys.exit(main(["--help"]))
"""


def python(script):
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=running.ROOT,
        env=running.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_help():
    """
    Help, version and what is refused import no boto3, which takes longer than all else.
    """
    done = python(IMPORTED)

    assert done.stdout.splitlines()[-1] == "[] [0, 0, 2]"


def test_stopped():
    """
    Ctrl-C ends also a command that is still being imported in a sentence.
    """
    done = python(STOPPED)

    assert done.returncode == Exit.STOPPED
    assert done.stderr == "autopilot: stopped\n"
