"""What is signed is what is returned; what must not be signed is refused for its reason."""

from datetime import UTC, datetime
from urllib.parse import parse_qs

import ada_url
import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import assume, given
from hypothesis import strategies as st

from cdn.errors import PolicyError, UrlError
from cdn.signing import key_pairs, policies, signing
from cdn.signing.key_pairs import Signer
from cdn.signing.policies import LAST_SECOND, Policy

NOW, SOON = 1_767_290_000, 1_767_290_400
HOST = "https://d1.cloudfront.net"
SIGNED = b"\xfb\xef\xff\x00"
SHA1 = Signer("K1", "RSA-2048", "SHA1", lambda _: SIGNED)
SHA256 = Signer("K1", "ECDSA-P256", "SHA256", lambda _: SIGNED)


def sign_url(url, *, signer=SHA1, expires_at_s=SOON, now_s=NOW, max_lifetime_s=3600, **policy):
    return signing.sign_url(
        signer, url, expires_at_s=expires_at_s, now_s=now_s, max_lifetime_s=max_lifetime_s, **policy
    )


def sign(resource, *, signer=SHA1, **policy):
    return signing.sign(signer, Policy(resource, SOON, **policy), now_s=NOW, max_lifetime_s=3600)


def recording(messages, signer=SHA1):
    def note(message):
        messages.append(message)
        return SIGNED

    return Signer(signer.key_id, signer.kind, signer.hash_algorithm, note)


def read(text):
    """Undo CloudFront's base64 and the policy's, apart from the layer."""
    return policies.parse(policies.decode(text))


