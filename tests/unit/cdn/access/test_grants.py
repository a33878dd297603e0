"""Nothing is opened but what the document says, for the claims that it says, whatever is asked."""

from urllib.parse import unquote

import ada_url
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdn.access import grants
from cdn.access.grants import Allow, Deny, Grants
from tests.unit.cdn.access.documents import (
    ANNA,
    EDITOR,
    HOST,
    HOUSE,
    HOUSE_ENTRIES,
    ID,
    OWN,
    PAYER,
    decide,
    grant,
    outcome,
    parsed,
)


class TestTruth:
    @pytest.mark.parametrize(
        ("claims", "path", "method", "said"),
        [
            (ANNA, "/users/42/a.jpg", "url", "own"),
            (ANNA, "/users/42/a.jpg?size=2", "url", "own"),
            (ANNA, "/users/42/a.jpg", "cookies", "own"),
            (ANNA, "/users/42/*", "url", "own"),
            (ANNA, "/users/42/*", "cookies", "own"),
            (ANNA, "/users/42/album/*", "cookies", "own"),
            (ANNA, "/users/43/a.jpg", "url", "path_not_granted"),
            (ANNA, "/users/43/*", "cookies", "path_not_granted"),
            (ANNA, "/users/*", "cookies", "path_not_granted"),
            (ANNA, "/*", "cookies", "path_not_granted"),
            (ANNA, "/films/*", "cookies", "path_not_granted"),
            (ANNA, "https://d111111abcdef8.cloudfront.net/users/42/a", "url", "host_not_granted"),
            (EDITOR, "/films/*", "cookies", "films"),
            (EDITOR, "/films/1/part-1.ts", "cookies", "films"),
            (EDITOR, "/films/1/part-1.ts", "url", "method_not_granted"),
            (EDITOR, "/trailer.mp4", "cookies", "films"),
            (EDITOR, "/trailer.mp4/*", "cookies", "path_not_granted"),
            (EDITOR, "https://d111111abcdef8.cloudfront.net/films/*", "cookies", "films"),
            (EDITOR, "https://d111111abcdef8.cloudfront.net/users/42/*", "url", "path_not_granted"),
            (EDITOR, "/users/42/a.jpg", "url", "own"),
            (PAYER, "/invoices/acme/42/1.pdf", "url", "invoices"),
            (PAYER, "/invoices/acme/42/1.pdf", "cookies", "method_not_granted"),
            (PAYER, "/invoices/acme/43/1.pdf", "url", "path_not_granted"),
            (PAYER, "/invoices/umbrella/42/1.pdf", "url", "path_not_granted"),
            (PAYER | {"client_id": "cli"}, "/invoices/acme/42/1", "url", "path_not_granted"),
            (PAYER | {"custom:tenant": "../x"}, "/invoices/acme/42/1", "url", "claim_unusable"),
            (PAYER | {"custom:tenant": "../x"}, "/users/42/a.jpg", "url", "own"),
            (PAYER | {"custom:tenant": "../x"}, "/films/a.jpg", "url", "path_not_granted"),
            (ID, "/profiles/42.jpg", "url", "profile"),
            (ID, "/profiles/43.jpg", "url", "path_not_granted"),
            (ID, "/users/42/a.jpg", "url", "path_not_granted"),
            (ANNA, "/profiles/42.jpg", "url", "path_not_granted"),
            ({"sub": "42"}, "/users/42/a.jpg", "url", "claims_not_held"),
            ({"token_use": "access"}, "/users/42/a.jpg", "url", "claim_unusable"),
            ({}, "/users/42/a.jpg", "url", "claims_not_held"),
        ],
    )
    def test_said(self, claims, path, method, said):
        """
        Who, what and how must all be in one grant; else the nearest grant's lack is named.
        """
        assert said == outcome(decide(claims, path, method))

    @pytest.mark.parametrize(
        ("wanted", "value", "held"),
        [
            ("web", "web", True),
            ("web", "Web", False),
            ("web", "web ", False),
            ("web", ["web"], False),
            ("web", None, False),
            ("1", 1, False),
            ("true", True, False),
            (["a"], ["a", "b"], True),
            (["a", "b"], ["b", "a", 1, None], True),
            (["a", "b"], ["a"], False),
            (["a"], "a", True),
            (["a"], "a b", False),
            (["a"], "[a b]", False),
            (["a"], "[a]", False),
            (["a"], "ab", False),
            (["a"], {"a": 1}, False),
            (["a"], [["a"]], False),
            (["a"], [], False),
            (["a"], None, False),
        ],
    )
    def test_claims(self, wanted, value, held):
        """
        A text is the claim itself, a list is among the claim's; nothing is converted or cut apart.
        """
        one = parsed(grant(claims={"token_use": "access", "client_id": wanted}))
        decision = decide(ANNA | {"client_id": value}, "/users/42/a", document=one)

        assert ("own" if held else "claims_not_held") == outcome(decision)

    @pytest.mark.parametrize("claim", ["scope", "scp"])
    @pytest.mark.parametrize(
        ("value", "held"),
        [
            ("read write", True),
            ("write openid read", True),
            ("read", False),
            ("readwrite", False),
            ("read\twrite", False),
            ("[read write]", False),
            (["write", "read"], True),
            (["read write"], False),
            ("", False),
            (None, False),
        ],
    )
    def test_scopes(self, claim, value, held):
        """
        Scopes stand in one text with spaces between them, or in a list; all of them are needed.
        """
        one = parsed(grant(claims={claim: ["read", "write"]}))
        decision = decide({"sub": "42", claim: value}, "/users/42/a", document=one)

        assert ("own" if held else "claims_not_held") == outcome(decision)

    @pytest.mark.parametrize(
        ("lifetime_s", "said"),
        [
            (None, "own"),
            (1, "own"),
            (3600, "own"),
            (3601, "lifetime_not_granted"),
            (0, "lifetime_not_granted"),
            (-1, "lifetime_not_granted"),
            (10**30, "lifetime_not_granted"),
        ],
    )
    def test_lifetime(self, lifetime_s, said):
        """
        Nothing opens for longer than granted, or for less than a second.
        """
        assert said == outcome(decide(ANNA, "/users/42/a", lifetime_s=lifetime_s))

    def test_allowed(self):
        """
        What is allowed says all that signing needs: the exact URL, the ceiling, the address.
        """
        assert decide(PAYER, "/invoices/acme/42/ü 1.pdf", lifetime_s=60) == Allow(
            url_pattern=f"{HOST}/invoices/acme/42/%C3%BC%201.pdf",
            max_lifetime_s=300,
            bind_ip=True,
            grant="invoices",
        )

    def test_nothing(self):
        """
        Without a document, nothing is allowed.
        """
        assert outcome(decide(ANNA, "/users/42/a", document=Grants())) == "claims_not_held"

    @given(
        order=st.permutations(
            [
                grant(name="short", max_lifetime_s=60),
                grant(name="bound", max_lifetime_s=600, bind_ip=True),
                grant(name="long", max_lifetime_s=600),
                grant(name="longer-elsewhere", max_lifetime_s=900, access_methods=["cookies"]),
                grant(name="longest-for-others", max_lifetime_s=999, claims={"token_use": "id"}),
            ]
        )
    )
    def test_several(self, order):
        """
        Of several grants the longest counts, of equal ones the unbound, in whatever order.
        """
        assert decide(ANNA, "/users/42/a", document=parsed(*order)).grant == "long"

    def test_twins(self):
        """
        Of grants that differ in name alone, the first is named.
        """
        twins = parsed(grant(name="b"), grant(name="a"))

        assert decide(ANNA, "/users/42/a", document=twins).grant == "b"

    def test_malformed(self):
        """
        A URL at fault is refused with another reason than one that is not granted, whoever asks.
        """
        assert decide({}, "/users/42/../43/a") == Deny(
            "dot_segment", "no part of the path may be . or .., in whatever spelling", True
        )
        assert not decide({}, "/users/43/a").malformed

    def test_says_nothing_of_others(self):
        """
        A refusal is the same whether or not others may open what was asked for.
        """
        without = parsed(grant())

        for path in ["/films/1/part-1.ts", "/trailer.mp4", "/profiles/42.jpg", "/users/43/a"]:
            assert decide(ANNA, path) == decide(ANNA, path, document=without)
        assert decide({}, "/users/42/a") == decide({}, "/a", document=Grants())


