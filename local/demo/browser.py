"""Chromium, which finds every https host at the edge of a stack on this machine."""

from __future__ import annotations

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


@contextmanager
def chromium(world: World) -> Iterator[Browser]:
    """
    Start a headless Chromium that trusts the edge's certificates, and no others of this machine.

    Each of its contexts begins fresh, without cookies.

    Raises:
        NoBrowserError: There is no Chromium, or no playwright.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise NoBrowserError("Chromium is not installed")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not everywhere
    except ImportError as error:
        raise NoBrowserError("playwright is not installed") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=flags(world), chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


def flags(world: World) -> list[str]:
    """Give the options with which a Chromium with a profile of its own finds the stack's hosts."""
    return [
        f"--host-resolver-rules=MAP * {world.edge_url.removeprefix('http://')}",
        f"--ignore-certificate-errors-spki-list={world.edge_pin}",
    ]
