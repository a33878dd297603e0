"""Tests of local.edge.policies."""

import json
from ipaddress import IPv4Network

import pytest

from local.edge import policies
from local.edge.policies import MalformedPolicyError, Policy, ViewerRequest


def viewer_request(url="https://www.example.com/a/b.jpg", address="192.0.2.10"):
    scheme, _, rest = url.partition("://")
    host, slash, target = rest.partition("/")
    path, _, query = (slash + target).partition("?")
    return ViewerRequest(scheme, host, path, query, address)


def text(condition=None, **statement):
    condition = condition or {"DateLessThan": {"AWS:EpochTime": 2_000}}
    return json.dumps({"Statement": [statement | {"Condition": condition}]}).encode()


def until(moment):
    return {"DateLessThan": {"AWS:EpochTime": moment}}


class TestRead:
    def test_whole(self):
        """
        All that a policy can say, in any order and with any whitespace.
        """
        raw = b"""
            {"Statement": [{"Condition": {
                "IpAddress": {"AWS:SourceIp": "192.0.2.0/24"},
                "DateGreaterThan": {"AWS:EpochTime": 1000},
                "DateLessThan": {"AWS:EpochTime": 2000}
            }, "Resource": "https://www.example.com/\xc3\xbc"}]}
        """

        assert policies.read(raw) == Policy(
            resource="https://www.example.com/ü",
            expires_at_s=2_000,
            starts_at_s=1_000,
            network=IPv4Network("192.0.2.0/24"),
        )

    def test_least(self):
        """
        Only the expiry is required.
        """
        assert policies.read(text()) == Policy(None, 2_000)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\xff",
            b"no",
            b"[]",
            b"[" * 100_000,
            b'{"Statement":{"Condition":{"DateLessThan":{"AWS:EpochTime":1}}}}',
            b'{"Statement":[]}',
            b'{"Statement":[{"Resource":"*"}]}',
            text() + text(),
            text().replace(b"]", b",{}]"),
            text().replace(b'{"Statement"', b'{"Version":"2012-10-17","Statement"'),
            text(Effect="Allow"),
            text(Resource=1),
            text(Resource=["*"]),
            text({"DateGreaterThan": {"AWS:EpochTime": 1}}),
            text(until("2000")),
            text(until(2_000.0)),
            text(until(True)),
            text(until(-1)),
            text(until(2**63)),
            text(until(None)),
            text({"DateLessThan": 2_000}),
            text({"DateLessThan": {"AWS:EpochTime": 1, "more": 1}}),
            text(until(1) | {"DateGreaterThan": {}}),
            text(until(1) | {"DateEquals": {"AWS:EpochTime": 1}}),
            text(until(1) | {"IpAddress": {"AWS:SourceIp": "2001:db8::1"}}),
            text(until(1) | {"IpAddress": {"AWS:SourceIp": "www.example.com"}}),
            text(until(1) | {"IpAddress": {"AWS:SourceIp": ["192.0.2.1"]}}),
            text(until(1) | {"IpAddress": "192.0.2.1"}),
            b'{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1,"AWS:EpochTime":9}}}]}',
        ],
    )
    def test_malformed(self, raw):
        """
        Whatever else a text is, it is no policy.
        """
        with pytest.raises(MalformedPolicyError):
            policies.read(raw)

    def test_latest(self):
        """
        The last moment is the largest integer of 64 bits.
        """
        assert policies.read(text(until(2**63 - 1))).expires_at_s == 2**63 - 1


class TestAllows:
    @pytest.mark.parametrize(
        ("now", "allowed"),
        [(1_000, False), (1_000.9, False), (1_001, True), (1_999.9, True), (2_000, False)],
    )
    def test_time(self, now, allowed):
        """
        Nothing is allowed on or before the start, and nothing from the expiry on.
        """
        assert Policy(None, 2_000, 1_000).allows(viewer_request(), now=now) is allowed

    @pytest.mark.parametrize(
        ("network", "address", "allowed"),
        [
            ("192.0.2.10", "192.0.2.10", True),
            ("192.0.2.10/32", "192.0.2.10", True),
            ("192.0.2.10/32", "192.0.2.11", False),
            ("192.0.2.0/24", "192.0.2.255", True),
            ("192.0.2.7/24", "192.0.2.255", True),
            ("192.0.2.0/24", "192.0.3.0", False),
            ("0.0.0.0/0", "203.0.113.9", True),
            ("0.0.0.0/0", "2001:db8::1", False),
        ],
    )
    def test_address(self, network, address, allowed):
        """
        The viewer's address lies in the range; one of IPv6 lies in none.
        """
        policy = policies.read(text(until(9) | {"IpAddress": {"AWS:SourceIp": network}}))

        assert policy.allows(viewer_request(address=address), now=1) is allowed

    def test_resource(self):
        """
        Without a resource every URL is allowed, with one only what matches.
        """
        assert Policy(None, 9).allows(viewer_request(), now=1)
        assert Policy("https://www.example.com/a/*", 9).allows(viewer_request(), now=1)
        assert not Policy("https://www.example.com/b/*", 9).allows(viewer_request(), now=1)


