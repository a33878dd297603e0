"""Tests of local.edge.forwarding."""

from local.edge import forwarding
from local.edge.caching import Choice, Rules

NOTHING = Choice("none")
HEADERS = {
    "host": "media.example.com",
    "authorization": "Bearer t",
    "origin": "https://app.example.org",
    "cookie": "a=1; b=2",
}


def sent(behavior, **choices):
    kept = {"queries": NOTHING, "cookies": NOTHING, "headers": NOTHING} | choices
    rules = Rules(min_s=0, default_s=0, max_s=0, **kept)
    found = forwarding.forwarded(behavior, rules, query="x=1&y=2", headers=HEADERS)
    return found.query, found.headers


class TestForwarded:
    def test_nothing(self):
        """
        What is neither in the cache key nor in a policy does not reach the origin.
        """
        assert sent({}) == ("", {})

    def test_in_key(self):
        """
        What the cache tells copies apart by, the origin gets.
        """
        named = {
            "queries": Choice("whitelist", frozenset({"y"})),
            "cookies": Choice("whitelist", frozenset({"b"})),
            "headers": Choice("whitelist", frozenset({"origin"})),
        }

        headers = {"origin": "https://app.example.org", "cookie": "b=2"}
        assert sent({}, **named) == ("y=2", headers)

    def test_all_viewer_except_host(self):
        """
        An API behind its policy gets everything but the host, which is its own.
        """
        rest = {name: value for name, value in HEADERS.items() if name != "host"}
        behavior = {"OriginRequestPolicyId": forwarding.ALL_VIEWER_EXCEPT_HOST}

        assert sent(behavior) == ("x=1&y=2", rest)

    def test_unknown_policy(self):
        """
        Other policies add nothing.
        """
        assert sent({"OriginRequestPolicyId": "another"}) == ("", {})
