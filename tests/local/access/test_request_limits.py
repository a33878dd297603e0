"""What callers cost ends at the limits of the API's stage, whoever they are."""

import pytest

from local.loopback import Request
from tests.local import signed

OWN = f"https://{signed.HOST}/users/42/a.jpg"


@pytest.fixture
def cloud():
    with signed.running(parameters={"RequestsPerSecond": "20"}) as cloud:
        yield cloud


def flood(cloud, method, path, *, times=100, headers=()):
    """Send many requests at once, and return how many were answered with which status."""
    host = cloud.world.deployment.apis[0].host
    statuses = []
    for _ in range(times):
        request = Request(method=method, target=path, headers=[*headers], body=b"{}")
        statuses.append(cloud.world.apis.handle(request, host=host).status)
    return {status: statuses.count(status) for status in {*statuses}}


def runs(cloud):
    return sum(invocation.function == "sign_access" for invocation in cloud.world.invocations)


def test_without_token(cloud):
    """
    Whoever has no token never runs the function that signs, however often they ask.
    """
    for method, path in (("POST", "/signed-urls"), ("POST", "/signed-cookies")):
        assert flood(cloud, method, path) == {401: 20, 429: 80}

    assert runs(cloud) == 0


def test_description(cloud):
    """
    The route that takes no token runs it ten times at once, and then five times a second.
    """
    assert flood(cloud, "GET", "/openapi.json") == {200: 10, 429: 90}

    cloud.world.virtual_time.advance(60)
    assert flood(cloud, "GET", "/openapi.json") == {200: 10, 429: 90}
    cloud.world.virtual_time.advance(1)
    assert flood(cloud, "GET", "/openapi.json") == {200: 5, 429: 95}
    assert runs(cloud) == 25


def test_with_token(cloud):
    """
    Whoever has a token gets no more than RequestsPerSecond, and once it is over, signs again.
    """
    headers = [("authorization", f"Bearer {cloud.token()}"), ("content-type", "application/json")]

    assert flood(cloud, "POST", "/signed-urls", headers=headers)[429] == 80

    cloud.world.virtual_time.advance(1)
    assert cloud.urls(OWN).status == 200


def test_others_wait(cloud):
    """
    Who floods a route without a token keeps out those who have one, but from no other route.
    """
    flood(cloud, "POST", "/signed-urls")

    assert cloud.urls(OWN).status == 429
    assert cloud.cookies(f"https://{signed.HOST}/users/42/*").status == 200
