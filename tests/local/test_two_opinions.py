"""What the suite names, the edge's own opinion of paths takes away, however a browser asked."""

from urllib.parse import quote, unquote

import ada_url
from hypothesis import example, given
from hypothesis import strategies as st

from cdn import paths, plans
from cdn.routes import Behavior, Distribution, Origin, Route
from local.edge import behaviors, evictions

SITE = Origin("site", "site.s3.amazonaws.com")
ROUTE = Route(Distribution("E1", (SITE,), (Behavior("*", ("site",)),)), SITE)

AWKWARD = st.text(
    st.sampled_from("a/.~*#?%+ &=@,;:$![]{}|\\^`'\"<>ü漢\U0001f600\t\n\x7f"), min_size=1
)


def urls_of(key):
    """Tell the paths that a browser may send for *key*: from a plain link, and from a script."""
    link = key.replace("%", "%25").replace("#", "%23").replace("?", "%3F")
    component = "/".join(quote(part, safe="!'()*~") for part in key.split("/"))
    sent = {ada_url.URL(f"https://viewer.example/{href}").pathname for href in (link, component)}
    # A URL parser turns `\\` into `/`, drops tabs and resolves dots: then it asks for another key.
    return {path for path in sent if unquote(path) == f"/{key}"}


@given(st.text(min_size=1) | AWKWARD)
@example("a+b c.css")
@example("a/../b")
@example("a*")
@example("~user")
@example("dir\\file")
def test_every_url(key):
    """
    A key's items take every URL by which a browser gets it, or the plan says why not.
    """
    plan = plans.make([key], routes=[ROUTE], listed=lambda _: None)
    items = [item for batch in plan.batches for item in batch.items]
    eviction = evictions.Eviction.of(tuple(items))

    for url in urls_of(key):
        taken = eviction.takes(evictions.canonical(url), frozenset())
        assert taken != (key in plan.skipped), (url, items)
    if plan.skipped.get(key) == "no URL has a segment . or ..":
        assert urls_of(key) == set()


@given(st.text(min_size=1) | AWKWARD, st.text(min_size=1) | AWKWARD)
def test_nothing_else(key, other):
    """
    No item of a key takes another key's copies, unless it had to be a wildcard.
    """
    plan = plans.make([key], routes=[ROUTE], listed=lambda _: None)
    items = tuple(item for batch in plan.batches for item in batch.items)
    if key == other or any(map(paths.is_wildcard, items)):
        return

    eviction = evictions.Eviction.of(items)

    for url in urls_of(other):
        assert not eviction.takes(evictions.canonical(url), frozenset()), (url, items)


PATTERNS = st.text("ab/*?", min_size=1, max_size=4)
KEYS = st.text("ab/", min_size=1, max_size=5)


@st.composite
def distributions(draw):
    """A distribution in both shapes: as routes know it, and as CloudFront's configuration."""
    patterns = draw(st.lists(st.tuples(PATTERNS, st.sampled_from(["site", "api"])), max_size=3))
    default = draw(st.sampled_from(["site", "api"]))
    api = Origin("api", "api.example.com")
    route = Route(
        Distribution(
            "E1",
            (SITE, api),
            tuple(Behavior(p, (o,)) for p, o in [*patterns, ("*", default)]),
        ),
        SITE,
    )
    config = {
        "CacheBehaviors": {"Items": [{"PathPattern": p, "TargetOriginId": o} for p, o in patterns]},
        "DefaultCacheBehavior": {"TargetOriginId": default},
    }
    return route, config


@given(routed=distributions(), dirty=st.sets(KEYS), clean=st.sets(KEYS), others=st.sets(KEYS))
def test_routes(routed, dirty, clean, others):
    """
    Whatever a viewer gets from the bucket is covered; nothing unchanged or of others is.
    """
    route, config = routed
    clean -= dirty
    plan = plans.make(
        dirty,
        routes=[route],
        listed=lambda prefix: sorted(key for key in dirty | clean if key.startswith(prefix)),
    )
    items = tuple(item for batch in plan.batches for item in batch.items)
    eviction = evictions.Eviction.of(items)

    def served(key):
        return behaviors.choose(config, f"/{key}")["TargetOriginId"] == "site"

    def taken(key):
        return eviction.takes(evictions.canonical(f"/{key}"), frozenset())

    assert [key for key in dirty if served(key) and not taken(key)] == []
    assert [key for key in clean if taken(key)] == []
    assert [key for key in others if not served(key) and taken(key)] == []
