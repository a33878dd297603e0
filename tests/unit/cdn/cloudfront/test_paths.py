"""The path of a key is the one that CloudFront matches with what browsers send."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.cloudfront import paths


class TestOfKey:
    @pytest.mark.parametrize(
        ("key", "path"),
        [
            ("index.html", "/index.html"),
            ("a b.css", "/a%20b.css"),
            ("a+b&c=d,e@f;g:h$i!j'(k).css", "/a+b&c=d,e@f;g:h$i!j%27(k).css"),
            ("50%.html", "/50%25.html"),
            ("#1?.html", "/%231%3F.html"),
            ("ü/漢.html", "/%C3%BC/%E6%BC%A2.html"),
            ('"<>`{}^\\[]|', "/%22%3C%3E%60%7B%7D%5E%5C%5B%5D%7C"),
            ("/doubled//slash", "//doubled//slash"),
        ],
    )
    def test_as_cloudfront_wants_it(self, key, path):
        """
        What RFC 1738 calls unsafe is encoded, and the apostrophe, and nothing else.
        """
        assert path == paths.of_key(key)

    @given(st.text(min_size=1))
    def test_round_trip(self, key):
        """
        Decoded, every form of a key's path is the key.
        """
        assert {unquote(path) for path in paths.forms(key, both=True)} == {f"/{key}"}


class TestWhyNot:
    def test_tilde(self):
        """
        A path with ~ is refused, since CloudFront would quietly not invalidate it.
        """
        assert paths.why_not("/~user/") == "CloudFront invalidates no path with ~"

    def test_length(self):
        """
        A path may have 4,000 characters and not one more.
        """
        assert paths.why_not("/" + "a" * 3_999) is None
        assert paths.why_not("/" + "a" * 4_000) == "the path is longer than 4000 characters"
