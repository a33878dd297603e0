"""The demo page, in a browser."""

import os

import pytest

from local.demo import gallery


def sign_in(page, user, by):
    page.goto(f"{gallery.ORIGIN}/")
    page.get_by_label(f"signed {by}").check()
    page.get_by_role("button", name=f"Sign in as {user}").click()
    page.wait_for_function(
        "document.querySelectorAll('figure[data-state]').length === 8",
    )


class TestGallery:
    @pytest.mark.parametrize("by", ["URLs", "cookies"])
    @pytest.mark.parametrize("user", gallery.USERS)
    def test_pictures(self, page, user, by):
        """
        Each user sees all of his own pictures, and of the other's why he does not.
        """
        sign_in(page, user, by)

        states = {
            part: page.locator(f"#{part} figure").evaluate_all(
                "all => all.map(f => f.dataset.state)"
            )
            for part in ("own", "others")
        }
        assert states == {"own": ["shown"] * 4, "others": ["refused"] * 4}
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{user}-{by}.png", full_page=True)
