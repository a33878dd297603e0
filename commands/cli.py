"""`autopilot`: its commands."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cdn import __version__
from commands import checkout, dead_letters, keys
from commands.errors import RefusedError
from commands.exit_codes import Exit
from commands.options import ADDRESS, COMMON, MOMENT, TEXT, Options, examples, takes

if TYPE_CHECKING:
    from typing import TextIO

    from commands.output import Output


class _Group(click.Group):
    """Commands whose list cuts no sentence, however narrow the terminal is."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command's name and first sentence."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, self.commands[name].get_short_help_str(limit=formatter.width * 10))
                    for name in self.list_commands(ctx)
                ]
            )


@takes(*COMMON)
@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "demo",
        "routes docs/index.html --example",
        "dead-letters --stack my-stack --region eu-west-1",
        "keys --profile production --json",
    )
    + "\n\n\b\nExit codes: 0 done; 1 refused, or something was found; 2 wrong usage;\n"
    "3 AWS cannot be reached (credentials, region, stack, network); 130 stopped by Ctrl-C.",
)
@click.version_option(__version__, prog_name="autopilot", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Ask a deployed CloudFront Autopilot, help it, or watch it work on this machine.

    Speaks to AWS by the settings of the AWS CLI. Common options may stand before or after the
    command.
    """
    name = context.invoked_subcommand or ""
    taken = {parameter.name for parameter in cli.commands[name].params}
    for parameter in COMMON.values():
        given = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
        if given and parameter.name not in taken:
            raise click.NoSuchOption(parameter.opts[0], f"{name} has no option {parameter.opts[0]}")


CHAPTERS = ("upload", "hardship", "access", "attack", "rotation", "pages")
"""As the demo has them."""


@takes("as_json")
@cli.command("demo", epilog=examples("demo", "demo --chapter upload", "demo --site public --json"))
@click.option("--chapter", type=click.Choice(CHAPTERS), help="Play this chapter alone.")
@click.option(
    "--site",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder whose files are uploaded.",
)
@click.pass_obj
def demo(options: Options, chapter: str | None, site: Path | None) -> None:
    """Watch the stack work on this machine, without AWS.

    Needs a clone of the repository; it installs what else it needs there.
    """
    root = checkout.find(Path.cwd())
    arguments = ["--functions-python", str(root / ".venv/functions/bin/python")]
    arguments += [f"--chapter={chapter}"] if chapter else []
    arguments += [f"--site={site.absolute()}"] if site else []
    arguments += ["--json"] if options.as_json else []
    checkout.run_module(root, "local.demo", arguments)


@cli.command("gallery", epilog=examples("gallery"))
def gallery() -> None:
    """Serve private pictures on this machine, to a browser.

    Needs a clone of the repository; it installs what else it needs there.
    """
    checkout.run_module(checkout.find(Path.cwd()), "local.demo", ["gallery"])


@takes(*COMMON)
@cli.command(
    "routes",
    epilog=examples(
        "routes docs/index.html --example",
        "routes docs/index.html --stack my-stack",
        "routes img/a+b.png --bucket my-site --json",
    ),
)
@click.argument("key", type=TEXT)
@click.option("--bucket", type=TEXT, help="The object's bucket; the stack's first if left out.")
@click.option("--example", is_flag=True, help="Ask an example account instead of yours.")
@click.pass_obj
def show_routes(options: Options, key: str, bucket: str | None, *, example: bool) -> int:
    """Show which paths viewers have for an object.

    KEY is the object's key in the bucket.
    """
    from commands import routes  # noqa: PLC0415  # it imports boto3, which takes long

    output = options.output
    site = routes.example() if example else routes.read_site(options.read_stack(output), output)
    if example:
        output.notice("An example account; without --example yours is asked.")
    bucket = bucket or site.buckets[0]
    routes.show(routes.explain(site, bucket, key), bucket, key, output)
    return Exit.DONE


@takes("profile", "region", "as_json")
@cli.command(
    "doctor",
    epilog=examples(
        "doctor 'https://media.example.com/a.jpg?Expires=…&Signature=…&Key-Pair-Id=…'",
        "doctor https://media.example.com/a.jpg --cookies 'CloudFront-Policy=…; …'",
        "doctor 'https://…' --public-key public_key.pem --ip 203.0.113.7",
    ),
)
@click.argument("url", type=TEXT)
@click.option("--cookies", type=TEXT, help="The Cookie header that the viewer sent.")
@click.option("--ip", type=ADDRESS, help="The viewer's address.")
@click.option("--at", type=MOMENT, help="Judge as of this second of Unix time; now if left out.")
@click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A PEM file: check by this key, without asking AWS.",
)
@click.pass_obj
def diagnose(
    options: Options,
    url: str,
    *,
    cookies: str | None,
    ip: str | None,
    at: float | None,
    public_key: Path | None,
) -> int:
    """Show why CloudFront answered 403, and what mends it.

    URL is as the viewer sent it, with all its parameters, in quotes. Exits with 0 if it opens.
    """
    from commands import doctor  # noqa: PLC0415  # it imports boto3, which takes long

    output = options.output
    request: dict[str, Any] = {
        "cookies": cookies,
        "now_s": time.time() if at is None else at,
        "viewer_ip": ip,
    }
    if public_key:
        where = {"public key": str(public_key)}
        verdict = doctor.diagnose_by_key(_read_pem(public_key), url, **request)
    else:
        with output.status("Asking CloudFront"):
            client = options.account.client("cloudfront")
            where, verdict = doctor.diagnose(client, url, **request)
    doctor.show(where, verdict, output)
    return Exit.DONE if verdict.opens else Exit.REFUSED_OR_FOUND


def _read_pem(file: Path) -> str:
    try:
        # Of what never ends, no more is read than a key could be.
        with file.open(encoding="utf-8") as opened:
            text = opened.read(_MAX_PEM_CHARACTERS + 1)
    except UnicodeDecodeError as exc:
        raise RefusedError(f"{file} is no PEM file: it is not text") from exc
    except OSError as exc:
        raise RefusedError(f"{file} cannot be read: {exc.strerror}") from exc
    if len(text) > _MAX_PEM_CHARACTERS:
        raise RefusedError(f"{file} is no PEM file of a key: it is too long")
    return text


_MAX_PEM_CHARACTERS = 65_536


@takes(*COMMON)
@cli.command(
    "dead-letters", epilog=examples("dead-letters --stack my-stack", "dead-letters --json")
)
@click.pass_obj
def list_dead_letters(options: Options) -> int:
    """List messages that could not be handled, and why.

    Exits with 1 if there are any.
    """
    output = options.output
    count = dead_letters.list_all(options.read_stack(output), output)
    return Exit.REFUSED_OR_FOUND if count else Exit.DONE


_yes = click.option("--yes", is_flag=True, help="Do it without asking.")


@takes(*COMMON)
@cli.command("redrive", epilog=examples("redrive --stack my-stack", "redrive --yes --json"))
@_yes
@click.pass_obj
def redrive(options: Options, *, yes: bool) -> int:
    """Send dead letters back to their queues.

    Do so once the cause is gone. What was done already is not done again, nor billed twice.
    """
    output = options.output
    question = f"Send all dead letters of stack {options.stack} back to their queues?"
    if not _confirmed(question, output, yes=yes):
        return Exit.REFUSED_OR_FOUND
    dead_letters.redrive_all(options.read_stack(output), output, now=time.time)
    return Exit.DONE


@takes(*COMMON)
@cli.command("release", epilog=examples("release --stack my-stack", "release --yes --json"))
@_yes
@click.pass_obj
def release(options: Options, *, yes: bool) -> int:
    """Let changes go that are held because of DailyItems.

    What is pending now is invalidated at once, whatever it costs; what changes later is held again.
    """
    from commands import held  # noqa: PLC0415  # it imports boto3, which takes long

    output = options.output
    stack = options.read_stack(output)
    changes = held.read(stack, output, now=time.time)
    if changes and not _confirmed(held.question(changes), output, yes=yes):
        return Exit.REFUSED_OR_FOUND
    held.release(stack, changes, output, now=time.time)
    return Exit.DONE


@takes(*COMMON)
@cli.command("keys", epilog=examples("keys --stack my-stack", "keys --json"))
@click.pass_obj
def show_keys(options: Options) -> int:
    """Show the signing keys, and the next step.

    Exits with 1 if something needs attention.
    """
    output = options.output
    plan = keys.ask_stack(options.read_stack(output), {"plan": True}, output)
    keys.show(plan, output)
    return Exit.REFUSED_OR_FOUND if plan.get("attention") else Exit.DONE


@takes(*COMMON)
@cli.command(
    "revoke",
    epilog=examples(
        "revoke K2JCJMDEHXQW5F --stack my-stack", "revoke K2JCJMDEHXQW5F --leaked --yes"
    ),
)
@click.argument("key_id", type=TEXT)
@click.option(
    "--leaked", is_flag=True, help="The whole secret is known to others: revoke the standby, too."
)
@click.option("--force", is_flag=True, help="Even if no other key is verified.")
@_yes
@click.pass_obj
def revoke(options: Options, key_id: str, *, leaked: bool, force: bool, yes: bool) -> int:
    """Revoke a signing key now.

    The standby signs from then on. Links that the key has signed no longer open. Exits with 1 if
    nothing was done.
    """
    output = options.output
    question = (
        f"Revoke key {key_id} of stack {options.stack} now? "
        "No link that it has signed opens afterwards."
    )
    if not _confirmed(question, output, yes=yes):
        return Exit.REFUSED_OR_FOUND
    wanted = {"revoke": key_id, "secret_leaked": leaked, "force": force}
    report = keys.ask_stack(options.read_stack(output), wanted, output)
    keys.show(report, output)
    return Exit.REFUSED_OR_FOUND if report.get("refused") else Exit.DONE


def _confirmed(question: str, output: Output, *, yes: bool) -> bool:
    """
    Return whether somebody says yes.

    Raises:
        click.UsageError: Nobody can be asked.
    """
    if yes:
        return True
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stderr)):
        raise click.UsageError("nobody can be asked here: say --yes to do it without a question")
    # Not click's: that one asks on standard output.
    output.notice(f"{question} [y/N]")
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    output.notice("Nothing was done.")
    return False


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