class TestSignUrl:
    def test_canned(self):
        """
        A URL alone gets the canned policy; SHA1 goes without saying.
        """
        signed = sign_url(f"{HOST}/a.jpg")

        assert signed == f"{HOST}/a.jpg?Expires=1767290400&Signature=--~~AA__&Key-Pair-Id=K1"

    def test_query(self):
        """
        CloudFront's parameters come after those that the URL has, SHA256 at the end.
        """
        signed = sign_url(f"{HOST}/a.jpg?size=2", signer=SHA256)

        assert signed == (
            f"{HOST}/a.jpg?size=2&Expires=1767290400&Signature=--~~AA__&Key-Pair-Id=K1"
            "&Hash-Algorithm=SHA256"
        )

    def test_encoded_first(self):
        """
        The bytes that are signed are of the URL that is returned.
        """
        messages: list[bytes] = []

        signed = sign_url(f"{HOST}/ü b%20c.jpg?q=it's", signer=recording(messages))

        sent = f"{HOST}/%C3%BC%20b%20c.jpg?q=it%27s"
        assert signed.startswith(f"{sent}&Expires=")
        assert messages == [policies.canned(sent, expires_at_s=SOON)]

    @pytest.mark.parametrize(
        ("needs", "policy"),
        [
            ({"resource": f"{HOST}/ü/*"}, Policy(f"{HOST}/%C3%BC/*", SOON)),
            ({"resource": "*"}, Policy("*", SOON)),
            ({"starts_at_s": NOW - 60}, Policy(f"{HOST}/%C3%BC/a.jpg", SOON, NOW - 60)),
            (
                {"source_ip": "192.0.2.7"},
                Policy(f"{HOST}/%C3%BC/a.jpg", SOON, source_ip="192.0.2.7/32"),
            ),
        ],
    )
    def test_custom(self, needs, policy):
        """
        What the canned policy cannot say gets a custom one, which is what is signed.
        """
        messages: list[bytes] = []

        signed = sign_url(f"{HOST}/ü/a.jpg", signer=recording(messages), **needs)

        base, _, query = signed.partition("?")
        values = parse_qs(query)
        assert f"{HOST}/%C3%BC/a.jpg" == base
        assert ["Policy", "Signature", "Key-Pair-Id"] == list(values)
        assert policy == read(values["Policy"][0])
        assert messages == [policies.decode(values["Policy"][0])]

    def test_own_resource(self):
        """
        A resource that is the URL itself needs no custom policy.
        """
        assert sign_url(f"{HOST}/a b", resource=f"{HOST}/a b") == sign_url(f"{HOST}/a b")

    @given(tail=st.text(max_size=12), hash_algorithm=st.sampled_from([SHA1, SHA256]))
    def test_sent_as_signed(self, tail, hash_algorithm):
        """
        A browser sends what was returned as it was returned, and it holds what was signed.
        """
        messages: list[bytes] = []
        try:
            signed = sign_url(f"{HOST}/{tail}", signer=recording(messages, hash_algorithm))
        except UrlError:
            assert not messages
            return

        base = signed[: signed.index("Expires=") - 1]
        assert signed == ada_url.URL(signed).href
        assert messages == [policies.canned(base, expires_at_s=SOON)]

    @pytest.mark.parametrize(
        ("url", "part"),
        [
            (f"{HOST}/a#top", "fragment"),
            (f"{HOST}/a?Expires=1", "query"),
            ("https://me@d1.cloudfront.net/a", "userinfo"),
            ("ftp://d1.cloudfront.net/a", "scheme"),
            (f"{HOST}/a\r\nb", "character"),
            (f"{HOST}/a*.jpg", "path"),
            (f"{HOST}/*", "path"),
            (f"{HOST}/a?b=*", "query"),
            (f"{HOST}/a?b=1?", "query"),
        ],
    )
    @pytest.mark.parametrize("needs", [{}, {"source_ip": "192.0.2.7"}])
    def test_url_refused(self, url, part, needs):
        """
        A URL that is not sent as it is signed, or would open others too, is not signed.
        """
        messages: list[bytes] = []

        with pytest.raises(UrlError) as refusal:
            sign_url(url, signer=recording(messages), **needs)

        assert part == refusal.value.what
        assert not messages

    @pytest.mark.parametrize(
        ("changes", "field", "reason"),
        [
            ({"expires_at_s": NOW}, "expires_at_s", "is 0 s ago"),
            ({"expires_at_s": NOW - 5}, "expires_at_s", "is 5 s ago"),
            ({"expires_at_s": NOW + 3601}, "expires_at_s", "more than 3600 s ahead"),
            ({"expires_at_s": -1}, "expires_at_s", "whole number"),
            ({"expires_at_s": NOW + 0.5}, "expires_at_s", "whole number"),
            (
                {"expires_at_s": LAST_SECOND + 1, "max_lifetime_s": 2 * LAST_SECOND},
                "expires_at_s",
                "whole number",
            ),
            ({"starts_at_s": SOON}, "starts_at_s", "before"),
            ({"source_ip": "2001:db8::1"}, "source_ip", "IPv6"),
            ({"resource": "d1.cloudfront.net/*"}, "resource", "start with"),
        ],
    )
    def test_policy_refused(self, changes, field, reason):
        """
        What nobody may be given, or CloudFront cannot check, is not signed.
        """
        with pytest.raises(PolicyError, match=reason) as refusal:
            sign_url(f"{HOST}/a.jpg", **changes)

        assert field == refusal.value.what

    def test_longest_life(self):
        """
        The longest allowed lifetime is allowed, to the second.
        """
        assert f"Expires={NOW + 3600}" in sign_url(f"{HOST}/a", expires_at_s=NOW + 3600)

    def test_last_second(self):
        """
        CloudFront's last second can be signed where so long a lifetime is allowed.
        """
        signed = sign_url(f"{HOST}/a", expires_at_s=LAST_SECOND, max_lifetime_s=LAST_SECOND)

        assert "Expires=9223372036854775807" in signed

    def test_beyond_resource(self):
        """
        A URL that its policy would not open is refused, and the section named.
        """
        with pytest.raises(UrlError, match="not one that the policy's resource covers") as refusal:
            sign_url(f"{HOST}/b/1.jpg", resource=f"{HOST}/a/*")

        assert "path" == refusal.value.what

    @pytest.mark.parametrize("needs", [{}, {"resource": f"{HOST}/*"}])
    def test_longest_url(self, needs):
        """
        A signed URL may have 8,192 bytes and not one more.
        """
        extra = len(sign_url(f"{HOST}/a", **needs)) - len("a")

        longest = sign_url(f"{HOST}/{'a' * (8192 - extra)}", **needs)

        assert 8192 == len(longest)
        with pytest.raises(UrlError, match="is 8193 bytes once signed"):
            sign_url(f"{HOST}/{'a' * (8193 - extra)}", **needs)


