"""The whole stack, a site with private pictures, and a real Chromium in front of it."""

import time
from pathlib import Path

import pytest

from local import stack
from local.demo import gallery
from local.demo.browser import NoBrowserError, chromium, find
from local.identity import Identity

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
HARNESS = Path(__file__).with_name("harness.html")


# A module's, not the session's: while it lives, time and AWS are not what other tests expect.
@pytest.fixture(scope="module")
def site():
    try:
        find()
    except NoBrowserError as exc:
        pytest.skip(str(exc))
    identity = Identity(gallery.ISSUER, now=time.time)
    with stack.embedded(TEMPLATE, parameters=gallery.PARAMETERS, fetch=identity.document) as world:
        site = gallery.build(world, identity)
        site.put("harness.html", HARNESS.read_bytes(), content_type="text/html", bucket="pages")
        yield site


@pytest.fixture(scope="module")
def browser(site):
    with chromium(site.world) as browser:
        yield browser


@pytest.fixture
def context(browser):
    """A browser as somebody has it who comes for the first time."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context):
    return context.new_page()
