"""Policies are written byte for byte as CloudFront does, read back, and cover what it would."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cdn.errors import MalformedError, PolicyError
from cdn.signing import policies
from cdn.signing.policies import LAST_SECOND, Policy

HOST = "https://d1.cloudfront.net"
URLS = st.text("abü *?/&=.:\"\\'", max_size=12).map(lambda tail: f"{HOST}/{tail}")
TIMES = st.integers(1, LAST_SECOND)
IPS = st.ip_addresses(v=4).map(str)


@st.composite
def any_policies(draw):
    expires_at_s = draw(TIMES)
    return Policy(
        resource=draw(URLS),
        expires_at_s=expires_at_s,
        starts_at_s=draw(st.none() | st.integers(0, expires_at_s - 1)),
        source_ip=draw(st.none() | IPS.map(lambda ip: f"{ip}/32")),
    )


class TestCanned:
    def test_bytes(self):
        """
        The canned policy has no whitespace, its keys in the one order, its time unquoted.
        """
        policy = policies.canned(f"{HOST}/a.jpg?size=large&b=%20", expires_at_s=1767290400)

        assert policy == (
            b'{"Statement":[{"Resource":"https://d1.cloudfront.net/a.jpg?size=large&b=%20",'
            b'"Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}'
        )

    @given(url=URLS, expires_at_s=TIMES)
    def test_no_way_out(self, url, expires_at_s):
        """
        No URL can write more into a canned policy than its resource.
        """
        document = json.loads(policies.canned(url, expires_at_s=expires_at_s))

        assert document == {
            "Statement": [
                {
                    "Resource": url,
                    "Condition": {"DateLessThan": {"AWS:EpochTime": expires_at_s}},
                }
            ]
        }


class TestCustom:
    def test_bytes(self):
        """
        A custom policy has no whitespace; a lone address is a range of one.
        """
        policy = Policy(f"{HOST}/ü*", 20, starts_at_s=10, source_ip="192.0.2.7")

        assert (
            policies.custom(policy)
            == (
                '{"Statement":[{"Resource":"https://d1.cloudfront.net/ü*",'
                '"Condition":{"DateLessThan":{"AWS:EpochTime":20},'
                '"IpAddress":{"AWS:SourceIp":"192.0.2.7/32"},'
                '"DateGreaterThan":{"AWS:EpochTime":10}}}]}'
            ).encode()
        )

    def test_range(self):
        """
        A range is written without the bits that it does not look at.
        """
        policy = Policy(f"{HOST}/*", 20, source_ip="192.0.2.7/24")

        assert b'"AWS:SourceIp":"192.0.2.0/24"' in policies.custom(policy)

    @given(any_policies())
    def test_read_back(self, policy):
        """
        A policy that was written reads as the same policy.
        """
        assert policy == policies.parse(policies.custom(policy))


class TestPolicy:
    @pytest.mark.parametrize(
        ("changes", "field", "word"),
        [
            ({"source_ip": "2001:db8::1"}, "source_ip", "IPv6"),
            ({"source_ip": "2001:db8::/32"}, "source_ip", "IPv6"),
            ({"source_ip": "::ffff:192.0.2.1"}, "source_ip", "IPv6"),
            ({"source_ip": "192.0.2.256"}, "source_ip", "no IPv4"),
            ({"source_ip": "192.0.2.0/33"}, "source_ip", "no IPv4"),
            ({"source_ip": "192.0.2.0/255.255.255.0"}, "source_ip", "one IPv4"),
            ({"source_ip": "192.0.2.1,192.0.2.2"}, "source_ip", "one IPv4"),
            ({"source_ip": "example.com"}, "source_ip", "one IPv4"),
            ({"source_ip": "192.0.2.1\n"}, "source_ip", "one IPv4"),
            ({"source_ip": ""}, "source_ip", "one IPv4"),
            ({"expires_at_s": -1}, "expires_at_s", "whole number"),
            ({"expires_at_s": LAST_SECOND + 1}, "expires_at_s", "whole number"),
            ({"expires_at_s": 1.5}, "expires_at_s", "whole number"),
            ({"expires_at_s": True}, "expires_at_s", "whole number"),
            ({"expires_at_s": "20"}, "expires_at_s", "whole number"),
            ({"starts_at_s": -1}, "starts_at_s", "whole number"),
            ({"starts_at_s": 20}, "starts_at_s", "before"),
            ({"starts_at_s": 21}, "starts_at_s", "before"),
            ({"resource": "d1.cloudfront.net/*"}, "resource", "start with"),
            ({"resource": "ftp://d1.cloudfront.net/*"}, "resource", "start with"),
            ({"resource": "/images/*"}, "resource", "start with"),
            ({"resource": ""}, "resource", "start with"),
            ({"resource": f"{HOST}/a\r\n*"}, "resource", "covers no URL"),
        ],
    )
    def test_refused(self, changes, field, word):
        """
        What CloudFront cannot check is refused, and the field named.
        """
        with pytest.raises(PolicyError, match=word) as refusal:
            Policy(**{"resource": f"{HOST}/*", "expires_at_s": 20} | changes)

        assert field == refusal.value.what

    def test_bounds(self):
        """
        Times may be 0 and the last that a 64-bit integer holds.
        """
        policy = Policy(f"{HOST}/*", LAST_SECOND, starts_at_s=0)

        assert (0, LAST_SECOND) == (policy.starts_at_s, policy.expires_at_s)


class TestParse:
    def test_any_order(self):
        """
        Order and whitespace do not matter.
        """
        policy = policies.parse(b"""
            {"Statement": [ {"Condition": {
                "IpAddress": {"AWS:SourceIp": "192.0.2.0/24"},
                "DateGreaterThan": {"AWS:EpochTime": 10},
                "DateLessThan": {"AWS:EpochTime": 20}
            }, "Resource": "*://*.example.com/*"} ]}
        """)

        assert policy == Policy("*://*.example.com/*", 20, 10, "192.0.2.0/24")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("[]", "no policy that is an object"),
            ("{}", "exactly one Statement"),
            ('{"Statement":[]}', "exactly one Statement"),
            ('{"Statement":[1,2]}', "exactly one Statement"),
            ('{"Statement":[1]}', "no Statement that is an object"),
            ('{"Statement":[{}]}', "no Condition that is an object"),
            ('{"Statement":[{"Condition":{}}]}', "no DateLessThan"),
            ('{"statement":[{"Condition":{}}]}', "beside Statement"),
            ('{"Statement":[{"Effect":"Allow"}]}', "beside Resource, Condition"),
            ('{"Statement":[{"Resource":null}]}', "null as its Resource"),
            ('{"Statement":[{"Resource":"*","Resource":"*"}]}', "twice"),
            ('{"Statement":[{"Condition":{"DateLessThan":{}}}]}', "expires_at_s must be"),
            (
                '{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":"9"}}}]}',
                "expires_at_s must be",
            ),
            (
                '{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":9.0}}}]}',
                "expires_at_s must be",
            ),
            (
                '{"Statement":[{"Resource":["*"],"Condition":{"DateLessThan":{"AWS:EpochTime":9}}}]}',
                "resource must start",
            ),
        ],
    )
    def test_malformed(self, text, reason):
        """
        What is no policy is refused with what is wrong with it.
        """
        with pytest.raises(MalformedError, match=reason):
            policies.parse(text.encode())

    def test_not_utf8(self):
        """
        A policy in another encoding than UTF-8 is refused as that.
        """
        with pytest.raises(MalformedError, match="UTF-8"):
            policies.parse(b"\xff")


class TestBase64:
    def test_alphabet(self):
        """
        CloudFront writes - for +, _ for = and ~ for /.
        """
        assert "--~~AA__" == policies.encode(b"\xfb\xef\xff\x00")

    @given(st.binary())
    def test_read_back(self, data):
        """
        What was written reads as the same bytes.
        """
        assert data == policies.decode(policies.encode(data))

    @given(st.text("ABab01-_~+/=%\n ", max_size=8))
    def test_one_text(self, text):
        """
        No two texts mean the same bytes.
        """
        try:
            data = policies.decode(text)
        except MalformedError:
            return

        assert text == policies.encode(data)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("AA==", "plain base64"),
            ("A/+A", "plain base64"),
            ("AA%5F%5F", "percent-encoded"),
            ("AA", "cut off"),
            ("AAA AAA_", "cut off"),
            ("ÄAAA", "cut off"),
            ("AB__", "bits"),
        ],
    )
    def test_malformed(self, text, reason):
        """
        What nobody has written so is refused with what is wrong with it.
        """
        with pytest.raises(MalformedError, match=reason) as refusal:
            policies.decode(text, what="Signature")

        assert "Signature" == refusal.value.what


class TestCovers:
    @pytest.mark.parametrize(
        ("resource", "url"),
        [
            ("*", "http://any.example/x?y"),
            ("https://d1.cloudfront.net/*game.zip*", f"{HOST}/game.zip"),
            ("https://d1.cloudfront.net/*game.zip*", f"{HOST}/a_game.zip?license=yes"),
            ("https://d1.cloudfront.net/*game.zip*", f"{HOST}/test/game.zip?a/b"),
            ("https://d1.cloudfront.net/*", f"{HOST}/"),
            ("https://d1.cloudfront.net/*", f"{HOST}/a/b?c"),
            ("https://d1.cloudfront.net/a?.jpg", f"{HOST}/a1.jpg"),
            ("https://d1.cloudfront.net/a.jpg?size=large", f"{HOST}/a.jpg?size=large"),
            ("https://d1.cloudfront.net/a.jpg?*", f"{HOST}/a.jpg?size=large"),
            ("https://d1.cloudfront.net/a.jpg?*", f"{HOST}/a.jpg"),
            ("https://d1.cloudfront.net/a?.jpg?size=*", f"{HOST}/a1.jpg?size=2"),
            ("https://d1.cloudfront.net/a?b?c", f"{HOST}/a?bxc"),
            ("http://example.com*", "http://example.com/a/b?c=d"),
            ("http://example.com*", "http://example.com.au/"),
            ("*example.com", "https://www.example.com/"),
            ("*example.com", "http://example.com/"),
            ("*.example.com/a", "http://b.example.com/a"),
            ("*://d1.cloudfront.net/a", "http://d1.cloudfront.net/a"),
            ("http://*/a", "http://d1.cloudfront.net/a"),
            ("https://D1.cloudfront.net/a", f"{HOST}/a"),
            ("https://d1.cloudfront.net/a", "https://D1.cloudfront.net/a"),
            ("https://d1.cloudfront.net/[a]/*", f"{HOST}/[a]/b"),
        ],
    )
    def test_covered(self, resource, url):
        """
        A * stands for any text of its section, a ? for one character, and a last * for the rest.
        """
        assert policies.covers(resource, url)

    @pytest.mark.parametrize(
        ("resource", "url", "section"),
        [
            ("http://d1.cloudfront.net/*", f"{HOST}/a", "scheme"),
            ("https://d2.cloudfront.net/*", f"{HOST}/a", "host"),
            ("https://*.example.com/*", "https://example.com/a", "host"),
            ("https://example.com/*", "https://example.com:8443/a", "host"),
            ("https://www.example.com/hello*world", "https://www.example.net/hello?world", "host"),
            ("https://d1.cloudfront.net/hello*world", f"{HOST}/hello?world", "path"),
            ("https://d1.cloudfront.net/a/*", f"{HOST}/b/1.jpg", "path"),
            ("https://d1.cloudfront.net/a/*", f"{HOST}/a", "path"),
            ("https://d1.cloudfront.net/A/*", f"{HOST}/a/1.jpg", "path"),
            ("https://d1.cloudfront.net/a?.jpg", f"{HOST}/a12.jpg", "path"),
            ("https://d1.cloudfront.net/a", f"{HOST}/a?b", "query"),
            ("https://d1.cloudfront.net/*/a", f"{HOST}/x/a?b", "query"),
            ("https://d1.cloudfront.net/a?b=1", f"{HOST}/a?b=2", "query"),
            ("https://d1.cloudfront.net/a?b=1*", f"{HOST}/a?c&b=1", "query"),
            ("https://d1.cloudfront.net/a?.jpg?b=1", f"{HOST}/a1.jpg?b=2", "query"),
            ("*example.com", "https://www.example.com/a", "path"),
            ("https://d1.cloudfront.net/[ab]", f"{HOST}/a", "path"),
        ],
    )
    def test_not_covered(self, resource, url, section):
        """
        A wildcard never leaves its section, and the first section that fails is named.
        """
        assert section == policies.mismatch(resource, url)

    @given(tail=st.text("ab?&/.", max_size=8), cut=st.integers(0, 8))
    def test_prefix(self, tail, cut):
        """
        A last * of a path covers every URL that begins as the resource does.
        """
        assume("?" not in tail[:cut])

        assert policies.covers(f"{HOST}/{tail[:cut]}*", f"{HOST}/{tail}")


class TestEncodeResource:
    @pytest.mark.parametrize(
        ("resource", "encoded"),
        [
            ("*", "*"),
            (f"{HOST}/Übung 1/*", f"{HOST}/%C3%9Cbung%201/*"),
            ("https://D1.CloudFront.net:443/a?", f"{HOST}/a?"),
            ("*://*.Example.com/a b*?q=*", "*://*.example.com/a%20b*?q=*"),
            ("*.example.com/ü", "*://*.example.com/%C3%BC"),
            ("*example.com", "*://*example.com/"),
            ("https://d1.cloudfront.net?a=*", f"{HOST}/?a=*"),
            ("http://example.com*", "http://example.com*"),
        ],
    )
    def test_as_sent(self, resource, encoded):
        """
        All but the wildcards is written as in the URLs that shall be covered.
        """
        assert encoded == policies.encode_resource(resource)

    @pytest.mark.parametrize(
        "resource",
        [
            f"{HOST}/a#*",
            f"{HOST}/a/../*",
            f"{HOST}/50%/*",
            "https://me@d1.cloudfront.net/*",
            "https:///*",
            "https://exämple.com/*",
        ],
    )
    def test_refused(self, resource):
        """
        A resource that could cover no URL is refused.
        """
        with pytest.raises(PolicyError, match="covers no URL"):
            policies.encode_resource(resource)
