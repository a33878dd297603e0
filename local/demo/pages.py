"""Pages: a real browser opens a gallery of private pictures, on a stack of its own."""

from __future__ import annotations

import time
from pathlib import Path

from local.demo import browser, gallery
from local.demo.claims import Claims
from local.demo.narration import Narrator
from local.identity import Identity
from local.stack import embedded

_TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_CLAIM = "browser-opens-gallery"


def play(narrator: Narrator, claims: Claims, *, python: Path | None = None) -> None:
    """
    Let both users look at the gallery, by URLs and by cookies; without a browser, say so.

    Call it when no other stack runs in this process. *python* runs the functions.
    """
    try:
        browser.find()
    except browser.NoBrowserError as missing:
        claims.skip(_CLAIM, f"{missing}.")
        return
    identity = Identity(gallery.ISSUER, now=time.time)
    with embedded(
        _TEMPLATE, parameters=gallery.PARAMETERS, python=python, fetch=identity.document
    ) as world:
        with narrator.busy("The gallery is deployed"):
            gallery.build(world, identity)
        with browser.chromium(world) as chromium:
            narrator.say(
                f"{gallery.ORIGIN} shows private pictures of {gallery.MEDIA}, in Chromium."
            )
            visits = {
                f"{user}, by {by}": gallery.look(chromium.new_page(), user, by=by)
                for user in gallery.USERS
                for by in gallery.WAYS
            }
    claims.check(
        _CLAIM,
        "In a browser each user sees all of his own pictures, and none of the other's.",
        against={
            f"{who}: {part} are {state}": set(seen[part]) == {state}
            for who, seen in visits.items()
            for part, state in (("own", "shown"), ("others", "refused"))
        },
    )
