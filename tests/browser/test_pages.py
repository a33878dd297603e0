"""The demo's claim about browsers."""

import pytest

from local.demo import browser, pages
from local.demo.claims import Claims
from local.demo.narration import Narrator

CLAIM = "browser-opens-gallery"


@pytest.fixture
def claims():
    return Claims(Narrator.silent())


class TestPlay:
    def test_held(self, claims):
        """
        Where there is a browser, the claim is tested with it, and holds.
        """
        try:
            browser.find()
        except browser.NoBrowserError as missing:
            pytest.skip(str(missing))

        pages.play(claims.narrator, claims)

        assert claims.results == {CLAIM: "held"}

    def test_skipped(self, claims, monkeypatch):
        """
        Where there is none, the claim is skipped.
        """
        monkeypatch.setenv("PATH", "")

        pages.play(claims.narrator, claims)

        assert claims.results == {CLAIM: "skipped"}