class TestMatches:
    @pytest.mark.parametrize(
        ("resource", "url", "matches"),
        [
            # All of it.
            ("*", "http://any.example.org/x?y=z", True),
            # Exactly.
            ("https://h.org/a", "https://h.org/a", True),
            ("https://h.org/a", "https://h.org/A", False),
            ("https://h.org/a", "https://h.org/ab", False),
            ("https://h.org/a", "https://h.org/a?x=1", False),
            ("https://h.org/a?x=1", "https://h.org/a?x=1", True),
            ("https://h.org/a?x=1", "https://h.org/a?x=1&y=2", False),
            ("https://h.org/a?x=1", "https://h.org/a", False),
            ("https://h.org/a.b", "https://h.org/aXb", False),
            # Protocols.
            ("http://h.org/a", "https://h.org/a", False),
            ("*://h.org/a", "https://h.org/a", True),
            ("http*://h.org/a", "http://h.org/a", True),
            ("http?://h.org/a", "http://h.org/a", False),
            ("h.org/a", "https://h.org/a", False),
            ("/a", "https://h.org/a", False),
            ("", "https://h.org/a", False),
            # No wildcard leaves its section.
            ("https://www.example.com/hello*world", "https://www.example.com/helloworld", True),
            (
                "https://www.example.com/hello*world",
                "https://www.example.com/hello/big/world",
                True,
            ),
            ("https://www.example.com/hello*world", "https://www.example.net/hello?world", False),
            ("https://www.example.com/hello*world", "https://www.example.com/hello?world", False),
            ("https://*.org/a", "https://h.org/x.org/a", False),
            ("https://h*/a", "https://h.org/b/a", False),
            ("https://h.org/a?*1", "https://h.org/a?x=1", True),
            # A star at the end of a section.
            ("https://h.org/a*", "https://h.org/a", True),
            ("https://h.org/a*", "https://h.org/a/b/c?x=1", True),
            ("https://h.org/a*b", "https://h.org/ab?x=1", False),
            ("http://example.com*", "http://example.com/a?b=c", True),
            ("http://example.com*", "http://example.com.evil.org/a", True),
            ("http://example.com*/", "http://example.com/a", False),
            ("*example.com", "https://www.example.com/", True),
            ("*example.com", "https://www.example.com/a", False),
            ("*example.com/a*", "http://www.example.com/abc?d", True),
            ("https://h.org", "https://h.org/", True),
            ("https://h.org", "https://h.org/a", False),
            # One character.
            ("https://h.org/a?c", "https://h.org/abc", True),
            ("https://h.org/a?c", "https://h.org/a?c", True),
            ("https://h.org/a?c", "https://h.org/abbc", False),
            ("https://?.org/a", "https://h.org/a", True),
            # The guide's own.
            (
                "https://d111111abcdef8.cloudfront.net/*game_download.zip*",
                "https://d111111abcdef8.cloudfront.net/game_download.zip",
                True,
            ),
            (
                "https://d111111abcdef8.cloudfront.net/*game_download.zip*",
                "https://d111111abcdef8.cloudfront.net/example_game_download.zip?license=yes",
                True,
            ),
            # Letters that are special elsewhere.
            ("https://h.org/[a]+(b)|c$", "https://h.org/[a]+(b)|c$", True),
            ("https://h.org/[a]+", "https://h.org/a", False),
        ],
    )
    def test_sections(self, resource, url, matches):
        """
        A resource matches section by section, as the guide has it.
        """
        assert policies.matches(resource, viewer_request(url)) is matches


class TestUrl:
    @pytest.mark.parametrize("url", ["https://h.org/a", "https://h.org:8443/a%20b?x=1&y="])
    def test_whole(self, url):
        """
        A URL is put together as it was asked for.
        """
        assert viewer_request(url).url == url
