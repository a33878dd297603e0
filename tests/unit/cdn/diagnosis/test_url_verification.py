"""A request is checked as CloudFront checks it, and the first check that fails is named."""

import json
import subprocess
from base64 import b64encode
from itertools import product
from typing import get_args
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from hypothesis import assume, given
from hypothesis import strategies as st

from cdn.diagnosis import url_verification
from cdn.diagnosis.url_verification import Keys
from cdn.errors import UrlError
from cdn.signing import key_pairs, policies, signing
from cdn.signing.policies import Policy

KINDS, HASHES = get_args(key_pairs.Kind), get_args(key_pairs.HashAlgorithm)
NOW, SOON = 1_767_290_000, 1_767_290_400
HOST = "https://d1.cloudfront.net"
URL = f"{HOST}/a/b.jpg?size=2"
VIEWER = "192.0.2.7"

# Written by hand, apart from the layer: what CloudFront's guide says a policy is.
CANNED = (
    '{"Statement":[{"Resource":"https://d1.cloudfront.net/a/b.jpg?size=2",'
    '"Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}'
)
CUSTOM = (
    '{"Statement":[{"Resource":"https://d1.cloudfront.net/a/*",'
    '"Condition":{"DateLessThan":{"AWS:EpochTime":1767290400},'
    '"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"},'
    '"DateGreaterThan":{"AWS:EpochTime":1767289940}}}]}'
)
POLICIES = {"canned": CANNED, "custom": CUSTOM}


def by_hand(data):
    return b64encode(data).decode().replace("+", "-").replace("=", "_").replace("/", "~")


@pytest.fixture(scope="session")
def keys(private_keys):
    """K-RSA-2048 and K-ECDSA-P256 are trusted, KOUT is in no group."""
    pems = {f"K-{kind}": key_pairs.public_pem(key) for kind, key in private_keys.items()}
    return Keys(public=pems | {"KOUT": pems["K-RSA-2048"]}, trusted=list(pems))


@pytest.fixture(scope="session")
def signers(private_keys):
    return {
        (kind, algorithm): key_pairs.signer(
            private_keys[kind], key_id=f"K-{kind}", hash_algorithm=algorithm
        )
        for kind, algorithm in product(KINDS, HASHES)
    }


@pytest.fixture
def diagnose(keys):
    def run(url, **changes):
        return url_verification.diagnose(
            url, **{"keys": keys, "now_s": NOW, "viewer_ip": VIEWER} | changes
        )

    return run


@pytest.fixture
def signed(signers):
    """Sign a URL as it comes, by RSA and SHA1 by default."""

    def sign(url=URL, *, kind="RSA-2048", algorithm="SHA1", **needs):
        return signing.sign_url(
            signers[kind, algorithm],
            url,
            **{"expires_at_s": SOON, "now_s": NOW - 100, "max_lifetime_s": 3600} | needs,
        )

    return sign


@pytest.fixture
def raw(signers):
    """Sign whatever policy, and put it behind whatever URL, as nobody should."""

    def sign(url, policy, *, expires_at_s=None, algorithm="SHA1", declared=None):
        signature = signers["RSA-2048", algorithm].sign(policy)
        what = f"Expires={expires_at_s}" if expires_at_s else f"Policy={by_hand(policy)}"
        tail = "&Hash-Algorithm=SHA256" if (declared or algorithm) == "SHA256" else ""
        return (
            f"{url}{'&' if '?' in url else '?'}{what}"
            f"&Signature={by_hand(signature)}&Key-Pair-Id=K-RSA-2048{tail}"
        )

    return sign


@pytest.fixture(scope="session")
def openssl(private_keys, tmp_path_factory):
    """Run openssl in a folder with the keys' files; text given is its input."""
    folder = tmp_path_factory.mktemp("keys")
    for kind, key in private_keys.items():
        (folder / f"{kind}.pem").write_text(key_pairs.private_pem(key), encoding="ascii")
        (folder / f"{kind}.pub").write_text(key_pairs.public_pem(key), encoding="ascii")

    def run(*arguments, given, **files):
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return subprocess.run(
            ["openssl", *arguments],  # noqa: S607  # wherever it is
            cwd=folder,
            input=given,
            capture_output=True,
            check=True,
        ).stdout

    return run