class TestSign:
    def test_once(self):
        """
        However many URLs are opened, one signature is made.
        """
        messages: list[bytes] = []

        album = sign(f"{HOST}/album/*", signer=recording(messages))
        opened = [album.url(f"{HOST}/album/{n} ü.jpg?w=2") for n in range(100)]

        assert 1 == len(messages)
        assert opened[7].startswith(f"{HOST}/album/7%20%C3%BC.jpg?w=2&Policy=")
        assert 1 == len({url.partition("Policy=")[2] for url in opened})

    @pytest.mark.parametrize(
        "resource",
        [
            f"{HOST}/a/*",
            f"{HOST}/a*",
            f"{HOST}/a?/*",
            f"{HOST}*",
            "*.net/a/*",
            "*",
            f"{HOST}/*/b",
            f"{HOST}/a/b",
            f"{HOST}/a/b?c*",
            f"{HOST}/a?b/*",
            f"{HOST[:-2]}*",
        ],
    )
    @given(tail=st.text("ab/?.c", max_size=6))
    def test_covered_only(self, resource, tail):
        """
        A signature opens the URLs that its policy covers, and no other.
        """
        path, _, query = tail.partition("?")
        assume(not {".", ".."} & set(path.split("/")))
        url = f"{HOST}/{path}?{query}" if query else f"{HOST}/{path}"

        if policies.covers(resource, url):
            assert sign(resource).url(url).startswith(url)
        else:
            with pytest.raises(UrlError, match="not one that the policy's resource covers"):
                sign(resource).url(url)

    @pytest.mark.parametrize("url", [f"{HOST}/a/../b/1.jpg", f"{HOST}/a/%2e%2e/b/1.jpg"])
    def test_no_way_up(self, url):
        """
        A URL that leads out of the folder when a browser resolves it is not opened.
        """
        with pytest.raises(UrlError, match=r"segment \. or \.\."):
            sign(f"{HOST}/a/*").url(url)

    def test_cookies_custom(self):
        """
        Cookies for a folder carry the policy.
        """
        cookies = sign(f"{HOST}/a/*", signer=SHA256).cookies()

        assert Policy(f"{HOST}/a/*", SOON) == read(cookies.pop("CloudFront-Policy"))
        assert cookies == {
            "CloudFront-Signature": "--~~AA__",
            "CloudFront-Key-Pair-Id": "K1",
            "CloudFront-Hash-Algorithm": "SHA256",
        }

    def test_cookies_canned(self):
        """
        Cookies for one URL carry only its expiry.
        """
        cookies = sign(f"{HOST}/a b.jpg").cookies()

        assert cookies == {
            "CloudFront-Expires": "1767290400",
            "CloudFront-Signature": "--~~AA__",
            "CloudFront-Key-Pair-Id": "K1",
        }

    def test_question_mark(self):
        """
        A ? may be a wildcard or start a query, which only a custom policy can leave open.
        """
        signed = sign(f"{HOST}/img?.jpg")

        assert "Policy" in signed.parameters
        assert signed.url(f"{HOST}/img1.jpg")
        assert signed.url(f"{HOST}/img?.jpg")


@pytest.fixture(scope="session")
def ours(private_keys):
    return key_pairs.signer(private_keys["RSA-2048"], key_id="K1", hash_algorithm="SHA1")


@pytest.fixture(scope="session")
def botocore(private_keys):
    """Sign as botocore does, with the same key and the hash algorithm that it documents."""
    key, sha1 = private_keys["RSA-2048"], hashes.SHA1()  # noqa: S303  # CloudFront's default
    return CloudFrontSigner("K1", lambda message: key.sign(message, padding.PKCS1v15(), sha1))


UNTIL = datetime.fromtimestamp(SOON, UTC)
PLAIN_URLS = st.from_regex(
    r"https?://d1\.cloudfront\.net/[a-zA-Z0-9/_~!$&()+,;=:@-]{0,20}(\?[a-z]{1,4}=[a-z0-9/]?)?",
    fullmatch=True,
)


class TestBotocoreRight:
    @given(url=PLAIN_URLS)
    def test_canned(self, botocore, ours, url):
        """
        A URL that needs no encoding is signed byte for byte as botocore signs it.
        """
        assert botocore.generate_presigned_url(url, UNTIL) == sign_url(url, signer=ours)

    @given(
        url=PLAIN_URLS,
        starts_at_s=st.none() | st.integers(1, SOON - 1),
        source_ip=st.none() | st.ip_addresses(v=4).map(str),
        wide=st.booleans(),
    )
    def test_custom(self, botocore, ours, url, starts_at_s, source_ip, wide):
        """
        With a start, an IPv4 address or a wildcard too, unless nothing needs a custom policy.
        """
        resource = f"{HOST}/*" if wide and url.startswith(HOST) else url
        starts = starts_at_s and datetime.fromtimestamp(starts_at_s, UTC)
        policy = botocore.build_policy(resource, UNTIL, starts, source_ip)
        assume(resource != url or starts_at_s is not None or source_ip is not None)

        theirs = botocore.generate_presigned_url(url, policy=policy)

        assert theirs == sign_url(
            url,
            signer=ours,
            resource=resource,
            starts_at_s=starts_at_s,
            source_ip=source_ip,
        )


