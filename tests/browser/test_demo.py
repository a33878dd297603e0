"""The demo page, in a browser."""

import os

import pytest

from local.demo import gallery

# A folder to look at what the tests see.
SCREENSHOTS = os.environ.get("SCREENSHOTS")
HOUR_S = 3_600


class TestGallery:
    @pytest.mark.parametrize("by", gallery.WAYS)
    @pytest.mark.parametrize("user", gallery.USERS)
    def test_pictures(self, page, user, by):
        """
        Each user sees all of his own pictures, and of the other's why he does not.
        """
        states = gallery.look(page, user, by=by)

        assert states == {"own": ["shown"] * 4, "others": ["refused"] * 4}
        if SCREENSHOTS:
            page.screenshot(path=f"{SCREENSHOTS}/{user}-{by}.png", full_page=True)


class TestFilm:
    @pytest.mark.parametrize("by", gallery.WAYS)
    def test_to_the_end(self, page, site, by):
        """
        The film plays to its end, though what opened its beginning runs out in the middle.
        """
        gallery.look(page, "ada", by=by)
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("document.querySelector('#progress').value > 3")
        site.world.virtual_time.advance(HOUR_S + 60)
        page.wait_for_function("document.querySelector('#progress').position === 1")

        refreshed = page.locator("#asked li", has_text="(refresh)")
        assert refreshed.count() == 1
        assert page.get_by_role("status").inner_text() == "You are signed in as ada."
        if SCREENSHOTS:
            page.screenshot(path=f"{SCREENSHOTS}/film-{by}.png", full_page=True)


class TestUsers:
    def test_one_after_the_other(self, page, context):
        """
        Who signs in next has nothing of who was there before.
        """
        gallery.look(page, "ada", by="cookies")
        page.get_by_role("button", name="Sign in as ben").click()
        page.get_by_text("signed in as ben").wait_for()

        assert {cookie["path"] for cookie in context.cookies()} == {"/users/ben/"}
