"""A plan covers every reachable change, says why it covers no other, and fits CloudFront."""

from hypothesis import given
from hypothesis import strategies as st

from cdn.cloudfront import paths, targets
from cdn.cloudfront.behaviors import Behavior, Distribution
from cdn.cloudfront.origins import Origin
from cdn.invalidation import planner
from cdn.invalidation.planner import Batch
from cdn.invalidation.routes import Route

SITE = Origin("site", "site.s3.amazonaws.com")


def whole(distribution_id="E1", origin=SITE, default_root_object="", *, both_forms=True):
    behaviors = (Behavior("*", (origin.id,)),)
    distribution = Distribution(distribution_id, (origin,), behaviors, default_root_object)
    return Route(distribution, origin, both_forms)


def forms(key):
    return paths.forms(key, both=True)


def unlistable(_prefix):
    return None


def listing_of(*keys):
    return lambda prefix: sorted(key for key in keys if key.startswith(prefix))


class TestMake:
    def test_exact(self):
        """
        A lone change is one item, named as viewers name it.
        """
        plan = planner.make(["a b.css"], routes=[whole()], list_keys=unlistable)

        assert planner.Plan((Batch(targets.distribution("E1"), ("/a%20b.css",)),)) == plan

    def test_every_distribution(self):
        """
        Each distribution that serves the key has its own batch.
        """
        plan = planner.make(["a"], routes=[whole("E1"), whole("E2")], list_keys=unlistable)

        assert (
            Batch(targets.distribution("E1"), ("/a",)),
            Batch(targets.distribution("E2"), ("/a",)),
        ) == plan.batches

    def test_default_root_object(self):
        """
        The root goes with the default root object, also when that is folded.
        """
        route = whole(default_root_object="index.html")
        exact = planner.make(["index.html"], routes=[route], list_keys=unlistable)
        folded = planner.make(
            ["index.html", "index.css"],
            routes=[route],
            list_keys=listing_of("index.html", "index.css", "logo"),
        )

        assert (Batch(targets.distribution("E1"), ("/", "/index.html")),) == exact.batches
        assert (Batch(targets.distribution("E1"), ("/", "/index.*")),) == folded.batches

    def test_no_route(self):
        """
        A key that no distribution serves is skipped, with that reason.
        """
        origin = Origin("v2", SITE.domain_name, "/v2")
        plan = planner.make(["v1/a"], routes=[whole(origin=origin)], list_keys=unlistable)

        assert planner.Plan((), {"v1/a": planner.NO_ROUTE}) == plan

    def test_unnameable(self):
        """
        A key whose path CloudFront cannot invalidate is skipped, with that reason.
        """
        plan = planner.make(["~a", "b"], routes=[whole()], list_keys=listing_of("b", "c", "~a"))

        assert (Batch(targets.distribution("E1"), ("/b",)),) == plan.batches
        assert {"~a"} == plan.skipped.keys()

    def test_unnameable_but_folded(self):
        """
        A key with ~ is covered where its whole folder goes.
        """
        keys = ["x/~a", "x/b"]
        plan = planner.make(keys, routes=[whole()], list_keys=listing_of(*keys, "c"))

        assert planner.Plan((Batch(targets.distribution("E1"), ("/x/*",)),)) == plan

    def test_both_forms(self):
        """
        A key that links and scripts write differently has both paths, unless one is unwanted.
        """
        both = planner.make(["a+b"], routes=[whole()], list_keys=unlistable)
        links = planner.make(["a+b"], routes=[whole(both_forms=False)], list_keys=unlistable)

        assert (Batch(targets.distribution("E1"), ("/a%2Bb", "/a+b")),) == both.batches
        assert (Batch(targets.distribution("E1"), ("/a+b",)),) == links.batches

    def test_both_forms_of_a_folder(self):
        """
        A folder's wildcard comes in both forms too.
        """
        keys = ["a+b/1", "a+b/2"]
        plan = planner.make(keys, routes=[whole()], list_keys=listing_of(*keys, "c"))

        assert (Batch(targets.distribution("E1"), ("/a%2Bb/*", "/a+b/*")),) == plan.batches

    def test_last_star(self):
        """
        A key that ends in * is named by a wildcard, and the plan says so.
        """
        plan = planner.make(["a*", "b*c"], routes=[whole()], list_keys=unlistable)

        assert (Batch(targets.distribution("E1"), ("/a*", "/b*c")),) == plan.batches
        assert {"a*"} == plan.widened.keys()

    def test_unnameable_alone(self):
        """
        A key with ~ goes by the prefix before it, if nothing unchanged shares that.
        """
        alone = planner.make(["x/~a"], routes=[whole()], list_keys=listing_of("x/~a", "y"))
        shared = planner.make(["x/~a"], routes=[whole()], list_keys=listing_of("x/~a", "x/b"))

        assert planner.Plan((Batch(targets.distribution("E1"), ("/x/*",)),)) == alone
        assert () == shared.batches
        assert {"x/~a": "CloudFront invalidates no path with ~"} == shared.skipped

    def test_never_requested(self):
        """
        A key that no URL can express is skipped, with that reason.
        """
        plan = planner.make(["a/../b"], routes=[whole()], list_keys=unlistable)

        assert planner.Plan((), {"a/../b": "no URL has a segment . or .."}) == plan

    @given(st.sets(st.text(min_size=1, max_size=30), min_size=1))
    def test_limits(self, stems):
        """
        No batch is larger than CloudFront takes, and nothing is lost in the cutting.
        """
        keys = {f"{stem}{number}" for stem in stems for number in range(40)}
        plan = planner.make(keys, routes=[whole()], list_keys=unlistable)

        items = [item for batch in plan.batches for item in batch.items]
        named = {path for key in keys - plan.skipped.keys() for path in forms(key)}
        assert named == set(items)
        assert len(items) == len(set(items))
        assert all(len(batch.items) <= 1_000 for batch in plan.batches)

    def test_wildcards_a_batch(self):
        """
        No batch has more than ten wildcards.
        """
        changed = [f"{folder:03}/{name}" for folder in range(25) for name in "ab"]
        others = [f"{folder:03}-" for folder in range(25)]
        plan = planner.make(changed, routes=[whole()], list_keys=listing_of(*changed, *others))

        assert [10, 10, 5] == [len(batch.items) for batch in plan.batches]
        assert all(map(paths.is_wildcard, plan.batches[0].items))


class TestWithoutCovered:
    @given(st.sets(st.text("ab*", max_size=4).map("/".__add__)))
    def test_same_reach(self, items):
        """
        What is left covers what was given, and no item of it covers another.
        """
        kept = planner.without_covered(items)

        assert all(any(covers(one, item) for one in kept) for item in items)
        assert not any(covers(one, two) for one in kept for two in kept if one != two)


def covers(one, other):
    if one.endswith("*"):
        return other.removesuffix("*").startswith(one[:-1])
    return one == other
