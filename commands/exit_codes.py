"""What the exit codes of `autopilot` mean."""

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    REFUSED_OR_FOUND = 1
    USAGE = 2
    AWS_UNREACHABLE = 3
    STOPPED = 130
