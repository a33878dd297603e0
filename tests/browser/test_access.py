"""The browser's module in a real browser, against the endpoint and the edge."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from local.demo import gallery
from local.loopback import Request

MEDIA = f"https://{gallery.MEDIA}"
OWN = f"{MEDIA}/users/ada"
OTHERS = f"{MEDIA}/users/ben"
FRONTEND = Path(__file__).parents[2] / "frontend"
HOUR_S = 3_600
MINUTE_S = 60


@pytest.fixture(params=["itself", "behavior"])
def api(request, site):
    """The endpoint at its own host, and as a behavior of the distribution of the media."""
    return f"https://{site.api_host}" if request.param == "itself" else MEDIA


@pytest.fixture
def visit(page):
    """Open a page of the site's own origin, as one of the users."""

    def visit(user="ada", api=MEDIA):
        page.goto(f"{gallery.ORIGIN}/harness.html")
        page.wait_for_function("window.isReady")
        page.evaluate("([api, viewer]) => begin(api, viewer)", [api, {"user": user}])
        return page

    return visit


@pytest.fixture
def requests(page):
    """Record what the browser requests of the media's host, as path and parameters."""
    requests = []

    def record(request):
        parts = urlsplit(request.url)
        if parts.netloc == gallery.MEDIA and request.method == "GET":
            requests.append((parts.path, parse_qs(parts.query)))

    page.on("request", record)
    return requests


def open_url(page, url):
    return page.evaluate("url => openUrl(url)", url)


def open_all(page, urls):
    statuses = page.evaluate("urls => Promise.all(urls.map(openUrl))", urls)
    return [status for status, _ in statuses]


def show(page, url):
    return page.evaluate("url => showImage(url)", url)


def posts(page):
    return page.evaluate("posts")


def refreshes(page):
    return [post.get("refresh", False) for post in posts(page)]


class TestUrls:
    def test_own(self, visit, api):
        """
        A user opens his own file, by fetch and in an image, wherever the endpoint is.
        """
        page = visit(api=api)

        status, text = open_url(page, f"{OWN}/dawn.svg")

        assert (status, text[:4]) == (200, "<svg")
        assert show(page, f"{OWN}/dawn.svg") is True
        assert len(posts(page)) == 1

    def test_others(self, visit, api, requests):
        """
        Another's file is refused with the reason, before anything is requested of CloudFront.
        """
        page = visit(api=api)

        refused = {"name": "SignedAccessError", "status": 403, "reason": "path_not_granted"}
        assert open_url(page, f"{OTHERS}/dawn.svg") == refused
        assert show(page, f"{OTHERS}/dawn.svg") == refused
        assert requests == []

    def test_unsigned(self, visit):
        """
        Without a signature nothing opens, and a page cannot tell why.
        """
        page = visit()

        error = page.evaluate("url => fetch(url).catch(error => error.name)", f"{OWN}/dawn.svg")

        assert error == "TypeError"

    def test_folder(self, visit, requests):
        """
        One signature opens a playlist and all segments of its folder.
        """
        page = visit()
        page.evaluate("folder => access.folder(folder)", f"{OWN}/film/*")

        names = ["film.m3u8", *(f"{frame:03}.svg" for frame in range(gallery.FRAMES))]

        assert set(open_all(page, [f"{OWN}/film/{name}" for name in names])) == {200}
        assert posts(page) == [{"urls": [f"{OWN}/film/*"]}]
        assert len({query["Signature"][0] for _, query in requests}) == 1

    def test_range(self, visit):
        """
        A signed URL gives parts as well.
        """
        page = visit()

        part = page.evaluate(
            "async url => {"
            "  const response = await access.fetch(url, { headers: { range: 'bytes=0-3' } });"
            "  return [response.status, await response.text()];"
            "}",
            f"{OWN}/tune.wav",
        )

        assert part == [206, "RIFF"]