class TestBotocoreWrong:
    """Where botocore's signer makes what CloudFront does not open, or opens to too many."""

    def test_ipv6(self, botocore):
        """
        Botocore makes a range of 2^96 addresses of one IPv6 address; here it is refused.
        """
        policy = botocore.build_policy(f"{HOST}/*", UNTIL, ip_address="2001:db8::1")

        assert "2001:db8::1/32" in policy
        with pytest.raises(PolicyError, match="IPv6"):
            sign_url(f"{HOST}/a", resource=f"{HOST}/*", source_ip="2001:db8::1")

    def test_non_ascii(self, botocore, ours):
        """
        Botocore signs an escaped ü and returns a raw one; here both are as browsers send it.
        """
        theirs = botocore.generate_presigned_url(f"{HOST}/ü", UNTIL)

        assert theirs.startswith(f"{HOST}/ü?")
        assert b"\\u00fc" in botocore.build_policy(f"{HOST}/ü", UNTIL).encode()
        assert sign_url(f"{HOST}/ü", signer=ours) == botocore.generate_presigned_url(
            f"{HOST}/%C3%BC", UNTIL
        )

    def test_space(self, botocore, ours):
        """
        Botocore signs a raw space, which a browser sends as %20; here it is encoded first.
        """
        theirs = botocore.generate_presigned_url(f"{HOST}/a b", UNTIL)

        assert theirs != ada_url.URL(theirs).href
        assert sign_url(f"{HOST}/a b", signer=ours) == botocore.generate_presigned_url(
            f"{HOST}/a%20b", UNTIL
        )

    def test_question_mark(self, botocore):
        """
        Botocore takes a wildcard ? for the start of a query; here the URL is not the resource.
        """
        policy = botocore.build_policy(f"{HOST}/img?.jpg", UNTIL)

        theirs = botocore.generate_presigned_url(f"{HOST}/img?.jpg", policy=policy)

        assert "/img?.jpg&Policy=" in theirs
        assert "/img1.jpg?Policy=" in sign_url(f"{HOST}/img1.jpg", resource=f"{HOST}/img?.jpg")

    def test_wildcard(self, botocore):
        """
        Botocore puts a raw * into a canned policy, which opens other URLs too; here it is refused.
        """
        assert "/*?Expires=" in botocore.generate_presigned_url(f"{HOST}/*", UNTIL)
        with pytest.raises(UrlError, match="%2A"):
            sign_url(f"{HOST}/*")

    def test_empty_query(self, botocore, ours):
        """
        Botocore makes ?&Expires of an empty query; here it goes.
        """
        assert "/a?&Expires=" in botocore.generate_presigned_url(f"{HOST}/a?", UNTIL)
        assert "/a?Expires=" in sign_url(f"{HOST}/a?", signer=ours)

    def test_fragment(self, botocore):
        """
        Botocore puts the signature into the fragment, which is never sent; here it is refused.
        """
        assert "#top?Expires=" in botocore.generate_presigned_url(f"{HOST}/a#top", UNTIL)
        with pytest.raises(UrlError, match="fragment"):
            sign_url(f"{HOST}/a#top")

    def test_reserved(self, botocore):
        """
        Botocore signs a URL that has an Expires of its own; here it is refused.
        """
        theirs = botocore.generate_presigned_url(f"{HOST}/a?Expires=1", UNTIL)

        assert 2 == theirs.count("Expires=")
        with pytest.raises(UrlError, match="Expires"):
            sign_url(f"{HOST}/a?Expires=1")

    def test_hash_algorithm(self, botocore):
        """
        Botocore never says by which algorithm it signed; here SHA256 is said.
        """
        assert "Hash-Algorithm" not in botocore.generate_presigned_url(f"{HOST}/a", UNTIL)
        assert sign_url(f"{HOST}/a", signer=SHA256).endswith("&Hash-Algorithm=SHA256")

    def test_cookies(self, botocore):
        """
        Botocore makes no cookies at all.
        """
        assert not [name for name in dir(botocore) if "cookie" in name]
        assert sign(f"{HOST}/*").cookies()
