"""What needs the repository: the demo, which runs the stack of its template on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from commands.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_NEEDED = ("template.yaml", "Makefile", "local/demo/__main__.py")
_ENVIRONMENTS = ("functions-environment", "demo-environment")


def find(folder: Path) -> Path:
    """
    Return *folder*, or the nearest one above it that is a clone of the repository.

    Raises:
        RefusedError: There is none.
    """
    for root in (folder, *folder.parents):
        if all((root / name).is_file() for name in _NEEDED):
            return root
    raise RefusedError(
        "this runs the stack of a clone of the repository on this machine, and here is none: "
        "clone CloudFront Autopilot, and type this again in its folder"
    )


def run_module(root: Path, module: str, arguments: Sequence[str]) -> NoReturn:
    """
    Become `python -m module`, in the environments that the Makefile of *root* installs.

    Raises:
        RefusedError: They cannot be installed.
    """
    try:
        # Standard output is for the answer alone.
        installed = subprocess.run(
            ["make", "--no-print-directory", *_ENVIRONMENTS],  # noqa: S607  # whichever is there
            cwd=root,
            env={name: value for name, value in os.environ.items() if name not in _MAKE_READS},
            stdout=sys.stderr or subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as exc:
        raise RefusedError("make is not installed, and installs what the demo needs") from exc
    if installed.returncode:
        raise RefusedError("what the demo needs is not installed: see above")
    os.chdir(root)
    for name in ("PYTHONPATH", "PYTHONHOME"):
        os.environ.pop(name, None)
    python = root / ".venv/demo/bin/python"
    os.environ["FUNCTIONS_PYTHON"] = str(root / ".venv/functions/bin/python")
    os.execv(python, [str(python), "-m", module, *arguments])  # noqa: S606  # no shell


# Variables of the environment by which make would do something else. PYTHON may choose the
# interpreter, as it does for make.
_MAKE_READS = frozenset({"VENV", "MAKEFLAGS", "MAKEFILES", "MFLAGS", "GNUMAKEFLAGS"})
