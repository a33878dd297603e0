"""Run the stack of template.yaml on this machine, and show that it does its work."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from rich.console import Console

from local.demo import (
    access,
    attack,
    frontend,
    hardship,
    outside,
    pages,
    rotation,
    site,
    upload,
)
from local.demo.claims import Claims
from local.demo.narration import Narrator
from local.stack import embedded

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
# Played on one stack.
CHAPTERS = {"upload": upload.play, "hardship": hardship.play, "access": access.play}
# Each on a stack of its own.
ALONE = {"attack": attack.play, "rotation": rotation.play, "pages": pages.play}

_BUCKET = "site"


def main() -> int:
    """Play the chapters; exit with 1 if a claim broke, with 2 if there was nothing to play."""
    arguments = _arguments()
    # With --json, standard output is for machines alone.
    console = Console(stderr=arguments.json, soft_wrap=True)
    claims = Claims(Narrator(console, time.time))
    try:
        if arguments.chapter not in ALONE:
            _play(arguments, claims)
        for name, play in ALONE.items():
            if arguments.chapter in {None, name}:
                claims.narrator.heading(name)
                play(claims.narrator, claims, python=arguments.functions_python)
    except site.SiteError as exc:
        claims.narrator.line(f"demo: {exc}")
        return 2
    claims.narrator.line()
    claims.narrator.line(claims.summary())
    if arguments.json:
        print(json.dumps({"claims": claims.results}))
    return 1 if claims.broken else 0


def _play(arguments: argparse.Namespace, claims: Claims) -> None:
    narrator = claims.narrator
    shown = _read_site(arguments.site)
    began = time.monotonic()
    with embedded(
        TEMPLATE,
        parameters={"UploadBuckets": _BUCKET} | access.PARAMETERS,
        python=arguments.functions_python,
        fetch=frontend.IDENTITY.document,
    ) as world:
        cloud = outside.build(world, bucket=_BUCKET)
        names = ", ".join(function.name for function in world.deployment.functions)
        if shown.left_out:
            narrator.line(f"Only the first {len(shown.files)} files of {arguments.site} are used.")
        took_s = time.monotonic() - began
        narrator.line(f"template.yaml is deployed here, in {took_s:.1f} s. Functions: {names}.")
        for name, play in CHAPTERS.items():
            if arguments.chapter in {None, name}:
                narrator.heading(name)
                play(cloud, shown.files, narrator, claims)


def _read_site(folder: Path) -> site.Site:
    """
    Read the files of *folder*, each under a key that S3 takes.

    Raises:
        SiteError: One cannot be read, or has a name that is no key.
    """
    try:
        shown = site.read(folder)
    except OSError as exc:
        raise site.SiteError(f"{exc.filename} cannot be read: {exc.strerror}") from exc
    for key in shown.files:
        if not key.isprintable():
            raise site.SiteError(f"{key!a} is no name to show; rename it")
        if len(key.encode()) > _MAX_KEY_BYTES:
            raise site.SiteError(f"{key} is longer than a key may be: {_MAX_KEY_BYTES} bytes")
    return shown


_MAX_KEY_BYTES = 1024


def _arguments() -> argparse.Namespace:
    # Make and autopilot have other words for the options: what is refused shows no usage.
    parser = argparse.ArgumentParser(prog="demo", usage=argparse.SUPPRESS, description=__doc__)
    parser.add_argument("--chapter", choices=[*CHAPTERS, *ALONE], help="play this one alone")
    parser.add_argument(
        "--site", type=Path, default=site.SHIPPED, help="a folder whose files are uploaded"
    )
    parser.add_argument("--functions-python", type=Path, help="the interpreter of the functions")
    parser.add_argument("--json", action="store_true", help="end with the results as JSON")
    return parser.parse_args()
