"""Commands as a person types them, in this process or in one of their own."""

import io
import os
import pty
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from commands.entry import main

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def environment(**variables):
    """Return this process's own without any settings of AWS, and these."""
    return {
        **{name: value for name, value in os.environ.items() if "AWS" not in name},
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "layers/cloudfront"))),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **variables,
    }


def command(*arguments):
    return [sys.executable, "-m", "commands", *arguments]


def run(*arguments, cwd=ROOT, stdin=subprocess.DEVNULL, **variables):
    """Run a command in a process of its own, without a terminal."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**variables),
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


class Terminal:
    """A process in a terminal of its own, and all that it has shown there."""

    def __init__(self, process, master):
        self.process = process
        self.shown = b""
        self._master = master

    def read(self):
        self.shown += os.read(self._master, 1_000)

    def read_until(self, *texts):
        while not any(text in self.shown for text in texts):
            self.read()

    def type(self, text):
        os.write(self._master, text)


@contextmanager
def in_terminal(*arguments, stdout=None, **variables):
    """Run a command in a terminal until the block ends; its *stdout* may go elsewhere."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(
            command(*arguments),
            cwd=ROOT,
            env=environment(**variables),
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            start_new_session=True,
        ) as process:
            os.close(slave)
            yield Terminal(process, master)
    finally:
        os.close(master)


def run_here(*arguments):
    """Run a command in this process, which is quicker; what it raises is raised."""
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = main(arguments)
    texts = []
    for stream in (stdout, stderr):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Done(code, *texts)
