"""Where `autopilot` begins: already here, Ctrl-C ends it in a sentence."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code; whatever fails is said in a sentence."""
    try:
        # What takes long to import is imported where it can be stopped.
        from commands.running import run  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("autopilot: stopped\n")
        return 130
    return run(arguments)
