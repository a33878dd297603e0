"""A URL is written as browsers send it, or refused."""

import re

import ada_url
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cdn.cloudfront import paths
from cdn.errors import UrlError
from cdn.signing import urls

HOST = "https://d1.cloudfront.net"


class TestEncode:
    @pytest.mark.parametrize(
        ("url", "sent"),
        [
            (f"{HOST}/a.jpg", f"{HOST}/a.jpg"),
            (f"{HOST}/a b.jpg", f"{HOST}/a%20b.jpg"),
            (f"{HOST}/übung/漢.jpg", f"{HOST}/%C3%BCbung/%E6%BC%A2.jpg"),
            (f"{HOST}/50%25/%c3%bc", f"{HOST}/50%25/%c3%bc"),
            (f'{HOST}/"<>`{{}}^\\[]|', f"{HOST}/%22%3C%3E%60%7B%7D%5E%5C%5B%5D%7C"),
            (f"{HOST}/it's?q=it's", f"{HOST}/it's?q=it%27s"),
            (f"{HOST}/!$&'()*+,:;=@~", f"{HOST}/!$&'()*+,:;=@~"),
            (f"{HOST}/.well-known/x", f"{HOST}/.well-known/x"),
            (f"{HOST}/a?x=ü y", f"{HOST}/a?x=%C3%BC%20y"),
            (f"{HOST}/a?", f"{HOST}/a"),
            (HOST, f"{HOST}/"),
            (f"{HOST}?a=1", f"{HOST}/?a=1"),
            ("HTTPS://D1.CloudFront.net/A", f"{HOST}/A"),
            (f"{HOST}:443/a", f"{HOST}/a"),
            ("http://site.localhost:8080/a", "http://site.localhost:8080/a"),
            ("http://site.localhost:080/a", "http://site.localhost/a"),
        ],
    )
    def test_as_sent(self, url, sent):
        """
        What browsers would rewrite is written as they would.
        """
        assert sent == urls.encode(url)

    @pytest.mark.parametrize(
        ("url", "part"),
        [
            ("ftp://d1.cloudfront.net/a", "scheme"),
            ("//d1.cloudfront.net/a", "scheme"),
            ("d1.cloudfront.net/a", "scheme"),
            ("javascript:alert(1)", "scheme"),
            ("", "scheme"),
            ("https://me@d1.cloudfront.net/a", "userinfo"),
            ("https://me:secret@d1.cloudfront.net/a", "userinfo"),
            ("https://d1.cloudfront.net\\@evil.example/a", "userinfo"),
            ("https:///a", "host"),
            ("https://d1..cloudfront.net/a", "host"),
            ("https://[::1]/a", "host"),
            ("https://d1.cloudfront.net%2F/a", "host"),
            ("https://d1.cloudfront.nеt/a", "host"),  # noqa: RUF001  # Cyrillic
            ("https://*.cloudfront.net/a", "host"),
            (f"{HOST}:/a", "port"),
            (f"{HOST}:0/a", "port"),
            (f"{HOST}:65536/a", "port"),
            (f"{HOST}:80x/a", "port"),
            (f"{HOST}/a/../b", "path"),
            (f"{HOST}/a/%2e%2E/b", "path"),
            (f"{HOST}/a/.%2e", "path"),
            (f"{HOST}/./b", "path"),
            (f"{HOST}/a\\..\\b", "path"),
            (f"{HOST}/50%", "path"),
            (f"{HOST}/50%zz", "path"),
            (f"{HOST}/a?x=50%", "query"),
            (f"{HOST}/a#top", "fragment"),
            (f"{HOST}#top", "fragment"),
            (f"{HOST}/a?x=1#top", "fragment"),
            (f"{HOST}/a\r\nSet-Cookie: b=c", "character"),
            (f"{HOST}/a\0", "character"),
            (f"{HOST}/a\t", "character"),
            (f"{HOST}/\ud800", "character"),
            *((f"{HOST}/a?{name}=1", "query") for name in urls.PARAMETERS),
            (f"{HOST}/a?b=1&Policy", "query"),
            (f"{HOST}/a?%45xpires=1", "query"),
        ],
    )
    def test_refused(self, url, part):
        """
        What has no one way of being sent is refused, and the part named that is wrong.
        """
        with pytest.raises(UrlError) as refusal:
            urls.encode(url)

        assert part == refusal.value.what

    @given(st.text(min_size=1), st.text())
    def test_browsers_agree(self, path, query):
        """
        A browser sends whatever comes out exactly as it came out.
        """
        try:
            sent = urls.encode(f"{HOST}/{path}?{query}")
        except UrlError:
            return

        assert sent == ada_url.URL(sent).href

    @given(st.text("ab/.%2eE?&=*'[~é PKpires-", max_size=12))
    def test_twice(self, tail):
        """
        What was written once is not rewritten when it is written again.
        """
        try:
            sent = urls.encode(f"{HOST}/{tail}")
        except UrlError:
            return

        assert sent == urls.encode(sent)

    @given(st.text("ab/.%2eE?&=*'[~#\\PK:@", max_size=12))
    def test_shortcut(self, tail):
        """
        The shortcut for URLs that are ready lets nothing through that a closer look refuses.
        """
        ready = f"{HOST}/{tail}"
        # A host in capitals takes the longer way, to the same URL.
        other_way = ready.replace("d1.", "D1.")

        def written(url):
            try:
                return urls.encode(url)
            except UrlError as refusal:
                return refusal.what

        assert written(other_way) == written(ready)

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    def test_invalidated_alike(self, key):
        """
        The path of a signed URL is the one that an invalidation of its object names.

        Only the apostrophe, which browsers send as it is, has to be encoded there.
        """
        link = key.replace("%", "%25").replace("#", "%23").replace("?", "%3F")
        assume(not set(re.split(r"[/\\]", key)) & {".", ".."})
        assume(not any(character < " " or character == "\x7f" for character in key))

        named = paths.of_key(key).replace("%27", "'")
        assert f"{HOST}{named}" == urls.encode(f"{HOST}/{link}")


class TestSplit:
    @pytest.mark.parametrize(
        ("url", "sections"),
        [
            (f"{HOST}/a/b?c=1?d", ("https", "d1.cloudfront.net", "/a/b", "c=1?d")),
            (HOST, ("https", "d1.cloudfront.net", "", "")),
            ("http://h:8080/?u=https://x/", ("http", "h:8080", "/", "u=https://x/")),
        ],
    )
    def test_sections(self, url, sections):
        """
        The first `://`, `/` and `?` divide a URL, and none that come later.
        """
        assert sections == tuple(urls.split(url).values())