def sign_by_openssl(openssl, _, kind, algorithm, message):
    return openssl("dgst", f"-{algorithm.lower()}", "-sign", f"{kind}.pem", given=message)


def sign_independently(_, private_keys, kind, algorithm, message):
    digest = {"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256()}[algorithm]  # noqa: S303
    if kind == "RSA-2048":
        return private_keys[kind].sign(message, padding.PKCS1v15(), digest)
    return private_keys[kind].sign(message, ec.ECDSA(digest))


def sign_by(signer, url, *, policy, delivery):
    """Return the parameters of a signed URL or of a set of cookies."""
    wide = Policy(f"{HOST}/a/*", SOON, 1767289940, "192.0.2.0/24")
    if delivery == "url" and policy == "canned":
        signed_url = signing.sign_url(
            signer, url, expires_at_s=SOON, now_s=NOW, max_lifetime_s=3600
        )
        query = signed_url.partition("?")[2]
    elif delivery == "url":
        signed = signing.sign(signer, wide, now_s=NOW, max_lifetime_s=3600)
        query = signed.url(url).partition("?")[2]
    else:
        allowed = wide if policy == "custom" else Policy(url, SOON)
        signed = signing.sign(signer, allowed, now_s=NOW, max_lifetime_s=3600)
        return {name.removeprefix("CloudFront-"): v for name, v in signed.cookies().items()}
    return dict(parse_qsl(query))


@pytest.mark.parametrize("delivery", ["url", "cookies"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("algorithm", HASHES)
@pytest.mark.parametrize("kind", KINDS)
class TestGoldenVectors:
    def test_openssl_verifies(self, openssl, signers, kind, algorithm, policy, delivery):
        """
        What is signed here is the policy that was written by hand, and openssl verifies it.
        """
        # Cookies for a URL with a query would take a custom policy.
        url, message = URL, POLICIES[policy]
        if policy == "canned" and delivery == "cookies":
            url, message = url.removesuffix("?size=2"), message.replace("?size=2", "")
        values = sign_by(signers[kind, algorithm], url, policy=policy, delivery=delivery)

        signature = values["Signature"].replace("-", "+").replace("_", "=").replace("~", "/")
        signature = openssl("base64", "-d", "-A", given=signature.encode())
        assert openssl(
            *("dgst", f"-{algorithm.lower()}", "-verify", f"{kind}.pub", "-signature", "signature"),
            given=message.encode(),
            signature=signature,
        ).startswith(b"Verified OK")
        expected = {"Expires": "1767290400"}
        if policy == "custom":
            expected = {"Policy": by_hand(message.encode())}
        expected |= {"Signature": values["Signature"], "Key-Pair-Id": f"K-{kind}"}
        if algorithm == "SHA256":
            expected["Hash-Algorithm"] = "SHA256"
        assert expected == {n: v for n, v in values.items() if n != "size"}

    @pytest.mark.parametrize("sign", [sign_by_openssl, sign_independently])
    def test_verified_here(
        self, openssl, private_keys, diagnose, kind, algorithm, policy, delivery, sign
    ):
        """
        What openssl and an independent signer sign opens here.
        """
        message = POLICIES[policy].encode()
        values = {"Expires": "1767290400"} if policy == "canned" else {"Policy": by_hand(message)}
        values |= {
            "Signature": by_hand(sign(openssl, private_keys, kind, algorithm, message)),
            "Key-Pair-Id": f"K-{kind}",
        }
        if algorithm == "SHA256":
            values["Hash-Algorithm"] = "SHA256"

        if delivery == "url":
            verdict = diagnose(f"{URL}&{'&'.join(f'{n}={v}' for n, v in values.items())}")
        else:
            header = "; ".join(f"CloudFront-{name}={value}" for name, value in values.items())
            verdict = diagnose(URL, cookies=f"session=1; {header}; theme=dark")

        assert verdict.opens, verdict


TAILS = st.text("ab/ü %2A?&=.~'é+", max_size=10)


class TestProperties:
    @pytest.mark.parametrize("algorithm", HASHES)
    @pytest.mark.parametrize("kind", KINDS)
    @given(
        tail=TAILS,
        needs=st.fixed_dictionaries(
            {},
            optional={
                "starts_at_s": st.integers(0, NOW - 1),
                "source_ip": st.sampled_from([VIEWER, "192.0.2.0/24", "0.0.0.0/0"]),
                "resource": st.sampled_from([f"{HOST}/*", "*", "https://*.cloudfront.net/*"]),
            },
        ),
    )
    def test_opens(self, signers, keys, kind, algorithm, tail, needs):
        """
        Whatever is signed verifies and opens.
        """
        try:
            url = signing.sign_url(
                signers[kind, algorithm],
                f"{HOST}/{tail}",
                expires_at_s=SOON,
                now_s=NOW,
                max_lifetime_s=3600,
                **needs,
            )
        except UrlError:
            assume(False)

        verdict = url_verification.diagnose(url, keys=keys, now_s=NOW, viewer_ip=VIEWER)

        assert verdict.opens, verdict

    @pytest.mark.parametrize("needs", [{}, {"source_ip": VIEWER}])
    @pytest.mark.parametrize("kind", KINDS)
    @given(data=st.data())
    def test_tampered(self, signers, keys, kind, needs, data):
        """
        With any one character changed, anywhere in the URL, it no longer opens.
        """
        url = signing.sign_url(
            signers[kind, "SHA256"], URL, expires_at_s=SOON, now_s=NOW, max_lifetime_s=3600, **needs
        )
        at = data.draw(st.integers(0, len(url) - 1))
        character = data.draw(st.characters() | st.sampled_from("AaZz019-_~=&?%/#*."))
        assume(character != url[at])
        # A custom policy's host is matched as host names are: whatever the case.
        assume(character.lower() != url[at] or at > len(HOST) or not needs)

        tampered = url[:at] + character + url[at + 1 :]
        verdict = url_verification.diagnose(tampered, keys=keys, now_s=NOW, viewer_ip=VIEWER)

        assert not verdict.opens

    @pytest.mark.parametrize("resource", [f"{HOST}/a/b.jpg", f"{HOST}/a/*"])
    @given(data=st.data())
    def test_cookies_tampered(self, signers, keys, resource, data):
        """
        With any one character changed in any of the cookies, they no longer open.
        """
        cookies = signing.sign(
            signers["ECDSA-P256", "SHA256"], Policy(resource, SOON), now_s=NOW, max_lifetime_s=3600
        ).cookies()
        name = data.draw(st.sampled_from(sorted(cookies)))
        at = data.draw(st.integers(0, len(cookies[name]) - 1))
        character = data.draw(st.characters() | st.sampled_from("AaZz019-_~=&?%/#*."))
        assume(character != cookies[name][at])

        def opens(cookies):
            return url_verification.diagnose(
                f"{HOST}/a/b.jpg", cookies=cookies, keys=keys, now_s=NOW
            ).opens

        assert opens(cookies)
        changed = cookies[name][:at] + character + cookies[name][at + 1 :]
        assert not opens(cookies | {name: changed})

    @given(text=st.text(), cookies=st.none() | st.text())
    def test_any_text(self, keys, text, cookies):
        """
        Nothing that is no signature opens, or makes the doctor stumble.
        """
        query = f"?Policy={text}&Signature={text}&Key-Pair-Id=K-RSA-2048"
        for url in (text, f"{HOST}/{text}", f"{HOST}/{query}"):
            verdict = url_verification.diagnose(url, cookies=cookies, keys=keys, now_s=NOW)

            assert verdict.cause
            assert verdict.finding
            assert verdict.fix


class TestDiagnose:
    def test_opens(self, diagnose, signed):
        """
        What opens has no cause and nothing to fix.
        """
        verdict = diagnose(signed())

        assert (None, "It opens.", "") == (verdict.cause, verdict.finding, verdict.fix)
        assert Policy(URL, SOON) == verdict.policy

    @pytest.mark.parametrize("cookies", [None, "", "session=1", {}])
    def test_unsigned(self, diagnose, cookies):
        """
        A request without any parameter of CloudFront's is unsigned.
        """
        assert "unsigned" == diagnose(URL, cookies=cookies).cause

    @pytest.mark.parametrize("name", ["Expires", "Signature", "Key-Pair-Id"])
    def test_missing(self, diagnose, signed, name):
        """
        A parameter that was lost on the way is named.
        """
        kept = [part for part in signed().split("&") if not part.startswith(f"{name}=")]

        verdict = diagnose("&".join(kept))

        assert ("missing_parameter", {"parameter": name}) == (verdict.cause, verdict.details)

    @pytest.mark.parametrize(
        ("before", "after", "what"),
        [
            ("Expires=1767290400", "Expires=soon", "Expires"),
            ("Expires=1767290400", "Expires=01767290400", "Expires"),
            ("Expires=1767290400", "Expires=9223372036854775808", "expires_at_s"),
            ("Expires=1767290400", "Expires=1767290400&Policy=e30_", "Expires"),
            ("Expires=1767290400", "Expires=1767290400&Expires=1767290400", "Expires"),
            ("Expires=1767290400", "Policy=e30_", "policy"),
            ("Expires=1767290400", "Policy=e30=", "Policy"),
            ("Signature=", "Signature=%2D", "Signature"),
            ("Key-Pair-Id=", "Hash-Algorithm=sha256&Key-Pair-Id=", "Hash-Algorithm"),
            ("https://", "", "resource"),
            ("/a/", "/a\n/", "character"),
        ],
    )
    def test_malformed(self, diagnose, signed, before, after, what):
        """
        What cannot be read is named.
        """
        verdict = diagnose(signed().replace(before, after, 1))

        assert ("malformed", {"what": what}) == (verdict.cause, verdict.details)

    def test_order(self, diagnose, signed):
        """
        The parameters may come in any order, and before the URL's own.
        """
        base, _, query = signed().partition("?")

        assert diagnose(f"{base}?{'&'.join(reversed(query.split('&')))}").opens

    def test_fragment(self, diagnose, signed):
        """
        A fragment is not sent, so it is not looked at.
        """
        assert diagnose(f"{signed()}#top").opens

    @pytest.mark.parametrize(
        ("key_id", "cause"), [("KNEW", "unknown_key"), ("KOUT", "untrusted_key")]
    )
    def test_key_id(self, diagnose, signed, key_id, cause):
        """
        A key that CloudFront does not know is another fault than one that it does not trust here.
        """
        verdict = diagnose(signed().replace("K-RSA-2048", key_id))

        assert (cause, {"key_id": key_id}) == (verdict.cause, verdict.details)

    def test_unreadable_key(self, signed):
        """
        A public key that cannot be read is named.
        """
        keys = Keys(public={"K-RSA-2048": "no key"}, trusted=["K-RSA-2048"])

        verdict = url_verification.diagnose(signed(), keys=keys, now_s=NOW)

        assert {"what": "public key K-RSA-2048"} == verdict.details

    @pytest.mark.parametrize(("signed_by", "declared"), [("SHA1", "SHA256"), ("SHA256", "SHA1")])
    def test_hash_algorithm(self, diagnose, raw, signed_by, declared):
        """
        A signature that holds by the other hash algorithm is found out.
        """
        url = raw(URL, CANNED.encode(), expires_at_s=SOON, algorithm=signed_by, declared=declared)

        verdict = diagnose(url)

        assert ("hash_algorithm", {"signed_by": signed_by, "declared": declared}) == (
            verdict.cause,
            verdict.details,
        )

    @pytest.mark.parametrize("needs", [{}, {"resource": f"{HOST}/*"}])
    def test_signature(self, diagnose, signed, needs):
        """
        A signature of another policy does not hold.
        """
        url, later_url = signed(**needs), signed(**needs, expires_at_s=SOON + 1)
        mixed = url.partition("Signature=")[0] + "".join(later_url.partition("Signature=")[1:])

        assert "signature" == diagnose(mixed).cause

    @pytest.mark.parametrize(
        ("signed_as", "sent", "section"),
        [
            (f"{HOST}/a b", f"{HOST}/a%20b", "path"),
            (f"{HOST}/a+b", f"{HOST}/a%20b", "path"),
            (f"{HOST}/a%20b", f"{HOST}/a+b", "path"),
            (f"{HOST}/ü", f"{HOST}/%C3%BC", "path"),
            (f"{HOST}/%c3%bc", f"{HOST}/%C3%BC", "path"),
            (f"{HOST}/%C3%BC", f"{HOST}/%c3%bc", "path"),
            (f"{HOST}/a%2520b", f"{HOST}/a%20b", "path"),
            (f"{HOST}/a%20b", f"{HOST}/a%2520b", "path"),
            (f"{HOST}/a(1)", f"{HOST}/a%281%29", "path"),
            (f"{HOST}/a%281%29", f"{HOST}/a(1)", "path"),
            (f"{HOST}/a@b", f"{HOST}/a%40b", "path"),
            (f"{HOST}/a%40b", f"{HOST}/a@b", "path"),
            (f"{HOST}/a?q=it's", f"{HOST}/a?q=it%27s", "query"),
            (f"{HOST}/a?q=x y", f"{HOST}/a?q=x+y", "query"),
            (f"{HOST}/a?q=a/b", f"{HOST}/a?q=a%2Fb", "query"),
            (f"{HOST}/ü?q=x y", f"{HOST}/%C3%BC?q=x%20y", "path"),
            (f"{HOST}:443/a", f"{HOST}/a", "host"),
            (HOST, f"{HOST}/", "path"),
        ],
    )
    def test_encoding(self, diagnose, raw, signed_as, sent, section):
        """
        A URL that was signed in one encoding and sent in another is found out.
        """
        message = policies.canned(signed_as, expires_at_s=SOON)

        verdict = diagnose(raw(sent, message, expires_at_s=SOON))

        assert ("encoding", {"section": section, "resource": signed_as, "sent": sent}) == (
            verdict.cause,
            verdict.details,
        )

    def test_botocore_encoding(self, diagnose, raw):
        """
        So is a URL that botocore signed with ü, which it escapes.
        """
        message = json.dumps(json.loads(policies.canned(f"{HOST}/ü", expires_at_s=SOON)))
        message = message.replace(": ", ":").replace(", ", ",")

        verdict = diagnose(raw(f"{HOST}/%C3%BC", message.encode(), expires_at_s=SOON))

        assert ("encoding", f"{HOST}/ü") == (verdict.cause, verdict.details["resource"])

    def test_resource_encoding(self, diagnose, raw):
        """
        So is a custom policy's resource that nobody encoded.
        """
        message = policies.custom(Policy(f"{HOST}/ü b/*", SOON))

        verdict = diagnose(raw(f"{HOST}/%C3%BC%20b/1.jpg", message))

        assert ("encoding", "path") == (verdict.cause, verdict.details["section"])

    @pytest.mark.parametrize(
        ("now_s", "ago_s", "span"),
        [
            (SOON, 0, "0 s ago"),
            (SOON + 119.5, 119, "119 s ago"),
            (SOON + 300, 300, "5 minutes ago"),
            (SOON + 7_200, 7_200, "2 hours ago"),
            (SOON + 864_000, 864_000, "10 days ago"),
        ],
    )
    def test_expired(self, diagnose, signed, now_s, ago_s, span):
        """
        From the second of its expiry on nothing opens; the verdict says when that was.
        """
        verdict = diagnose(signed(), now_s=now_s)

        assert ("expired", {"expired_at_s": SOON, "ago_s": ago_s}) == (
            verdict.cause,
            verdict.details,
        )
        assert "2026-01-01 18:00:00 UTC" in verdict.finding
        assert span in verdict.finding
        assert diagnose(signed(), now_s=SOON - 0.5).opens

    def test_not_yet_valid(self, diagnose, signed):
        """
        Up to and at the second of its start nothing opens; the verdict says how long.
        """
        url = signed(starts_at_s=NOW + 60)

        verdict = diagnose(url, now_s=NOW + 60)

        assert ("not_yet_valid", {"starts_at_s": NOW + 60, "in_s": 1}) == (
            verdict.cause,
            verdict.details,
        )
        assert diagnose(url, now_s=NOW + 60.5).opens

    def test_far_future(self, diagnose, signed):
        """
        A start beyond all calendars is shown in seconds.
        """
        last = policies.LAST_SECOND
        url = signed(starts_at_s=last - 1, expires_at_s=last, max_lifetime_s=last)

        assert "after second 9223372036854775806" in diagnose(url).finding

    @pytest.mark.parametrize(
        ("resource", "section"),
        [
            ("http://d1.cloudfront.net/*", "scheme"),
            ("https://d2.cloudfront.net/*", "host"),
            (f"{HOST}/b/*", "path"),
            (f"{HOST}/a/b.jpg", "query"),
        ],
    )
    def test_resource(self, diagnose, raw, resource, section):
        """
        The section in which a custom policy's resource does not match is named.
        """
        verdict = diagnose(raw(URL, policies.custom(Policy(resource, SOON))))

        details = {"section": section, "resource": resource, "sent": URL}
        assert ("resource", details) == (verdict.cause, verdict.details)

    @pytest.mark.parametrize(
        ("signed_for", "section"),
        [
            ("http://d1.cloudfront.net/a?b=1&c=2", "scheme"),
            (f"{HOST}/a?b=1", "query"),
            (f"{HOST}/a", "query"),
        ],
    )
    def test_canned_resource(self, diagnose, raw, signed_for, section):
        """
        Another scheme and parameters that were added later are found out of a canned policy too.
        """
        message = policies.canned(signed_for, expires_at_s=SOON)

        verdict = diagnose(raw(f"{HOST}/a?b=1&c=2", message, expires_at_s=SOON))

        assert ("resource", section) == (verdict.cause, verdict.details["section"])
        assert signed_for == verdict.details["resource"]

    @pytest.mark.parametrize(
        ("viewer_ip", "fix"),
        [
            ("192.0.3.1", "the address that the viewer has"),
            ("2001:db8::1", "IPv6 off"),
            ("::ffff:192.0.2.7", "IPv6 off"),
        ],
    )
    def test_ip(self, diagnose, signed, viewer_ip, fix):
        """
        A viewer at another address, or at an IPv6 address, is refused with a fix that fits.
        """
        verdict = diagnose(signed(source_ip="192.0.2.0/24"), viewer_ip=viewer_ip)

        assert ("ip", "192.0.2.0/24") == (verdict.cause, verdict.details["source_ip"])
        assert fix in verdict.fix

    def test_ip_unknown(self, diagnose, signed):
        """
        Where the viewer's address is not known, the verdict says for whom it opens.
        """
        verdict = diagnose(signed(source_ip=VIEWER), viewer_ip=None)

        assert "It opens, for viewers at 192.0.2.7/32 only." == verdict.finding

    def test_ip_malformed(self, diagnose, signed):
        """
        What is no address is not compared with one.
        """
        verdict = diagnose(signed(source_ip=VIEWER), viewer_ip="192.0.2.7:443")

        assert {"what": "viewer's address"} == verdict.details

    def test_url_wins(self, diagnose, signed):
        """
        A signature in the URL is judged, whatever the cookies say.
        """
        bad = {"CloudFront-Signature": "x"}

        assert diagnose(signed(), cookies=bad).opens
        assert "missing_parameter" == diagnose(URL, cookies=bad).cause

    def test_cookies_twice(self, diagnose):
        """
        Two sets of cookies whose paths overlap are found out.
        """
        verdict = diagnose(URL, cookies="CloudFront-Policy=a; CloudFront-Policy=b")

        assert "overlap" in verdict.finding

    def test_first(self, diagnose, signed):
        """
        Of several failures the first in order is named: who, whether, when, what, for whom.
        """
        url = signed(resource=f"{HOST}/a/*", source_ip="203.0.113.1").replace("/a/b", "/b/b")

        def cause(url):
            return diagnose(url, now_s=SOON).cause

        assert "unknown_key" == cause(url.replace("K-RSA", "KNEW"))
        assert "expired" == cause(url)
        assert "resource" == diagnose(url).cause
        assert "ip" == diagnose(url.replace("/b/b", "/a/b")).cause

    def test_no_signature_shown(self, diagnose, signed):
        """
        No verdict shows a signature.
        """
        url = signed(resource=f"{HOST}/a/*")
        signature = url.partition("Signature=")[2].partition("&")[0]
        wrong = url.replace("/a/b", "/b/b")

        verdicts = [
            diagnose(url),
            diagnose(wrong),
            diagnose(url, now_s=SOON),
            diagnose(url.replace("K-RSA", "KNEW")),
            diagnose(url.replace(signature, f"{signature}=")),
        ]

        assert not [verdict for verdict in verdicts if signature[:20] in repr(verdict)]
