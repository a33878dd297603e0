"""Tests of local.edge.access: signed by cryptography and botocore, verified by the edge."""

import base64
import json
from datetime import UTC, datetime

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from hypothesis import given
from hypothesis import strategies as st

from local.edge import access
from local.edge.access import (
    DENIED,
    MALFORMED_POLICY,
    MALFORMED_SIGNATURE,
    MISSING_KEY,
    UNKNOWN_KEY,
)
from local.edge.policies import ViewerRequest

URL = "https://d111.cloudfront.net/private/a.jpg"
NOW = 1_000
EXPIRES = 2_000
HASHES = {"SHA1": SHA1(), "SHA256": SHA256()}  # noqa: S303 - the default of CloudFront


def encoded(raw):
    return base64.b64encode(raw).decode().translate(str.maketrans("+=/", "-_~"))


def canned(url, expires=EXPIRES):
    condition = f'{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}'
    return f'{{"Statement":[{{"Resource":"{url}","Condition":{condition}}}]}}'.encode()


def custom(resource="https://d111.cloudfront.net/private/*", expires=EXPIRES, **condition):
    condition = {"DateLessThan": {"AWS:EpochTime": expires}} | condition
    policy = {"Statement": [{"Resource": resource, "Condition": condition}]}
    return json.dumps(policy, separators=(",", ":")).encode()


@pytest.fixture(scope="session")
def sign(private_keys):
    def sign(text, kind="ecdsa", hashed_by="SHA1"):
        if kind == "rsa":
            return private_keys["rsa"].sign(text, padding.PKCS1v15(), HASHES[hashed_by])
        return private_keys["ecdsa"].sign(text, ec.ECDSA(HASHES[hashed_by]))

    return sign


@pytest.fixture(scope="session")
def keys(pems):
    return {"Krsa": pems["rsa"], "Kecdsa": pems["ecdsa"]}


@pytest.fixture(scope="session")
def parameters(sign):
    """
    Make the parameters of a signed URL, in the order of the guide; none for what is None.
    """

    def parameters(text=None, *, kind="ecdsa", hashed_by=None, **changes):
        if text is None:
            made = {"Expires": str(EXPIRES)}
            text = canned(URL)
        else:
            made = {"Policy": encoded(text)}
        made["Signature"] = encoded(sign(text, kind, hashed_by or "SHA1"))
        made["Key-Pair-Id"] = f"K{kind}"
        made["Hash-Algorithm"] = hashed_by
        made |= {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in made.items() if value is not None}

    return parameters


def query_of(parameters):
    return "&".join(f"{name}={value}" for name, value in parameters.items())


def cookies_of(parameters):
    return {"cookie": "; ".join(f"CloudFront-{name}={value}" for name, value in parameters.items())}


@pytest.fixture(scope="session")
def deny(keys):
    """
    Ask for *url* with a query string and cookies, and give what speaks against it.
    """

    def deny(query="", headers=(), *, url=URL, now=NOW, address="192.0.2.1", keys=keys):
        target, _, own = url.partition("?")
        scheme, _, rest = target.partition("://")
        host, _, path = rest.partition("/")
        whole = "&".join(part for part in (own, query) if part)
        viewer_request = ViewerRequest(
            scheme, host, f"/{path}", access.without_parameters(whole), address
        )
        return access.denial(viewer_request, whole, dict(headers), keys=keys, now=now)

    return deny


@pytest.fixture(scope="session", params=["url", "cookies"])
def ask(request, deny):
    """
    Ask with parameters in the query, or in cookies.
    """

    def ask(parameters, **more):
        if request.param == "url":
            return deny(query_of(parameters), **more)
        return deny(headers=cookies_of(parameters), **more)

    return ask