LONG = "a" * 8_192
ATTACKS = [
    # Another user's folder, or everybody's.
    ("/users/43/secret.jpg", "path_not_granted"),
    ("/users/420/secret.jpg", "path_not_granted"),
    ("/users/4/secret.jpg", "path_not_granted"),
    ("/users/42.jpg", "path_not_granted"),
    ("/users/42", "path_not_granted"),
    ("/USERS/42/a.jpg", "path_not_granted"),
    ("/users/", "path_not_granted"),
    ("/public/users/42/a.jpg", "path_not_granted"),
    ("/users/%34%33/a.jpg", "path_not_granted"),
    ("/users/{sub}/a.jpg", "path_not_granted"),
    ("/users/42%20/a.jpg", "path_not_granted"),
    # Traversal, raw.
    ("/users/42/../43/secret.jpg", "dot_segment"),
    ("/users/42/./../43/secret.jpg", "dot_segment"),
    ("/users/42/..", "dot_segment"),
    ("/users/42/.", "dot_segment"),
    ("/../users/42/a.jpg", "dot_segment"),
    ("/users/43/../42/a.jpg", "dot_segment"),
    ("/users/42/.../43", "dot_segment"),
    # Traversal, encoded once, twice, wrongly or halfway.
    ("/users/42/%2e%2e/43/secret.jpg", "dot_segment"),
    ("/users/42/%2E./43/secret.jpg", "dot_segment"),
    ("/users/42/.%2e/43/secret.jpg", "dot_segment"),
    ("/users/42/..%2f43/secret.jpg", "encoded_slash"),
    ("/users/42/%2e%2e%2F43/secret.jpg", "encoded_slash"),
    ("/users%2f42%2fa.jpg", "encoded_slash"),
    ("/users/42/%252e%252e/43/secret.jpg", "double_encoding"),
    ("/users/42/%25%32%65%25%32%65/43", "double_encoding"),
    ("/users/42/..%252f43/secret.jpg", "double_encoding"),
    ("/users/42/%25252e%25252e/43", "double_encoding"),
    ("/users/42/%c0%ae%c0%ae/43/secret.jpg", "encoding"),
    ("/users/42/%e0%80%ae%e0%80%ae/43", "encoding"),
    ("/users/42/%u002e%u002e/43/secret.jpg", "encoding"),
    ("/users/42/%2/43", "encoding"),
    ("/users/42/%", "encoding"),
    ("/users/42/%ff", "encoding"),
    ("/users/42/\ud800", "encoding"),
    # What some servers make a traversal of.
    ("/users/42/..;/43/secret.jpg", "dot_segment"),
    ("/users/42/..;a=b/43/secret.jpg", "dot_segment"),
    ("/users/42/..%3b/43/secret.jpg", "dot_segment"),
    ("/users/42/.. /43/secret.jpg", "dot_segment"),
    ("/users/42/..%20/43/secret.jpg", "dot_segment"),
    ("/users/42;/../43", "dot_segment"),
    ("/users/42;43/a.jpg", "path_not_granted"),
    ("/users/42/..\\43\\secret.jpg", "backslash"),
    ("\\users\\42\\a.jpg", "backslash"),
    ("/users/42/..%5c43%5Csecret.jpg", "backslash"),
    ("/users/42/\uff0e\uff0e/43/secret.jpg", "dot_segment"),
    ("/users/42/%EF%BC%8E%EF%BC%8E/43", "dot_segment"),
    ("/users/42/\u2025/43/secret.jpg", "dot_segment"),
    ("/users/42/\u2024\u2024/43/secret.jpg", "dot_segment"),
    ("/users/42/..\uff0f43/secret.jpg", "slash_lookalike"),
    ("/users/42/..%ef%bc%8f43/secret.jpg", "slash_lookalike"),
    ("/users/42/..\u221543/secret.jpg", "slash_lookalike"),
    ("/users/42/..\uff3c43/secret.jpg", "slash_lookalike"),
    ("/users/42/\uff052e\uff052e/43", "double_encoding"),
    # Segments that some merge.
    ("//users/42/a.jpg", "empty_segment"),
    ("/users//42/a.jpg", "empty_segment"),
    ("/users/42//a.jpg", "empty_segment"),
    ("//evil.example/users/42/a.jpg", "empty_segment"),
    # Look-alikes and normalisation forms of the user's own folder.
    ("/users/\uff14\uff12/a.jpg", "path_not_granted"),
    ("/users/\u0664\u0662/a.jpg", "path_not_granted"),
    ("/users/4\u200b2/a.jpg", "path_not_granted"),
    ("/users/4\u03072/a.jpg", "path_not_granted"),
    ("/u\u017fers/42/a.jpg", "path_not_granted"),
    ("/\u202esresu/42/a.jpg", "path_not_granted"),
    # Other hosts.
    ("https://evil.example/users/42/a.jpg", "host_not_granted"),
    ("https://media.example.com.evil.example/users/42/a", "host_not_granted"),
    ("https://evilmedia.example.com/users/42/a.jpg", "host_not_granted"),
    ("https://evil.media.example.com/users/42/a.jpg", "host_not_granted"),
    ("https://example.com/users/42/a.jpg", "host_not_granted"),
    ("https://media-example.com/users/42/a.jpg", "host_not_granted"),
    ("https://media.example.com./users/42/a.jpg", "host"),
    ("https://media..example.com/users/42/a.jpg", "host"),
    ("https://.media.example.com/users/42/a.jpg", "host"),
    ("https://*.example.com/users/42/a.jpg", "host"),
    ("https://med?a.example.com/users/42/a.jpg", "host"),
    ("https://media.example.com;evil.example/users/42/a", "host"),
    ("https://media.example.com evil.example/users/42/a", "host"),
    ("https://media%2eexample.com/users/42/a.jpg", "host"),
    ("https://media.example.com%2fevil.example/users/42", "host"),
    ("https://m\u0435dia.example.com/users/42/a.jpg", "host"),
    ("https://\uff4dedia.example.com/users/42/a.jpg", "host"),
    ("https://media\u3002example.com/users/42/a.jpg", "host"),
    ("https://media.example.\u212aom/users/42/a.jpg", "host"),
    ("https://xn--mdia-wqe.example.com/users/42/a.jpg", "host_not_granted"),
    ("https://media.example.com\u2100.evil.example/a", "host"),
    ("https://127.0.0.1/users/42/a.jpg", "host_not_granted"),
    ("https://[::1]/users/42/a.jpg", "host"),
    ("https://localhost/users/42/a.jpg", "host"),
    ("https:///users/42/a.jpg", "host"),
    ("https:////media.example.com/users/42/a.jpg", "host"),
    # Ports and users.
    ("https://media.example.com:8443/users/42/a.jpg", "port"),
    ("https://media.example.com:443/users/42/a.jpg", "port"),
    ("https://media.example.com:/users/42/a.jpg", "port"),
    ("https://media.example.com:pass@evil.example/users/42", "userinfo"),
    ("https://media.example.com@evil.example/users/42/a", "userinfo"),
    ("https://anna@media.example.com/users/42/a.jpg", "userinfo"),
    ("https://@media.example.com/users/42/a.jpg", "userinfo"),
    ("https://evil.example\\@media.example.com/users/42/a", "backslash"),
    ("https://media.example.com\\.evil.example/users/42", "backslash"),
    ("https://evil.example#@media.example.com/users/42/a", "fragment"),
    # Schemes.
    ("http://media.example.com/users/42/a.jpg", "scheme"),
    ("nttps://media.example.com/users/42/a.jpg", "scheme"),
    ("*://media.example.com/users/42/a.jpg", "scheme"),
    ("javascript://media.example.com/users/42/a.jpg", "scheme"),
    ("://media.example.com/users/42/a.jpg", "scheme"),
    (" https://media.example.com/users/42/a.jpg", "scheme"),
    ("http\uff53://media.example.com/users/42/a.jpg", "scheme"),
    ("view-source:https://media.example.com/users/42/a", "scheme"),
    ("http*://media.example.com/users/42/*", "scheme"),
    # Wildcards, which would sign for more than one URL.
    ("/users/*", "path_not_granted"),
    ("/*", "path_not_granted"),
    ("/users/4*", "wildcard"),
    ("/users/42*", "wildcard"),
    ("/users/*/a.jpg", "wildcard"),
    ("/users/42/*/../../43/*", "wildcard"),
    ("/users/42/**", "wildcard"),
    ("/users/42/*?a=b", "wildcard"),
    ("/users/42/*?", "wildcard"),
    ("/users/42/a.jpg?*", "wildcard"),
    ("/users/42/a.jpg?a=?", "wildcard"),
    ("/users/42/a.jpg??", "wildcard"),
    ("/users/4?/a.jpg", "path_not_granted"),
    ("/users/%2A/a.jpg", "path_not_granted"),
    ("/users/4%3F/a.jpg", "path_not_granted"),
    # Characters that end a line, a text or a URL for someone.
    ("/users/42/a.jpg\r\nSet-Cookie: a=b", "control_character"),
    ("/users/42/a.jpg%0d%0aSet-Cookie:%20a=b", "control_character"),
    ("/users/42/a.jpg?a=%0D%0Ab", "control_character"),
    ("/users/42/.\t./43/secret.jpg", "control_character"),
    ("/users/42/\x00", "control_character"),
    ("/users/43/secret.jpg%00/../../42/a.jpg", "control_character"),
    ("/users/42/a.jpg%7f", "control_character"),
    ("/users/42/a\x85.jpg", "control_character"),
    ("/users/42/a%C2%85.jpg", "control_character"),
    ("https://media.example.com\x00.evil.example/users/42", "control_character"),
    ("https://media.example.com\n.evil.example/users/42", "control_character"),
    ("/users/42/a.jpg#/../43", "fragment"),
    ("/users/42/a.jpg#", "fragment"),
    ("/users/42/a.jpg ", "space"),
    # CloudFront's own parameters.
    ("/users/42/a.jpg?Expires=9999999999", "reserved_parameter"),
    ("/users/42/a.jpg?a=b&Policy=eyJ", "reserved_parameter"),
    ("/users/42/a.jpg?Signature", "reserved_parameter"),
    ("/users/42/a.jpg?Key-Pair-Id=K1", "reserved_parameter"),
    ("/users/42/a.jpg?Hash-Algorithm=SHA1", "reserved_parameter"),
    ("/users/42/a.jpg?expires=1", "reserved_parameter"),
    ("/users/42/a.jpg?%45xpires=1", "reserved_parameter"),
    ("/users/42/a.jpg?a=b;Expires=1", "reserved_parameter"),
    ("/users/42/a.jpg?&&Expires=1", "reserved_parameter"),
    ("/users/42/a.jpg?Expire\u017f=1", "reserved_parameter"),
    ("/users/42/a.jpg?%2545xpires=1", "double_encoding"),
    # Too much of it.
    (f"/users/42/{LONG}", "too_long"),
    (f"/users/42/{'../' * 4_000}", "too_long"),
    (f"/users/42/{'ü' * 1_400}", "too_long"),
    (f"https://{'a.' * 5_000}example/users/42", "too_long"),
    # Nothing to speak of.
    ("/", "path_not_granted"),
    ("?/users/42/a.jpg", "path_not_granted"),
    ("https://", "host"),
    ("https:", "scheme"),
]


