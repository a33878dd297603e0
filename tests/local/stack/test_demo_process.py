"""The demo and the gallery as a person starts and stops them."""

import os
import signal
import subprocess
import sys

import pytest

from tests.local import suite

# Whole processes, one after the other.
pytestmark = pytest.mark.prove

ROOT = suite.TEMPLATE.parent


def refused(*arguments):
    """Start the demo, and return what it says when it has nothing to play."""
    done = subprocess.run(
        [sys.executable, "-m", "local.demo", "--chapter", "upload", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    return done.stderr


class TestRefused:
    def test_chapter(self):
        """
        An unknown chapter is refused in a sentence that is true for each who starts the demo.
        """
        said = refused("--json", "--chapter", "nonsense")

        assert "demo: error: argument --chapter: invalid choice: 'nonsense'" in said
        assert "usage:" not in said

    @pytest.mark.parametrize(
        "name",
        [b"\xff.txt", b"\x1b[31m.txt", b"/".join([b"f" * 200] * 6)],
        ids=["bytes", "escape", "long"],
    )
    def test_names(self, tmp_path, name):
        """
        A file whose name cannot be a key, or steers the terminal, is named, and nothing begins.
        """
        for number in range(5):
            (tmp_path / f"{number}.txt").write_text("a")
        file = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118  # bytes
        os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120
        with open(file, "w", encoding="utf-8"):  # noqa: PTH123
            pass

        said = refused("--json", "--site", str(tmp_path))

        assert "\ndemo: " in said
        assert "Traceback" not in said
        assert "\x1b" not in said


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_gallery(signal_number):
    """
    However the gallery is stopped, it ends what it has started.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "local.demo", "gallery"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        first_line = process.stdout.readline() if process.stdout else ""
        process.send_signal(signal_number)
        _, stderr = process.communicate(timeout=60)

    assert first_line.startswith("The gallery is open")
    assert process.returncode == 0
    assert "Traceback" not in stderr
