"""Chromium, which finds every https host at the edge of a stack on this machine."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome")


class NoBrowserError(Exception):
    """Chromium, or what drives it, is not installed."""


def find() -> str:
    """
    Return where Chromium is.

    Raises:
        NoBrowserError: It is nowhere, or playwright, which drives it.
    """
    if importlib.util.find_spec("playwright") is None:
        raise NoBrowserError("playwright is not installed")
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    raise NoBrowserError("Chromium is not installed")


@contextmanager
def chromium(world: World) -> Iterator[Browser]:
    """
    Start a headless Chromium that trusts the edge's certificates; each of its contexts is new.

    Raises:
        NoBrowserError: There is none.
    """
    path = find()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not everywhere

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=flags(world), chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


def flags(world: World) -> list[str]:
    """Return the options with which a Chromium with its own profile finds the stack's hosts."""
    return [
        f"--host-resolver-rules=MAP * {world.edge_url.removeprefix('http://')}",
        f"--ignore-certificate-errors-spki-list={world.edge_pin}",
    ]