class TestAttacks:
    @pytest.mark.parametrize(("url", "reason"), ATTACKS)
    def test_refused(self, url, reason):
        """
        No spelling leads out of the user's own folder, and each is refused for its reason.
        """
        # A row without a scheme is the end of a URL of the right host.
        url_pattern = url if ":" in url.partition("/")[0] else f"{HOST}{url}"
        decision = grants.decide(
            OWN, claims=ANNA, url_pattern=url_pattern, method="url", lifetime_s=None
        )

        assert isinstance(decision, Deny)
        assert decision.reason == reason

    @pytest.mark.parametrize(("url", "reason"), ATTACKS)
    def test_also_by_cookies(self, url, reason):
        """
        Cookies open none of them either.
        """
        url_pattern = url if ":" in url.partition("/")[0] else f"{HOST}{url}"
        decision = grants.decide(
            OWN, claims=ANNA, url_pattern=url_pattern, method="cookies", lifetime_s=None
        )

        assert isinstance(decision, Deny)

    @pytest.mark.parametrize(
        "sub",
        [
            *("", ".", "..", "*", "a/b", "../43", "43/", "%2e%2e", "43%2f", "4\n3", "a" * 129),
            *("{sub}", "42?", "42#", "\uff0e\uff0e", "42;", "42\\", "ü", " 42", 42, 4.2, True),
            *(None, ["42"], ["42", "43"], {"": "42"}, []),
        ],
    )
    def test_claims(self, sub):
        """
        A claim that is more than a plain name opens nothing, whatever is asked for.
        """
        for path in [f"/users/{sub}/a", "/users/42/a", "/users/43/a", "/users/a", "/users/*"]:
            assert isinstance(decide(ANNA | {"sub": sub}, path, document=OWN), Deny)
        assert outcome(decide(ANNA | {"sub": sub}, "/users/42/a")) == "claim_unusable"

    @pytest.mark.parametrize("path", ["/users/42/a.jpg?v=1", "/users/42/a;b/*"])
    def test_cookies_alone(self, path):
        """
        What a cookie's Path cannot say is refused by cookies, and may be signed as a URL.
        """
        assert outcome(decide(ANNA, path, "url")) == "own"
        assert decide(ANNA, path, "cookies").malformed


