"""Which viewer paths lead to an object of a bucket, distribution by distribution."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from cdn.cloudfront import behaviors, paths
from cdn.cloudfront.behaviors import Distribution
from cdn.cloudfront.origins import Origin, bucket_of, is_access_point

_INDEX = "index.html"

# In the order in which `paths.forms` writes them.
_FORMS = ("as a link has it", "as encodeURIComponent writes it")
_WITH_QUERIES = "with any query string, which is in the cache key"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an invalidation, and why it is needed."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Route:
    """
    One way from a distribution's viewers into a bucket: an origin, behind behaviors.

    Attributes:
        both_forms: Whether paths that a script has encoded are named beside those of plain links.
    """

    distribution: Distribution
    origin: Origin
    both_forms: bool = True

    @property
    def key_prefix(self) -> str:
        """
        What the keys of this route start with: the OriginPath as S3 spells it.

        >>> site = Origin("site", "site.s3.amazonaws.com", "/v2")
        >>> Route(Distribution("E1", (site,), ()), site).key_prefix
        'v2/'
        """
        return f"{self.origin.path.strip('/')}/" if self.origin.path.strip("/") else ""

    def reaches(self, key: str) -> bool:
        """Return whether viewers can reach *key* by this route."""
        return self.why_not(key) is None

    def why_not(self, key: str) -> str | None:
        """
        Return why viewers cannot reach *key* by this route, or None when they can.

        >>> site = Origin("site", "site.s3.amazonaws.com", "/v2")
        >>> tried = (behaviors.Behavior("*", ("site",)),)
        >>> Route(Distribution("E1", (site,), tried), site).why_not("v1/a")
        'its OriginPath is /v2'
        """
        if not key.startswith(self.key_prefix):
            return f"its OriginPath is {self.origin.path}"
        bare = key.removeprefix(self.key_prefix)
        # Whether patterns meet the path as sent or decoded is not documented: either counts.
        if any(map(self._leads_here, (f"/{bare}", *self.paths(key)))):
            return None
        behavior = self.distribution.deciding(f"/{bare}")
        return f"its behavior {behavior.pattern if behavior else ''} leads to another origin"

    def paths(self, key: str) -> tuple[str, ...]:
        """
        Return the paths by which viewers ask for *key*, which this route reaches.

        >>> site = Origin("site", "site.s3.amazonaws.com", "/v2")
        >>> Route(Distribution("E1", (site,), ()), site).paths("v2/a b.css")
        ('/a%20b.css',)
        """
        return paths.forms(key.removeprefix(self.key_prefix), both=self.both_forms)

    def items(self, key: str) -> tuple[str, ...]:
        """
        Return all paths that show *key*, which this route reaches, for an invalidation.

        Where query strings are in the cache key, a path is named with a `*`, which stands for
        all of them: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html

        >>> site = Origin("site", "site.s3.amazonaws.com")
        >>> behavior = behaviors.Behavior("*", ("site",), query_strings=True)
        >>> Route(Distribution("E1", (site,), (behavior,), "index.html"), site).items("index.html")
        ('/index.html*', '/', '/?*')
        """
        return tuple(item.path for item in self.explain(key))

    def aliases(self, key: str) -> tuple[str, ...]:
        """
        Return what else shows *key*: the root with the default object, a folder with its index.

        >>> site = Origin("site", "site.s3-website.eu-west-1.amazonaws.com")
        >>> Route(Distribution("E1", (site,), (behaviors.Behavior("*", ("site",)),)), site).aliases(
        ...     "docs/index.html"
        ... )
        ('/docs/', '/docs')
        """
        return tuple(item.path for item in self._aliases(key))

    def explain(self, key: str) -> Iterator[Item]:
        """
        Yield all paths that show *key*, which this route reaches, and why.

        >>> site = Origin("site", "site.s3.amazonaws.com")
        >>> route = Route(Distribution("E1", (site,), (behaviors.Behavior("*", ("site",)),)), site)
        >>> [item.why for item in route.explain("a+b.css")]
        ['as a link has it', 'as encodeURIComponent writes it']
        """
        for path, why in zip(self.paths(key), _FORMS, strict=False):
            if self._has_queries(path):
                yield Item(f"{path}*", f"{why}, {_WITH_QUERIES}")
            else:
                yield Item(path, why)
        yield from self._aliases(key)

    def _aliases(self, key: str) -> Iterator[Item]:
        bare = key.removeprefix(self.key_prefix)
        shown: list[Item] = []
        if bare and bare == self.distribution.default_root_object:
            shown.append(Item("/", "shows the default root object"))
        elif bare.endswith(f"/{_INDEX}") or bare == _INDEX:
            shown += self._of_folder(bare.removesuffix(_INDEX))
        yield from shown
        for item in shown:
            if self._has_queries(item.path):
                # Here a `*` alone would take the whole folder.
                yield Item(f"{item.path}?*", f"{item.why}, {_WITH_QUERIES}")

    def wildcards(self, prefix: str) -> tuple[str, ...]:
        """
        Return wildcards for all under key *prefix*, or nothing if they held other origins' paths.

        >>> site = Origin("site", "site.s3.amazonaws.com")
        >>> tried = (behaviors.Behavior("/api/*", ("api",)), behaviors.Behavior("*", ("site",)))
        >>> route = Route(Distribution("E1", (site,), tried), site)
        >>> route.wildcards("css/"), route.wildcards("a"), route.wildcards("")
        (('/css/*',), (), ())
        """
        # A prefix that ends inside the OriginPath would name more than this route's keys.
        if not prefix.startswith(self.key_prefix):
            return ()
        starts = self.paths(prefix)
        named = all(self._owns(start) and paths.why_not(f"{start}*") is None for start in starts)
        return tuple(f"{start}*" for start in starts) if named else ()

    def foldable(self, prefix: str) -> bool:
        """Return whether `wildcards` names everything under *prefix*."""
        return bool(self.wildcards(prefix))

    def _owns(self, start: str) -> bool:
        start = behaviors.normalized(start)
        for behavior in self.distribution.behaviors:
            literal, *rest = re.split(r"([*?])", behaviors.absolute(behavior.pattern))
            if self.origin.id in behavior.origin_ids:
                if start.startswith(literal) and rest == ["*", ""]:
                    return True
            elif literal.startswith(start) or start.startswith(literal):
                return False
        return False

    def _of_folder(self, folder: str) -> Iterator[Item]:
        for path in paths.forms(folder, both=self.both_forms):
            for shown in (path, path.removesuffix("/")) if path != "/" else (path,):
                behavior = self.distribution.deciding(shown)
                if behavior is None or self.origin.id not in behavior.origin_ids:
                    continue
                if self.origin.website:
                    yield Item(shown, f"the website endpoint shows {_INDEX} there")
                elif behavior.rewrites:
                    yield Item(shown, f"a function may make {_INDEX} of it")

    def _has_queries(self, path: str) -> bool:
        # As in `reaches`: the path as sent or decoded, either counts.
        deciding = map(self.distribution.deciding, (path, unquote(path)))
        return any(behavior is not None and behavior.query_strings for behavior in deciding)

    def _leads_here(self, path: str) -> bool:
        behavior = self.distribution.deciding(path)
        return behavior is not None and self.origin.id in behavior.origin_ids


def into(
    bucket: str,
    distributions: tuple[Distribution, ...],
    *,
    both_forms: bool,
    access_points: Mapping[str, str],
) -> list[Route]:
    """Return every route into *bucket*."""
    return [
        Route(distribution, origin, both_forms)
        for distribution in distributions
        for origin in distribution.origins
        if bucket_of(origin.domain_name, access_points) == bucket
    ]


def undeclared(
    distributions: tuple[Distribution, ...], access_points: Mapping[str, str]
) -> list[str]:
    """Return a sentence for each origin that is an access point that nobody has declared."""
    return [
        f"distribution {distribution.id} has origin {origin.domain_name}, an access point that"
        " AccessPoints does not declare"
        for distribution in distributions
        for origin in distribution.origins
        if is_access_point(origin.domain_name) and not bucket_of(origin.domain_name, access_points)
    ]
