"""`make demo`: say something at once, and end quietly however early somebody stops it."""

import sys

_CTRL_C = 130


def main() -> int:
    """Show the demo."""
    sys.stderr.write("CloudFront Autopilot on this machine: no AWS, no Docker, virtual time.\n")
    try:
        # What it emulates AWS with takes seconds to import.
        from local.demo import show  # noqa: PLC0415

        return show.main()
    except KeyboardInterrupt:
        sys.stderr.write("demo: stopped; nothing is left running\n")
        return _CTRL_C


if __name__ == "__main__":
    sys.exit(main())