SUBS = st.text("abcABC019._@=+-", min_size=1, max_size=6)
TRICKS = st.lists(
    st.sampled_from(
        [
            *"/.%;:@*?&=+ ~ü'|\\#\x00\t\uff0e\uff0f\uff05\u2025",
            *("..", "/../", "/./", "%2e", "%2E%2e", "%2f", "%5c", "%25", "%252e", "%c0%ae", "//"),
            *("/*", "a", "users", "..;", "%3b", "%2A", "%00", "%C3%BC", "x.jpg"),
        ]
    ),
    max_size=6,
).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class TestProperties:
    @settings(max_examples=1_000)
    @given(
        mine=SUBS, other=SUBS, start=TRICKS, end=TRICKS, method=st.sampled_from(["url", "cookies"])
    )
    def test_own_folder_only(self, mine, other, start, end, method):
        """
        What is allowed lies, for browsers and when decoded, in the folder of the claim itself.
        """
        for path in [f"/users/{mine}/{end}", f"/users/{mine}{start}/{other}/{end}"]:
            decision = decide({"token_use": "access", "sub": mine}, path, method, document=OWN)
            if isinstance(decision, Deny):
                continue
            asked = ada_url.URL(f"{HOST}{path}")
            signed = ada_url.URL(decision.url_pattern)

            assert signed.href == decision.url_pattern
            assert asked.host == signed.host == "media.example.com"
            assert unquote(asked.pathname) == unquote(signed.pathname)
            assert unquote(signed.pathname).startswith(f"/users/{mine}/")
            assert not {".", ".."} & set(unquote(signed.pathname).split("/"))

    @settings(max_examples=1_000)
    @given(mine=SUBS, other=SUBS, start=TRICKS, middle=TRICKS, end=TRICKS)
    def test_never_another_users(self, mine, other, start, middle, end):
        """
        However it is written, what browsers find in another user's folder is never allowed.
        """
        claims = {"token_use": "access", "sub": mine}
        for path in [f"/users/{other}/{end}", f"{start}/users/{other}{middle}/{end}"]:
            try:
                found = unquote(ada_url.URL(f"{HOST}{path}").pathname)
            except ValueError:
                continue
            if found.startswith(f"/users/{other}/") and mine != other:
                assert isinstance(decide(claims, path, document=OWN), Deny)

    @settings(max_examples=500)
    @given(sub=SUBS.filter(lambda sub: sub.strip(".")), end=st.text("ab-_~!()", max_size=9))
    def test_own_folder(self, sub, end):
        """
        One's own folder is allowed, whatever the claim, as long as it is a plain name.
        """
        claims = {"token_use": "access", "sub": sub}

        assert outcome(decide(claims, f"/users/{sub}/{end}", document=OWN)) == "own"
        assert outcome(decide(claims, f"/users/{sub}/*", "cookies", document=OWN)) == "own"

    @settings(max_examples=500)
    @given(
        claims=st.dictionaries(st.sampled_from([*ANNA, "cognito:groups", "scp", "aud"]), JSON),
        url_pattern=st.text()
        | TRICKS.map(f"{HOST}/users/{{}}".format)
        | st.text().map(HOST.__add__),
        method=st.sampled_from(["url", "cookies"]),
        lifetime_s=st.none() | st.integers(),
    )
    def test_total(self, claims, url_pattern, method, lifetime_s):
        """
        Any text and any claims get an answer.
        """
        for held in (claims, PAYER | claims):
            decision = grants.decide(
                HOUSE, claims=held, url_pattern=url_pattern, method=method, lifetime_s=lifetime_s
            )

            assert isinstance(decision, Allow | Deny)


CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "token_use": st.sampled_from(["access", "id", ["access"], True]),
        "sub": st.sampled_from(["42", "43", "..", 42, None, ["42"]]),
        "scope": st.sampled_from(["media/read invoices/read", ["invoices/read", "media/read"]]),
        "cognito:groups": st.sampled_from([["editors"], "editors", [["editors"]], {"editors": 1}]),
        "client_id": st.just("web"),
        "custom:tenant": st.sampled_from(["acme", ["acme"]]),
        "aud": st.sampled_from(["web", ["web", "app"], []]),
    },
)


class TestHeldBy:
    """What a token has is found once for all tokens whose claims that count are the same."""

    def test_remembered(self):
        """
        Claims that no grant names make no difference, and lists are remembered as well.
        """
        first = HOUSE.effective_for(EDITOR | {"jti": "1"})

        assert HOUSE.effective_for(EDITOR | {"jti": "2", "iat": 3}) is first
        assert HOUSE.effective_for(ANNA) is not first

    @given(st.lists(CLAIMS, max_size=6), st.sampled_from(["url", "cookies"]))
    def test_as_anew(self, tokens, method):
        """
        Whoever came before, a token is decided on as by grants that have seen none.
        """
        seasoned = parsed(*HOUSE_ENTRIES)
        paths = [
            "/users/42/a",
            "/films/a",
            "/trailer.mp4",
            "/invoices/acme/42/a",
            "/profiles/42.jpg",
        ]
        for claims in tokens:
            for path in paths:
                assert decide(claims, path, method, document=seasoned) == decide(
                    claims, path, method, document=parsed(*HOUSE_ENTRIES)
                )

    def test_changed_later(self):
        """
        What is done to the claims afterwards changes nothing for those who come next.
        """
        document, claims = parsed(grant()), dict(ANNA)
        document.effective_for(claims)

        claims["sub"] = "43"

        assert isinstance(decide(ANNA, "/users/42/a", document=document), Allow)
        assert isinstance(decide(ANNA, "/users/43/a", document=document), Deny)

    def test_bounded(self):
        """
        However many users come, no more than a thousand or so are remembered.
        """
        document = parsed(grant())

        for number in range(3_000):
            document.effective_for(ANNA | {"sub": str(number)})

        assert len(document._cached) <= 1_024
