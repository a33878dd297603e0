"""What frontend/README.md shows works as it stands there."""

import os
import re
from pathlib import Path

import pytest

from local.demo import gallery

README = Path(__file__).parents[2] / "frontend" / "README.md"
# hls.js is nobody's dependency here: `npm pack hls.js`, and name its dist/hls.mjs.
HLS_JS = os.environ.get("HLS_JS", "")
HOUR_S = 3_600


def shown(*, under):
    """Read the script below a heading; the first one is below the title."""
    sections = re.split(r"^#+ ", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = next(part for part in sections if part.startswith(f"{under}\n"))
    return section.split("```js\n")[1].split("```")[0]


TEN_LINES = shown(under="The browser's side")
MAKE_ACCESS = TEN_LINES[: TEN_LINES.index("const pictures")]
SIGN_IN = f"""
const auth = {{
  accessToken: async () => (await (await fetch("{gallery.ISSUER}/token?user=ada")).json()).token,
}};
"""


@pytest.fixture
def run(page, site):
    """Open a page of the site that has this in its body, and wait for its last line."""

    def run(script, body="", imports=""):
        # An import stands where it likes in a module, so the sign-in may come first.
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        html = (
            f"<!doctype html><title>A recipe</title><link rel=icon href='data:,'>{body}"
            f"<script type=module>{imports}{SIGN_IN}{script}\nwindow.isDone = true;</script>"
        )
        site.put("recipe.html", html.encode(), content_type="text/html", bucket="pages")
        page.goto(f"{gallery.ORIGIN}/recipe.html")
        page.wait_for_function("window.isDone")
        return page

    return run


class TestTenLines:
    def test_open(self, run, site):
        """
        They show the pictures that a page names, and read a private file.
        """
        site.put("users/ada/report.json", b'{"tide": 3}', content_type="application/json")
        names = [f"https://{gallery.MEDIA}/users/ada/{name}.svg" for name in ("dawn", "dusk")]
        images = "".join(f"<img data-src='{name}'>" for name in names)

        page = run(f"{TEN_LINES}\nwindow.report = report;", images)

        widths = page.evaluate("[...document.images].map(image => image.naturalWidth > 0)")
        assert widths == [True, True]
        assert page.evaluate("report") == {"tide": 3}

    def test_first_page(self):
        """
        The project's own README shows the same ten lines.
        """
        assert f"```js\n{TEN_LINES}```" in (README.parents[1] / "README.md").read_text()


class TestCookies:
    def test_open(self, run, site):
        """
        With cookies an image opens by its plain URL.
        """
        site.put(
            "users/ada/cover.svg",
            b'<svg xmlns="http://www.w3.org/2000/svg" width="7" height="5"/>',
            content_type="image/svg+xml",
        )

        page = run(MAKE_ACCESS + shown(under="Cookies"), "<img id=cover>")

        page.wait_for_function("document.images[0].complete")
        image = page.evaluate("[document.images[0].src, document.images[0].naturalWidth]")
        assert image == [f"https://{gallery.MEDIA}/users/ada/cover.svg", 7]


@pytest.mark.skipif(not HLS_JS, reason="hls.js is not here (HLS_JS names its hls.mjs)")
class TestHls:
    @pytest.fixture
    def stream(self, site):
        """
        A private stream of two segments that no player could show, but load.
        """
        folder, kind = "users/ada/stream", "application/vnd.apple.mpegurl"
        levels = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nlow/index.m3u8\n"
        segments = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n" + "".join(
            f"#EXTINF:9,\n{number}.ts\n" for number in range(2)
        )
        site.put(f"{folder}/main.m3u8", levels.encode(), content_type=kind)
        site.put(
            f"{folder}/low/index.m3u8", f"{segments}#EXT-X-ENDLIST\n".encode(), content_type=kind
        )
        for number in range(2):
            site.put(f"{folder}/low/{number}.ts", bytes(1880), content_type="video/mp2t")
        site.put(
            "hls.mjs", Path(HLS_JS).read_bytes(), content_type="text/javascript", bucket="pages"
        )

    # What the player loads, and what fails.
    AFTER = """
Object.assign(window, { hls, player_events: [] });
hls.on(Hls.Events.LEVEL_LOADED, () => player_events.push("playlist"));
hls.on(Hls.Events.FRAG_LOADED, () => player_events.push("segment"));
hls.on(Hls.Events.ERROR, (_, { details, response }) =>
  player_events.push(`${details} ${response?.code}`),
);
"""

    @pytest.fixture
    def playing(self, run, stream):
        script = MAKE_ACCESS + shown(under="hls.js") + self.AFTER
        return run(script, "<video muted></video>", 'import Hls from "/hls.mjs";')

    def test_load(self, playing):
        """
        A player loads playlists and segments, all by one signature.
        """
        playing.evaluate("hls.attachMedia(document.querySelector('video'))")
        playing.wait_for_function("player_events.includes('segment')")

        assert playing.evaluate("player_events[0]") == "playlist"

    def test_refused(self, playing, site):
        """
        What is refused after it has run out is loaded again with another signature.
        """
        playing.wait_for_function("player_events.includes('playlist')")
        site.world.virtual_time.advance(HOUR_S + 60)
        playing.evaluate(
            "player_events.length = 0; hls.attachMedia(document.querySelector('video'))"
        )
        playing.wait_for_function("player_events.includes('segment')")
        assert playing.evaluate("player_events[0]") == "fragLoadError 0"

        # Sooner than after 5 seconds nothing is signed anew.
        playing.wait_for_timeout(5_100)
        site.world.virtual_time.advance(HOUR_S + 60)
        playing.evaluate("player_events.length = 0; hls.loadSource(hls.url)")
        playing.wait_for_function("player_events.includes('playlist')")
