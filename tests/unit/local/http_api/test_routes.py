"""A request finds its route as API Gateway's does."""

import pytest

from local.function import HttpRoute
from local.http_api import routes
from tests.unit.local.http_api.functions import FUNCTION

# The example of the developer guide's page on routes.
DOCUMENTED = [
    "GET /pets/dog/1",
    "GET /pets/dog/{id}",
    "GET /pets/{proxy+}",
    "ANY /{proxy+}",
    "$default",
]


def found(method, path, keys=DOCUMENTED):
    """Name the route and its variables."""
    match = routes.find(
        [HttpRoute(key=key, function=FUNCTION) for key in keys], method=method, path=path
    )
    return match and (match.route.key, match.parameters)


class TestFind:
    @pytest.mark.parametrize("keys", [DOCUMENTED, DOCUMENTED[::-1]])
    @pytest.mark.parametrize(
        ("method", "path", "key", "parameters"),
        [
            ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
            ("GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
            ("POST", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
            ("POST", "/pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
            ("GET", "/", "$default", {}),
        ],
    )
    def test_documented(self, keys, method, path, key, parameters):
        """
        Words go before variables, these before greedy ones, and $default is the last.
        """
        assert found(method, path, keys) == (key, parameters)

    def test_any(self):
        """
        A route of the method itself goes before one of any.
        """
        assert found("GET", "/a", ["ANY /a", "GET /a"]) == ("GET /a", {})
        assert found("PUT", "/a", ["ANY /a", "GET /a"]) == ("ANY /a", {})

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/a/"), ("GET", "/A"), ("GET", "/b"), ("POST", "/a"), ("GET", "//a")],
    )
    def test_none(self, method, path):
        """
        Where nothing fits exactly, there is no route.
        """
        assert found(method, path, ["GET /a", "GET /x/{id}"]) is None

    def test_empty_variable(self):
        """
        A variable stands for something.
        """
        assert found("GET", "/x/", ["GET /x/{id}"]) is None
        assert found("GET", "/x/", ["GET /x/{id+}"]) is None

    def test_decoded(self):
        """
        Paths are compared decoded, and an encoded slash divides none.
        """
        assert found("GET", "/p%65ts/a%2Fb", ["GET /pets/{id}"]) == (
            "GET /pets/{id}",
            {"id": "a/b"},
        )
