"""A template gives each user a path of their own, and no claim leads out of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.access import path_templates, url_patterns
from cdn.errors import UrlPatternError

OWN = path_templates.read("https://{host}/users/{sub}/*")


SUBS = st.text("ab.-_@=+", min_size=1, max_size=3).filter(lambda sub: sub not in {".", ".."})


class TestWhyNot:
    @pytest.mark.parametrize(
        "text",
        [
            "https://{host}/*",
            "https://{host}/",
            "https://{host}/films/intro.mp4",
            "https://{host}/films/",
            "https://{host}/users/{sub}/*",
            "https://{host}/users/{sub}",
            "https://{host}/{custom:tenant}/{sub}/*",
            "https://{host}/u-{sub}-files/*",
            "https://{host}/{https://example.com/tenant}/*",
            "https://{host}/mein Übung, 100;a=b/*",
            "https://{host}/.well-known/..a/...b/*",
        ],
    )
    def test_template(self, text):
        """
        Literals, one claim a segment and a last star alone in its own make a template.
        """
        assert path_templates.why_not(text) is None

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", "start with https://"),
            ("/users/{sub}/*", "start with https://"),
            ("http://{host}/users/*", "start with https://"),
            ("https://media.example.com/users/*", "start with https://"),
            ("https://{host}", "start with https://"),
            ("https://{host}.example.com/*", "start with https://"),
            ("https://{host}:443/*", "start with https://"),
            ("https://{tenant}.example.com/*", "start with https://"),
            ("https://{host}/users/{sub}*", "have no * but"),
            ("https://{host}/users*", "have no * but"),
            ("https://{host}/*/a", "have no * but"),
            ("https://{host}/**", "have no * but"),
            ("https://{host}/a?size=*", "have no * but"),
            ("https://{host}/a?", "have neither"),
            ("https://{host}/a#b", "have neither"),
            ("https://{host}/a%20b/*", "without %"),
            ("https://{host}/{sub}{tenant}/*", "one claim"),
            ("https://{host}/{tenant}-{sub}/*", "one claim"),
            ("https://{host}//users/*", "no empty part"),
            ("https://{host}/users//*", "no empty part"),
            ("https://{host}/users/../*", "no empty part"),
            ("https://{host}/./*", "no empty part"),
            ("https://{host}/..", "no empty part"),
            ("https://{host}/..;a/*", "no empty part"),
            ("https://{host}/\uff0e\uff0e/*", "no empty part"),
            ("https://{host}/{host}/*", "be such as"),
            ("https://{host}/{}/*", "be such as"),
            ("https://{host}/{sub/*", "be such as"),
            ("https://{host}/sub}/*", "be such as"),
            ("https://{host}/{{sub}}/*", "be such as"),
            ("https://{host}/{a b}/*", "be such as"),
            ("https://{host}/a\\b/*", "be such as"),
            ("https://{host}/a\uff0fb/*", "be such as"),
            ("https://{host}/a\n/*", "be such as"),
            ("https://{host}/*\n", "be such as"),
        ],
    )
    def test_none(self, text, expected):
        """
        What is no template is refused with what would make it one.
        """
        why = path_templates.why_not(text)

        assert expected in (why or "")


class TestUnusable:
    @pytest.mark.parametrize(
        "value",
        ["42", "a.b_c@d=e+f-g", "...", ".a", "-", "A" * 128],
    )
    def test_usable(self, value):
        """
        Letters, digits and ._@=+- are filled in, 128 of them at most.
        """
        assert OWN.unusable({"sub": value}) is None

    @pytest.mark.parametrize(
        "value",
        [
            *("", ".", "..", "a/b", "../43", "*", "?", "4?", "a\\b", "%2e%2e", "a%2fb", "{sub}"),
            *("42\n", "42 ", "\x00", "a;b", "a#b", "ü", "\u0664\u0662", "\uff0e\uff0e", "A" * 129),
            *(42, 4.2, True, None, ["42"], [], {"sub": "42"}),
        ],
    )
    def test_unusable(self, value):
        """
        Any other claim is filled in nowhere, whatever might be made of it.
        """
        assert OWN.unusable({"sub": value}) == "sub"
        assert not OWN.covers(url_patterns.read("https://a.example/users/42/a"), {"sub": value})

    def test_missing(self):
        """
        A claim that the token lacks cannot be filled in, and the first such one is named.
        """
        template = path_templates.read("https://{host}/{custom:tenant}/{sub}/*")

        assert template.unusable({"sub": "42"}) == "custom:tenant"
        assert template.unusable({"custom:tenant": "t"}) == "sub"


class TestCovers:
    @pytest.mark.parametrize(
        ("template", "path", "covered"),
        [
            ("/users/{sub}/*", "/users/42/", True),
            ("/users/{sub}/*", "/users/42/a/b.jpg?x=1", True),
            ("/users/{sub}/*", "/users/%34%32/a", True),
            ("/users/{sub}/*", "/users/42/*", True),
            ("/users/{sub}/*", "/users/42/a/*", True),
            ("/users/{sub}/*", "/users/42", False),
            ("/users/{sub}/*", "/users/42%2A", False),
            ("/users/{sub}/*", "/users/*", False),
            ("/users/{sub}/*", "/*", False),
            ("/users/{sub}/*", "/users/420/a", False),
            ("/users/{sub}/*", "/users/4/a", False),
            ("/users/{sub}/*", "/Users/42/a", False),
            ("/users/{sub}/*", "/a/users/42/a", False),
            ("/users/{sub}", "/users/42", True),
            ("/users/{sub}", "/users/42/", False),
            ("/users/{sub}", "/users/42/*", False),
            ("/users/", "/users/", True),
            ("/users/", "/users/*", False),
            ("/u-{sub}-f/*", "/u-42-f/a", True),
            ("/u-{sub}-f/*", "/u-42-g/a", False),
            ("/mein Übung/*", "/mein%20%C3%9Cbung/a", True),
            ("/mein Übung/*", "/mein%20U%CC%88bung/a", False),
            ("/a.b/*", "/axb/a", False),
        ],
    )
    def test_paths(self, template, path, covered):
        """
        A path is covered when it starts with the filled template, or is it; a wildcard, as a whole.
        """
        url_pattern = url_patterns.read(f"https://media.example.com{path}")

        assert (
            path_templates.read(f"https://{{host}}{template}").covers(url_pattern, {"sub": "42"})
            == covered
        )

    @given(
        one=SUBS,
        other=SUBS,
        form=st.sampled_from(["{sub}/*", "x{sub}/*", "{sub}x/*", "a/{sub}-/*", "{sub}"]),
    )
    def test_apart(self, one, other, form):
        """
        What is one user's by a template is no other user's by the same.
        """
        template = path_templates.read(f"https://{{host}}/{form}")
        path = form.replace("{sub}", one).replace("*", "f")
        try:
            url_pattern = url_patterns.read(f"https://media.example.com/{path}")
        except UrlPatternError:
            return

        assert template.covers(url_pattern, {"sub": other}) == (one == other)
