"""Tests of local.edge.caching."""

import pytest

from local.edge import caching

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def policy(least=10, default=100, most=1_000, **in_key):
    parameters = {
        "HeadersConfig": {"HeaderBehavior": "none"},
        "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "none"},
    }
    return {
        "MinTTL": least,
        "DefaultTTL": default,
        "MaxTTL": most,
        "ParametersInCacheKeyAndForwardedToOrigin": parameters | in_key,
    }


def behavior(*, query=True, keys=(), headers=(), **times):
    return {
        "ForwardedValues": {
            "QueryString": query,
            "QueryStringCacheKeys": {"Quantity": len(keys), "Items": list(keys)},
            "Cookies": {"Forward": "none"},
            "Headers": {"Quantity": len(headers), "Items": list(headers)},
        }
    } | times


class TestLifetime:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, 100),
            ({"cache-control": "max-age=50"}, 50),
            ({"cache-control": "max-age=5"}, 10),
            ({"cache-control": "max-age=5000"}, 1_000),
            ({"cache-control": "public, Max-Age=50, s-maxage=60"}, 60),
            ({"cache-control": 's-maxage="70"'}, 70),
            ({"cache-control": "no-store"}, 10),
            ({"cache-control": "no-cache, max-age=50"}, 10),
            ({"cache-control": "private"}, 10),
            ({"cache-control": "public"}, 100),
            ({"cache-control": "max-age=x"}, 100),
            ({"expires": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60),
            ({"expires": "Tue, 14 Nov 2023 22:12:20 GMT"}, 10),
            ({"expires": "0"}, 10),
            ({"expires": "Tue, 14 Nov 2023 22:14:20 GMT", "cache-control": "max-age=20"}, 20),
        ],
    )
    def test_by_policy(self, headers, seconds):
        """
        The origin's word counts between least and most; without one the default does.
        """
        assert caching.rules({}, policy()).lifetime_s(headers, now=NOW) == seconds

    def test_not_at_all(self):
        """
        With a least of nothing, no-store is not kept.
        """
        rules = caching.rules({}, policy(least=0))

        assert rules.lifetime_s({"cache-control": "no-store"}, now=NOW) == 0

    @pytest.mark.parametrize(
        ("times", "headers", "seconds"),
        [
            ({}, {}, 86_400),
            ({}, {"cache-control": "max-age=99999999"}, 31_536_000),
            ({"MinTTL": 100_000}, {}, 100_000),
            ({"MinTTL": 5, "DefaultTTL": 6, "MaxTTL": 7}, {}, 6),
            ({"MinTTL": 5, "DefaultTTL": 6, "MaxTTL": 7}, {"cache-control": "max-age=9"}, 7),
        ],
    )
    def test_by_behavior(self, times, headers, seconds):
        """
        The older settings mean the same, with a day and a year where they are silent.
        """
        rules = caching.rules(behavior(**times), None)

        assert rules.lifetime_s(headers, now=NOW) == seconds


class TestQueryInKey:
    @pytest.mark.parametrize(
        ("how", "kept"),
        [
            ({"QueryStringBehavior": "none"}, ""),
            ({"QueryStringBehavior": "all"}, "b=2&a=1&c"),
            (
                {
                    "QueryStringBehavior": "whitelist",
                    "QueryStrings": {"Quantity": 2, "Items": ["a", "c"]},
                },
                "a=1&c",
            ),
            (
                {
                    "QueryStringBehavior": "allExcept",
                    "QueryStrings": {"Quantity": 1, "Items": ["a"]},
                },
                "b=2&c",
            ),
        ],
    )
    def test_by_policy(self, how, kept):
        """
        What is kept is kept in the viewer's order.
        """
        rules = caching.rules({}, policy(QueryStringsConfig=how))

        assert rules.query_in_key("b=2&a=1&c") == kept
        assert rules.query_in_key("") == ""

    @pytest.mark.parametrize(
        ("settings", "kept"),
        [
            ({"query": False}, ""),
            ({"query": True}, "a=1&b=2"),
            ({"query": True, "keys": ["*"]}, "a=1&b=2"),
            ({"query": True, "keys": ["b"]}, "b=2"),
        ],
    )
    def test_by_behavior(self, settings, kept):
        """
        Older settings forward all parameters, none, or those on a list.
        """
        assert caching.rules(behavior(**settings), None).query_in_key("a=1&b=2") == kept


class TestVariant:
    def test_headers_and_cookies(self):
        """
        Only the headers and cookies in the key tell copies of one URL apart.
        """
        listed = {
            "HeadersConfig": {
                "HeaderBehavior": "whitelist",
                "Headers": {"Quantity": 1, "Items": ["Accept-Language"]},
            },
            "CookiesConfig": {
                "CookieBehavior": "whitelist",
                "Cookies": {"Quantity": 1, "Items": ["Lang"]},
            },
        }
        rules = caching.rules({}, policy(**listed))
        sent = {"accept-language": "de", "user-agent": "x", "cookie": "a=1; Lang=de; lang=en"}

        assert rules.variant(sent) == ("accept-language: de", "Lang=de")

    def test_older_headers(self):
        """
        A star on the older list puts every header into the key.
        """
        sent = {"b": "2", "a": "1"}

        assert caching.rules(behavior(headers=["*"]), None).variant(sent) == ("a: 1", "b: 2")
        assert caching.rules(behavior(headers=["A"]), None).variant(sent) == ("a: 1",)


class TestErrorLifetime:
    @pytest.mark.parametrize(("status", "seconds"), [(403, 10), (404, 10), (503, 10), (416, 0)])
    def test_by_itself(self, status, seconds):
        """
        Errors that say something of the object or its origin are kept for 10 seconds.
        """
        config = {"CustomErrorResponses": {"Quantity": 0}}

        assert caching.error_lifetime_s(config, status) == seconds

    def test_custom(self):
        """
        A distribution may say how long it keeps an error.
        """
        items = [{"ErrorCode": 404, "ErrorCachingMinTTL": 300}, {"ErrorCode": 403}]
        config = {"CustomErrorResponses": {"Quantity": 2, "Items": items}}

        assert [caching.error_lifetime_s(config, status) for status in (404, 403)] == [300, 10]
