"""What the suite names, the edge's own opinion of paths takes away, however a browser asked."""

from urllib.parse import quote, unquote

import ada_url
from hypothesis import example, given
from hypothesis import strategies as st

from cdn.cloudfront import paths
from cdn.cloudfront.behaviors import Behavior, Distribution
from cdn.cloudfront.origins import Origin
from cdn.invalidation import planner
from cdn.invalidation.routes import Route
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
    plan = planner.make([key], routes=[ROUTE], list_keys=lambda _: None)
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
    plan = planner.make([key], routes=[ROUTE], list_keys=lambda _: None)
    items = tuple(item for batch in plan.batches for item in batch.items)
    if key == other or any(map(paths.is_wildcard, items)):
        return

    eviction = evictions.Eviction.of(items)

    for url in urls_of(other):
        assert not eviction.takes(evictions.canonical(url), frozenset()), (url, items)


PATTERNS = st.text("ab/*?", min_size=1, max_size=4)
KEYS = st.text("ab/", min_size=1, max_size=5)
SOMEWHERE = st.tuples(st.sampled_from(["site", "api"]), st.booleans())


@st.composite
def distributions(draw):
    """A distribution in both shapes: as routes know it, and as CloudFront's configuration."""
    patterns = draw(st.lists(st.tuples(PATTERNS, SOMEWHERE), max_size=3))
    default = draw(SOMEWHERE)
    path = draw(st.sampled_from(["", "/a", "/a/b"]))
    root = draw(st.sampled_from(["", "a", "b/a"]))
    site, api = Origin("site", SITE.domain_name, path), Origin("api", "api.example.com")
    route = Route(
        Distribution(
            "E1",
            (site, api),
            tuple(
                Behavior(pattern, (origin,), query_strings=queries)
                for pattern, (origin, queries) in [*patterns, ("*", default)]
            ),
            root,
        ),
        site,
    )
    config = {
        "DefaultRootObject": root,
        "CacheBehaviors": {
            "Items": [
                {"PathPattern": pattern, "TargetOriginId": origin, "queries": queries}
                for pattern, (origin, queries) in patterns
            ]
        },
        "DefaultCacheBehavior": {"TargetOriginId": default[0], "queries": default[1]},
    }
    return route, config, path


@given(routed=distributions(), dirty=st.sets(KEYS), clean=st.sets(KEYS), others=st.sets(KEYS))
def test_routes(routed, dirty, clean, others):
    """
    Whatever a viewer gets from the bucket is covered; nothing unchanged or of others is.
    """
    route, config, origin_path = routed
    clean -= dirty
    plan = planner.make(
        dirty,
        routes=[route],
        list_keys=lambda prefix: sorted(key for key in dirty | clean if key.startswith(prefix)),
    )
    items = tuple(item for batch in plan.batches for item in batch.items)
    eviction = evictions.Eviction.of(items)

    def urls(key):
        """Tell under which URLs the edge may have copies of the object."""
        start = f"{origin_path}/".removeprefix("/")
        if not key.startswith(start):
            return
        bare = key.removeprefix(start)
        for path in (f"/{bare}", "/") if bare == config["DefaultRootObject"] else (f"/{bare}",):
            behavior = behaviors.choose(config, path)
            if behavior["TargetOriginId"] == "site":
                yield path
                if behavior["queries"]:
                    yield f"{path}?v=1"

    def taken(url):
        return eviction.takes(evictions.canonical(url), frozenset())

    assert [url for key in dirty for url in urls(key) if not taken(url)] == []
    if any("?" in url for key in dirty for url in urls(key)):
        # `path*` stands for all query strings, and takes longer names with them.
        return
    shown = {url for key in dirty for url in urls(key)}
    assert [url for key in clean for url in urls(key) if taken(url) and url not in shown] == []
    elsewhere = [
        f"/{key}"
        for key in others
        if behaviors.choose(config, f"/{key}")["TargetOriginId"] != "site"
    ]
    assert [path for path in elsewhere if taken(path)] == []


@given(st.lists(KEYS, min_size=1), st.sets(KEYS), st.randoms(use_true_random=False))
def test_order(changed, clean, random):
    """
    In which order changes come, and how often, makes no difference.
    """

    def plan(keys):
        there = sorted({*changed, *clean})
        return planner.make(
            keys,
            routes=[ROUTE],
            list_keys=lambda prefix: [key for key in there if key.startswith(prefix)],
        )

    again = [*changed, *random.choices(changed, k=3)]
    random.shuffle(again)

    assert plan(again) == plan(changed)