class TestOrigins:
    def test_other(self, context, site, api):
        """
        Pages of an origin that is not allowed read neither the endpoint's responses nor the files.
        """
        served = {"/": FRONTEND.parent / "tests/browser/harness.html"}
        context.route(
            "https://evil.example.org/**",
            lambda route: route.fulfill(
                path=served.get(urlsplit(route.request.url).path, FRONTEND / "signed-access.js")
            ),
        )
        page = context.new_page()
        page.goto("https://evil.example.org/")
        page.wait_for_function("window.isReady")
        page.evaluate("([api, viewer]) => begin(api, viewer)", [api, {"token": site.token("ada")}])

        refused = open_url(page, f"{OWN}/dawn.svg")
        opened = direct(site, "/signed-urls", {"urls": [f"{OWN}/dawn.svg"]})["signed"][0]["url"]
        read = page.evaluate("url => fetch(url).catch(error => error.name)", opened)

        assert refused == {"name": "SignedAccessError", "status": 0, "reason": None}
        assert read == "TypeError"

    def test_token(self, visit):
        """
        A token that is refused gives a response that a page cannot read, and the error says so.
        """
        page = visit()
        page.evaluate("api => begin(api, { token: 'none' })", MEDIA)

        message = page.evaluate("url => access.url(url).catch(error => error.message)", OWN)

        assert "took no such token" in message


def direct(site, target, body):
    """Ask the endpoint without a browser."""
    response = site.world.apis.handle(
        Request(
            method="POST",
            target=target,
            headers=[
                ("authorization", f"Bearer {site.token('ada')}"),
                ("content-type", "application/json"),
            ],
            body=json.dumps(body).encode(),
        ),
        host=site.api_host,
    )
    return json.loads(response.body)


class TestCookies:
    @pytest.fixture
    def entered(self, visit):
        """A page whose user has cookies for his folder."""
        page = visit()
        page.evaluate("folder => access.cookies([folder])", f"{OWN}/*")
        return page

    def test_open(self, entered, requests):
        """
        Cookies open a folder to fetch and to plain images, with plain URLs.
        """
        assert open_url(entered, f"{OWN}/dawn.svg")[0] == 200
        assert show(entered, f"{OWN}/dusk.svg") is True
        plain = (
            "url => { const i = new Image(); i.src = url; return i.decode().then(() => i.width) }"
        )
        assert entered.evaluate(plain, f"{OWN}/night.svg") > 0
        assert [query for _, query in requests] == [{}, {}, {}]
        assert posts(entered) == [{"url_patterns": [f"{OWN}/*"]}]

    def test_attributes(self, entered, context):
        """
        They are for the folder and its host alone, hidden from scripts, and of this site alone.
        """
        cookies = context.cookies()

        assert {cookie["name"] for cookie in cookies} == {
            "CloudFront-Policy",
            "CloudFront-Signature",
            "CloudFront-Key-Pair-Id",
            "CloudFront-Hash-Algorithm",
        }
        for cookie in cookies:
            assert (cookie["domain"], cookie["path"]) == (gallery.MEDIA, "/users/ada/")
            assert cookie["secure"]
            assert cookie["httpOnly"]
            assert cookie["sameSite"] == "None"
            assert cookie["partitionKey"] == "https://example.org"

    def test_other_path(self, entered):
        """
        On another path they are not sent, and nothing opens.
        """
        plain = "url => fetch(url, { credentials: 'include' }).catch(error => error.name)"

        assert entered.evaluate(plain, f"{OTHERS}/dawn.svg") == "TypeError"

    def test_other_site(self, entered, context):
        """
        What a page of another site shows does not open with them.
        """
        context.route(
            "https://other.example.net/", lambda route: route.fulfill(body="<!doctype html>")
        )
        other = context.new_page()
        other.goto("https://other.example.net/")
        image = (
            "url => { const i = new Image(); i.src = url; return i.decode().catch(e => e.name) }"
        )

        assert other.evaluate(image, f"{OWN}/dawn.svg") == "EncodingError"

    def test_cleared(self, entered, context):
        """
        Signing out leaves none, and nothing opens any more.
        """
        entered.evaluate("access.clear()")

        plain = "url => fetch(url, { credentials: 'include' }).catch(error => error.name)"
        assert context.cookies() == []
        assert entered.evaluate(plain, f"{OWN}/dusk.svg") == "TypeError"


BY = {
    "urls": "undefined",
    "folder": f"access.folder('{OWN}/*')",
    "cookies": f"access.cookies(['{OWN}/*'])",
}


@pytest.fixture(params=BY)
def opened(request, visit):
    """A page that has some files open, by each of the ways."""
    page = visit()
    # Where files have no max-age, Chromium keeps each for a tenth of its age: it would open some
    # without asking anybody.
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.evaluate(BY[request.param])
    assert open_all(page, FILES[:4]) == [200] * 4
    return page


FILES = [f"{OWN}/film/{frame:03}.svg" for frame in range(gallery.FRAMES)]