class TestOpens:
    @pytest.mark.parametrize("hashed_by", [None, "SHA1", "SHA256"])
    @pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
    @pytest.mark.parametrize("text", [None, custom()], ids=["canned", "custom"])
    def test_everything(self, ask, parameters, text, kind, hashed_by):
        """
        Both policies open, signed by both kinds of key with both hashes, as URL and as cookies.
        """
        assert ask(parameters(text, kind=kind, hashed_by=hashed_by)) is None

    @pytest.mark.parametrize(
        "url", [URL, f"{URL}?size=large&b=", "http://d111.cloudfront.net/%C3%BC"]
    )
    def test_botocore(self, deny, sign, url):
        """
        What botocore signs opens, as it is.
        """
        signer = CloudFrontSigner("Krsa", lambda text: sign(text, "rsa"))
        moment = datetime.fromtimestamp(EXPIRES, UTC)

        by_canned = signer.generate_presigned_url(url, date_less_than=moment)
        policy = signer.build_policy(url, moment, moment.fromtimestamp(1, UTC), "192.0.2.0/24")
        by_custom = signer.generate_presigned_url(url, policy=policy)

        assert deny(url=by_canned) is None
        assert deny(url=by_custom) is None

    def test_any_order(self, deny, parameters, sign):
        """
        Parameters may stand in any order, and between those of the viewer.
        """
        url = f"{URL}?a=1&b=2"
        own = parameters(Signature=encoded(sign(canned(url))))

        query = "&".join(["a=1", *(f"{name}={own[name]}" for name in sorted(own)), "b=2"])

        assert deny(query) is None

    def test_canned_as_custom(self, deny, parameters):
        """
        Who signs a star under a canned policy has signed a custom policy that opens more.
        """
        text = canned("https://d111.cloudfront.net/private/*")

        assert deny(query_of(parameters(text))) is None

    @pytest.mark.parametrize("expires", [0, EXPIRES, 2**63 - 1])
    def test_expires(self, deny, parameters, sign, expires):
        """
        An expiry is any integer of 64 bits, and is looked at.
        """
        own = parameters(Expires=str(expires), Signature=encoded(sign(canned(URL, expires))))

        assert deny(query_of(own)) == (DENIED if expires == 0 else None)


class TestDenied:
    @pytest.mark.parametrize("changes", [{"Key_Pair_Id": None}, {"Key_Pair_Id": ""}])
    def test_missing_key(self, ask, parameters, changes):
        """
        Without a key id nothing else is looked at.
        """
        assert ask(parameters(Signature="!", **changes)) == MISSING_KEY

    def test_nothing(self, deny):
        """
        Who comes with nothing has no key id either.
        """
        assert deny() == MISSING_KEY

    def test_unknown_key(self, ask, parameters, keys):
        """
        A key must be trusted, however well it signs.
        """
        others = {"Krsa": keys["Krsa"]}

        assert ask(parameters(), keys=others) == UNKNOWN_KEY
        assert ask(parameters(Key_Pair_Id="kecdsa")) == UNKNOWN_KEY

    @pytest.mark.parametrize(
        "changes",
        [
            {"Expires": None},
            {"Expires": ""},
            {"Expires": "soon"},
            {"Expires": "-1"},
            {"Expires": "2000.0"},
            {"Expires": str(2**63)},
            {"Expires": "\u0662"},
            {"Policy": ""},
            {"Policy": "!"},
            {"Policy": encoded(b"no policy")},
        ],
    )
    def test_malformed_policy(self, ask, parameters, changes):
        """
        Neither an expiry nor a policy that can be read.
        """
        assert ask(parameters(**changes)) == MALFORMED_POLICY

    @pytest.mark.parametrize("signature", [None, "", "!", "abc", "ab+/", "ab==", "ab%7E_"])
    def test_malformed_signature(self, ask, parameters, signature):
        """
        A signature is base64 in CloudFront's letters, or it is none.
        """
        assert ask(parameters(Signature=signature)) == MALFORMED_SIGNATURE

    @pytest.mark.parametrize(
        "changes",
        [
            {"Hash_Algorithm": "SHA256"},
            {"Hash_Algorithm": "sha1"},
            {"Hash_Algorithm": "MD5"},
            {"Hash_Algorithm": ""},
            {"Key_Pair_Id": "Krsa"},
            {"Expires": "2001"},
            {"Expires": "02000"},
            {"Signature": encoded(b"signed")},
        ],
    )
    def test_not_signed(self, ask, parameters, changes):
        """
        What was not signed so, by this key, with this hash, is denied.
        """
        assert ask(parameters(**changes)) == DENIED

    def test_one_spelling(self, ask, parameters):
        """
        The bits that base64 leaves over are no other spelling of the same signature.
        """
        own = parameters(kind="rsa")
        body, last = own["Signature"][:-3], own["Signature"][-3]
        assert own["Signature"].endswith("__")
        own["Signature"] = f"{body}{chr(ord(last) + 1)}__"

        assert last in "AQgw"
        assert ask(own) == MALFORMED_SIGNATURE

    @pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
    def test_sha256_by_default(self, ask, parameters, kind):
        """
        Without its name the hash is SHA-1, never the other.
        """
        own = parameters(kind=kind, hashed_by="SHA256")
        del own["Hash-Algorithm"]

        assert ask(own) == DENIED

    def test_raw_ecdsa(self, deny, private_keys, parameters):
        """
        An ECDSA signature is DER; the two bare numbers are none.
        """
        der = private_keys["ecdsa"].sign(canned(URL), ec.ECDSA(HASHES["SHA1"]))
        r, s = decode_dss_signature(der)
        raw = r.to_bytes(32) + s.to_bytes(32)

        assert deny(query_of(parameters(Signature=encoded(raw)))) == DENIED

    @pytest.mark.parametrize("now", [EXPIRES - 0.1, EXPIRES])
    @pytest.mark.parametrize("text", [None, custom()], ids=["canned", "custom"])
    def test_expired(self, ask, parameters, text, now):
        """
        The request's beginning counts: up to the expiry it opens, from then on it does not.
        """
        assert ask(parameters(text), now=now) == (DENIED if now == EXPIRES else None)

    def test_conditions(self, ask, parameters):
        """
        A start, an address and a resource are held against the request.
        """
        start = {"DateGreaterThan": {"AWS:EpochTime": NOW}}
        address = {"IpAddress": {"AWS:SourceIp": "192.0.2.1/32"}}

        seen = [
            ask(parameters(custom(**start))),
            ask(parameters(custom(**start)), now=NOW + 1),
            ask(parameters(custom(**address))),
            ask(parameters(custom(**address)), address="192.0.2.2"),
            ask(parameters(custom()), url="https://d111.cloudfront.net/other/a.jpg"),
        ]

        assert seen == [DENIED, None, None, DENIED, DENIED]

    @pytest.mark.parametrize(
        "url",
        [
            "http://d111.cloudfront.net/private/a.jpg",
            "https://d112.cloudfront.net/private/a.jpg",
            "https://d111.cloudfront.net/private/A.jpg",
            "https://d111.cloudfront.net/private/%61.jpg",
            "https://d111.cloudfront.net/private/a.jpg?x=1",
        ],
    )
    def test_other_url(self, ask, parameters, url):
        """
        A canned policy opens the very URL that was signed.
        """
        assert ask(parameters(), url=url) == DENIED

    @given(
        kind=st.sampled_from(["rsa", "ecdsa"]),
        place=st.integers(0, 10_000),
        letters=st.permutations("ABCXYZabcxyz0189-_~=&.!"),
    )
    def test_one_character(self, kind, place, letters, deny, parameters):
        """
        No character of a signed query string can be another.
        """
        # An ECDSA signature is another each time, and so is its length.
        query = query_of(parameters(kind=kind))
        place %= len(query)
        letter = next(one for one in letters if one != query[place])

        assert deny(query[:place] + letter + query[place + 1 :]) is not None


