"""The types of the command line's arguments, and the options of every command."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar

import click

from commands.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands.account import Account, Stack

C = TypeVar("C", bound=click.Command)

DEFAULT_STACK = "cloudfront-autopilot"
"""The name that samconfig.toml gives the stack."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of every command."""

    profile: str | None = None
    region: str | None = None
    stack: str = DEFAULT_STACK
    as_json: bool = False

    @property
    def account(self) -> Account:
        # boto3 takes longer to import than all else, and only who asks AWS needs it.
        from commands.account import Account  # noqa: PLC0415

        return Account.of(profile=self.profile, region=self.region)

    @property
    def output(self) -> Output:
        return Output.to(None, None, as_json=self.as_json)

    def read_stack(self, output: Output) -> Stack:
        with output.status(f"Reading stack {self.stack}"):
            from commands import account  # noqa: PLC0415  # as above

            return account.read_stack(self.account, self.stack)


class _Text(click.ParamType[str]):
    """Text that is not empty, and that AWS could take."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("must not be empty", param, ctx)
        if not value.isprintable():
            try:
                value.encode()
            except UnicodeEncodeError:
                self.fail("is not UTF-8", param, ctx)
        return value


class _Matching(_Text):
    """Text of a form."""

    def __init__(self, name: str, pattern: str) -> None:
        self.name = name
        self._pattern = re.compile(pattern)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._pattern.fullmatch(super().convert(value, param, ctx)):
            self.fail(f"{value!r} is no {self.name}", param, ctx)
        return value


class _Address(_Text):
    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(ip_address(value))
        except ValueError:
            self.fail(f"{value!r} is no IP address", param, ctx)


class _Moment(click.ParamType[float]):
    name = "seconds"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            moment = float(value)
        except ValueError:
            moment = math.nan
        if not 0 <= moment <= _LAST_MOMENT_S:
            self.fail(f"{value!r} is no second of Unix time", param, ctx)
        return moment


# The year 9999, the last that can be written.
_LAST_MOMENT_S = 253_402_300_799

TEXT = _Text()
ADDRESS = _Address()
MOMENT = _Moment()
_STACK = _Matching("stack name", r"[A-Za-z][A-Za-z0-9-]{0,127}|arn:[\w:/-]{1,1600}")
_REGION = _Matching("region", r"[a-z0-9]{1,20}(-[a-z0-9]{1,20}){1,6}")


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401  # of whatever type the option has
    if value:
        context.obj = replace(context.obj, **{str(parameter.name): value})


COMMON = {
    "profile": click.Option(
        ["--profile"],
        type=TEXT,
        help="A profile of the AWS CLI's settings; its default if left out.",
    ),
    "region": click.Option(
        ["--region"], type=_REGION, help="The stack's region; the profile's if left out."
    ),
    "stack": click.Option(
        ["--stack"], type=_STACK, help=f"The deployed stack; {DEFAULT_STACK} if left out."
    ),
    "as_json": click.Option(
        ["--json", "as_json"],
        is_flag=True,
        help="Answer as JSON on standard output, with nothing else there.",
    ),
}
for _option in COMMON.values():
    _option.expose_value = False
    _option.callback = _remember


def takes(*names: str) -> Callable[[C], C]:
    """Give a command these common options, which may also stand before its name."""

    def give(command: C) -> C:
        command.params += [COMMON[name] for name in names]
        return command

    return give


def examples(*lines: str) -> str:
    return "\n".join(("\b", "Examples:", *(f"  autopilot {line}" for line in lines)))