class TestExpiry:
    def test_while_open(self, opened, site):
        """
        When everything has run out while the page slept, one more request opens it again.
        """
        site.world.virtual_time.advance(HOUR_S + MINUTE_S)

        assert open_url(opened, FILES[0])[0] == 200
        assert open_all(opened, FILES[:4]) == [200] * 4
        assert refreshes(opened) == [False, True]

    def test_images(self, opened, site):
        """
        So it is for images.
        """
        site.world.virtual_time.advance(HOUR_S + MINUTE_S)

        assert show(opened, FILES[1]) is True
        assert refreshes(opened) == [False, True]

    def test_together(self, opened, site):
        """
        However many requests find it out at once, they share one refresh.
        """
        open_all(opened, FILES)
        before = len(posts(opened))
        site.world.virtual_time.advance(HOUR_S + MINUTE_S)

        assert open_all(opened, FILES) == [200] * gallery.FRAMES
        assert refreshes(opened)[before:] == [True]

    def test_media(self, visit, site, requests):
        """
        A recording that is longer than its URL lives goes on where it was.
        """
        site.put("users/ada/long.wav", wav(minutes=10), content_type="audio/wav")
        page = visit()
        page.evaluate(
            "async url => {"
            "  window.sound = document.body.appendChild(new Audio());"
            "  sound.controls = true;"
            "  await access.show(sound, url);"
            "}",
            f"{OWN}/long.wav",
        )
        site.world.virtual_time.advance(HOUR_S + MINUTE_S)

        page.evaluate("() => { sound.currentTime = 500 }")
        page.wait_for_function("posts.length === 2 && sound.readyState >= 2 && !sound.seeking")

        assert page.evaluate("sound.currentTime") == 500
        assert refreshes(page) == [False, True]
        assert len({query["Expires"][0] for _, query in requests}) == 2


def wav(*, minutes):
    """Record silence, of 88 kB a second."""
    silence = bytes(88_200 * 60 * minutes)
    form = b"fmt " + b"".join(
        n.to_bytes(size, "little")
        for n, size in ((16, 4), (1, 2), (1, 2), (44_100, 4), (88_200, 4), (2, 2), (16, 2))
    )
    data = b"data" + len(silence).to_bytes(4, "little")
    return b"RIFF" + (36 + len(silence)).to_bytes(4, "little") + b"WAVE" + form + data + silence


class TestRotation:
    @pytest.fixture
    def rotated(self, site, opened):
        """
        Put a new key in the place of the old one, while the endpoint still has the old one.
        """
        key = site.publish_key()
        site.trust([key[0]])
        body = {"urls": [f"{OWN}/dawn.svg"]}
        direct(site, "/signed-urls", body)
        site.sign_with(*key)
        site.world.virtual_time.advance(6)
        url = direct(site, "/signed-urls", body)["signed"][0]["url"]
        assert f"Key-Pair-Id={key[0]}" not in url
        yield
        # By itself the endpoint would have read its key by then.
        site.world.virtual_time.advance(MINUTE_S)

    def test_while_open(self, opened, rotated, requests):
        """
        When the key that signed is gone, one refresh brings what the new one signs.
        """
        assert open_url(opened, FILES[0])[0] == 200
        assert open_all(opened, FILES[:4]) == [200] * 4
        assert refreshes(opened) == [False, True]

    def test_images(self, opened, rotated):
        """
        So it is for images.
        """
        assert show(opened, FILES[1]) is True
        assert refreshes(opened) == [False, True]


class TestRefused:
    @pytest.fixture
    def distrusted(self, site):
        """Let the edge trust a key that nobody has; afterwards all is well again."""
        yield lambda: site.trust([site.publish_key()[0]])
        site.rotate()

    def test_no_loop(self, opened, distrusted, requests):
        """
        What is really refused is requested twice, and no more.
        """
        distrusted()
        requests.clear()

        error = open_url(opened, FILES[0])
        request_count = len(requests)
        opened.wait_for_timeout(1_000)

        assert error["name"] == "TypeError"
        assert (request_count, len(requests)) == (2, 2)
        assert refreshes(opened) == [False, True]

    def test_image(self, opened, distrusted, requests):
        """
        So it is for images.
        """
        distrusted()
        requests.clear()

        error = show(opened, FILES[1])
        opened.wait_for_timeout(1_000)

        assert error["name"] == "SignedAccessError"
        assert len(requests) == 2
        assert refreshes(opened) == [False, True]
