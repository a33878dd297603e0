"""Tests of local.edge.wildcards."""

import sys
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.edge import behaviors, policies, wildcards
from local.edge.policies import ViewerRequest
from local.edge.wildcards import collapse, matches, matching_prefixes

PATTERNS = st.text("ab/*?", max_size=10)
TEXTS = st.text("ab/\n", max_size=10)


def reference(pattern, text):
    """The definition, word for word: slow and plain."""
    if not pattern:
        return not text
    rest = pattern[1:]
    if pattern[0] == "*":
        return any(reference(rest, text[skipped:]) for skipped in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and reference(rest, text[1:])


def steps(function, *arguments):
    """Count the lines of local.edge.wildcards that a call runs, once it knows the pattern."""
    function(*arguments)
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if frame.f_code.co_filename != wildcards.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return count


class TestMatches:
    @given(PATTERNS, TEXTS)
    @example("", "")
    @example("*", "")
    @example("**", "")
    @example("?", "?")
    @example("a*", "a")
    @example("*a*b", "aabab")
    def test_reference(self, pattern, text):
        """
        It decides as the plain definition does.
        """
        assert matches(pattern, text) == reference(pattern, text)

    @pytest.mark.parametrize(
        ("pattern", "text"),
        [("a.c", "abc"), ("[ab]", "a"), ("a|b", "a"), ("a+", "aa"), ("^a", "a")],
    )
    def test_literal(self, pattern, text):
        """
        What means something in a regular expression stands for itself.
        """
        assert not matches(pattern, text)
        assert matches(pattern, pattern)


class TestMatchingPrefixes:
    @given(PATTERNS.map(collapse), TEXTS)
    def test_reference(self, pattern, text):
        """
        Each beginning of the pattern is answered for.
        """
        lengths = matching_prefixes(pattern, text)

        assert [bool(lengths >> n & 1) for n in range(len(pattern) + 2)] == [
            *(reference(pattern[:n], text) for n in range(len(pattern) + 1)),
            False,
        ]


class TestGrowth:
    """No text and no pattern takes more than its own length of steps."""

    LENGTHS = (64, 128, 256)

    def assert_linear(self, counts):
        assert counts[0] > self.LENGTHS[0]
        assert all(longer <= 2.2 * shorter for shorter, longer in pairwise(counts))

    @pytest.mark.parametrize("pattern", ["/*/*/*/*.jpg", "*a*a*a*a*b", "*?*?*?*?*b"])
    def test_behavior(self, pattern):
        """
        A path twice as long takes twice the steps, however many wildcards a behavior has.
        """
        config = {
            "CacheBehaviors": {"Items": [{"PathPattern": pattern}]},
            "DefaultCacheBehavior": {},
        }

        self.assert_linear(
            [steps(behaviors.choose, config, "/" + "a/" * (n // 2)) for n in self.LENGTHS]
        )

    def test_wildcards(self):
        """
        A pattern with many more wildcards takes no more steps.
        """
        few, many = (steps(matches, "*a" * count + "*b", "a" * 128) for count in (4, 64))

        assert 0 < many <= few

    def test_policy(self):
        """
        Nor do the many places where a policy's query string could begin multiply the steps.
        """
        counts = []
        for length in self.LENGTHS:
            viewer_request = ViewerRequest(
                "https", "www.example.com", "/" + "a" * length, "a" * length, "192.0.2.1"
            )
            resource = f"https://www.example.com/{'*?' * (length // 2)}b"
            counts.append(steps(policies.matches, resource, viewer_request))

        self.assert_linear(counts)

    @pytest.mark.parametrize("path", ["/" * 1_024, "/" + "a/" * 512])
    def test_long_key(self, path):
        """
        A key of 1,024 bytes is held against a pattern of many wildcards.
        """
        assert not matches("/*/*/*/*.jpg", path)
        assert matches("/*/*/*/*.jpg", f"{path}.jpg")