class TestPrecedence:
    def test_url_wins(self, deny, parameters):
        """
        A URL with any of the parameters is a signed URL, good cookies or not.
        """
        good = parameters()

        assert deny(query_of(good), cookies_of({"Key-Pair-Id": "K0"})) is None
        for name in access.NAMES:
            assert deny(f"{name}=x", cookies_of(good)) in (MISSING_KEY, UNKNOWN_KEY)

    def test_names_are_exact(self, deny, parameters):
        """
        Names that only look alike are the viewer's own.
        """
        own = parameters(custom())

        assert deny("expires=1&Expiress=2&policy=", cookies_of(own)) is None

    def test_first_parameter(self, deny, parameters):
        """
        Of two parameters of one name the first counts.
        """
        good, other = query_of(parameters()), "Key-Pair-Id=K0"

        assert deny(f"{good}&{other}") is None
        assert deny(f"{other}&{good}") == UNKNOWN_KEY

    def test_first_cookie(self, deny, parameters):
        """
        Of two sets of cookies the first counts, which in a browser has the longer path.
        """
        good, other = cookies_of(parameters()), cookies_of(parameters(Key_Pair_Id="K0"))

        assert deny(headers={"cookie": f"{good['cookie']}; {other['cookie']}"}) is None
        assert deny(headers={"cookie": f"{other['cookie']}; {good['cookie']}"}) == UNKNOWN_KEY


class TestWithoutParameters:
    @pytest.mark.parametrize(
        ("query", "rest"),
        [
            ("", ""),
            ("a=1", "a=1"),
            ("Expires=1&Signature=x&Key-Pair-Id=K", ""),
            ("a=1&Policy=x&&b&Hash-Algorithm=SHA1&a=2", "a=1&&b&a=2"),
            ("expires=1", "expires=1"),
        ],
    )
    def test_rest(self, query, rest):
        """
        What is the viewer's stays as it is.
        """
        assert access.without_parameters(query) == rest


class TestWithoutCookies:
    def test_rest(self, parameters):
        """
        Other cookies stay, and without any there is no header.
        """
        signed = cookies_of(parameters())["cookie"]

        mixed = access.without_cookies({"cookie": f"a=1; {signed};b=2", "accept": "*/*"})

        assert mixed == {"cookie": "a=1; b=2", "accept": "*/*"}
        assert access.without_cookies({"cookie": signed}) == {}
