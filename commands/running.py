"""One command is run, and ends in an exit code and a sentence, never a traceback."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import click

from cdn.errors import CdnError, RetryLaterError
from commands.cli import cli
from commands.errors import HELP, RefusedError, UnreachableError
from commands.exit_codes import Exit
from commands.options import Options
from commands.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from botocore.exceptions import BotoCoreError, ClientError


def run(arguments: Sequence[str] | None) -> int:
    """Run one command, and return its exit code; whatever fails is said in a sentence."""
    # A terminal may show, and a person type, what its encoding has not.
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as exc:
        # Of what is printed, nothing more arrives, not even when the interpreter ends.
        _discard_output()
        if not isinstance(exc, BrokenPipeError):
            _complain(f"autopilot: {exc}")
        return Exit.REFUSED_OR_FOUND
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name="autopilot", standalone_mode=False, obj=Options())
    except click.exceptions.NoArgsIsHelpError as exc:
        # Its message is the whole help.
        sys.stderr.write(f"{exc.format_message()}\n")
        return Exit.USAGE
    except click.ClickException as exc:
        return _refuse_usage(exc)
    except (click.Abort, KeyboardInterrupt):
        _complain("autopilot: stopped")
        return Exit.STOPPED
    except (UnreachableError, RefusedError, CdnError) as exc:
        # What AWS or botocore itself said tells more than that it is worth a retry.
        cause = exc.__cause__ if isinstance(exc, RetryLaterError) else None
        return _fail(cause or exc)
    except _errors_of_aws() as exc:
        return _fail(exc)
    return int(code or Exit.DONE)


def _errors_of_aws() -> tuple[type[BotoCoreError | ClientError], ...]:
    """Return what botocore raises, which is nothing as long as no command has imported it."""
    exceptions = sys.modules.get("botocore.exceptions")
    return (exceptions.BotoCoreError, exceptions.ClientError) if exceptions else ()


def _refuse_usage(error: click.ClickException) -> int:
    context: click.Context | None = getattr(error, "ctx", None)
    if context is not None:
        _complain(context.get_usage())
        _complain(f"Try '{context.command_path} --help' for help.")
    _complain(f"autopilot: {error.format_message()}")
    return Exit.USAGE


def _fail(error: BaseException) -> int:
    _complain(f"autopilot: {error}")
    if _is_unreachable(error):
        _complain(HELP)
        return Exit.AWS_UNREACHABLE
    return Exit.REFUSED_OR_FOUND


def _is_unreachable(error: BaseException) -> bool:
    if isinstance(error, _errors_of_aws()):
        from commands import account  # noqa: PLC0415  # imported by whoever has asked AWS

        return account.is_unreachable(error)
    return isinstance(error, UnreachableError)


def _complain(sentence: str) -> None:
    Output.to(None, None).notice(sentence)


def _discard_output() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
