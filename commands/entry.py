"""Where `autopilot` begins, and how it ends: in an exit code and a sentence, never a traceback."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import click
from botocore.exceptions import BotoCoreError, ClientError

from cdn.errors import CdnError, RetryLaterError
from commands import account
from commands.account import RefusedError, UnreachableError
from commands.cli import cli
from commands.exit_codes import Exit
from commands.options import Options
from commands.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code; whatever fails is said in a sentence."""
    for stream in (sys.stdout, sys.stderr):
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
    except (UnreachableError, RefusedError, CdnError, BotoCoreError, ClientError) as exc:
        return _fail(exc)
    return int(code or Exit.DONE)


def _refuse_usage(error: click.ClickException) -> int:
    context: click.Context | None = getattr(error, "ctx", None)
    if context is not None:
        _complain(context.get_usage())
        _complain(f"Try '{context.command_path} --help' for help.")
    _complain(f"autopilot: {error.format_message()}")
    return Exit.USAGE


def _fail(error: BaseException) -> int:
    # What AWS or botocore itself said tells more than that it is worth a retry.
    if isinstance(error, RetryLaterError) and error.__cause__ is not None:
        error = error.__cause__
    _complain(f"autopilot: {error}")
    if isinstance(error, UnreachableError) or (
        isinstance(error, BotoCoreError | ClientError) and account.is_unreachable(error)
    ):
        _complain(account.HELP)
        return Exit.AWS_UNREACHABLE
    return Exit.REFUSED_OR_FOUND


def _complain(sentence: str) -> None:
    Output.to(None, None).notice(sentence)


def _discard_output() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
