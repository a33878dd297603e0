"""`make demo`: say something at once, and end quietly however early somebody stops it.

`python -m local.demo gallery` serves the gallery instead.
"""

import os
import sys

_CTRL_C = 130


def main() -> int:
    """Show the demo, or the gallery."""
    sys.stderr.write("CloudFront Autopilot on this machine: no AWS, no Docker, virtual time.\n")
    try:
        # What it emulates AWS with takes seconds to import.
        if sys.argv[1:] == ["gallery"]:
            from local.demo import gallery  # noqa: PLC0415

            return gallery.main()
        from local.demo import show  # noqa: PLC0415

        return show.main()
    except KeyboardInterrupt:
        sys.stderr.write("demo: stopped; nothing is left running\n")
        return _CTRL_C
    except BrokenPipeError:
        # Nobody reads any more: the interpreter must not try to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
