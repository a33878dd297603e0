"""Which viewer paths lead to an object of a bucket, distribution by distribution."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from urllib.parse import unquote

from cdn.cloudfront import paths


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a distribution fetches from: a host name, and the path put before the viewer's."""

    id: str
    domain_name: str
    path: str = ""

    @property
    def website(self) -> bool:
        """Tell whether this is S3's website endpoint, which shows a folder's index.html."""
        return ".s3-website" in self.domain_name


@dataclass(frozen=True, slots=True)
class Behavior:
    """
    The first behavior whose *pattern* matches a path decides; the last one matches all.

    Attributes:
        query_strings: Whether copies differ by (some of) the query string.
        rewrites: Whether a function may make another path of the viewer's.
    """

    pattern: str
    origin_ids: tuple[str, ...]
    query_strings: bool = False
    rewrites: bool = False


@dataclass(frozen=True, slots=True)
class Distribution:
    """As much of a distribution's configuration as says which object a path means."""

    id: str
    origins: tuple[Origin, ...]
    behaviors: tuple[Behavior, ...]
    default_root_object: str = ""


_INDEX = "index.html"

# In the order in which `paths.forms` writes them.
_FORMS = ("as a link has it", "as encodeURIComponent writes it")
_WITH_QUERIES = "with any query string, which is in the cache key"

_S3_HOST = re.compile(
    r"""
    (?P<bucket>.+?) \.
    (?: s3-website [.-] [a-z0-9-]+            # bucket.s3-website-region, bucket.s3-website.region
      | s3 (?: -fips )? (?: \.dualstack )? (?: \. [a-z]{2}[a-z0-9-]*-\d )?     # bucket.s3[.region]
      | s3 - [a-z]{2}[a-z0-9-]*-\d                                            # bucket.s3-region
      | s3-accelerate (?: \.dualstack )?
    )
    \.amazonaws\.com (?: \.cn )?
    """,
    re.VERBOSE,
)


# Which bucket an access point leads to is in none of its names.
_ACCESS_POINT = re.compile(r"(?:.+-s3alias|.+--ol-s3|.+\.mrap)")


def bucket_of(
    domain_name: str, access_points: Mapping[str, str] = MappingProxyType({})
) -> str | None:
    """
    Name the bucket that an origin's *domain_name* stands for, or None when that cannot be told.

    Args:
        access_points: Buckets by the aliases of their access points, or by whole host names.

    >>> bucket_of("site.s3.eu-central-1.amazonaws.com"), bucket_of("a.b.s3.amazonaws.com")
    ('site', 'a.b')
    >>> bucket_of("api.example.com")
    >>> alias = "photos-x1y2-s3alias"
    >>> bucket_of(f"{alias}.s3.us-west-2.amazonaws.com", {alias: "photos"})
    'photos'
    >>> bucket_of(f"{alias}.s3.us-west-2.amazonaws.com")
    """
    host = domain_name.lower()
    match = _S3_HOST.fullmatch(host)
    label = match["bucket"] if match else None
    declared = access_points.get(host) or access_points.get(label or "")
    return declared or (None if is_access_point(host) else label)


def is_access_point(domain_name: str) -> bool:
    """
    Tell whether an origin is an access point of S3, whose bucket must be declared.

    >>> is_access_point("photos-x1y2-s3alias.s3.us-west-2.amazonaws.com")
    True
    """
    label = domain_name.lower().partition(".s3")[0].partition(".accesspoint")[0]
    return _ACCESS_POINT.fullmatch(label) is not None


@dataclass(frozen=True, slots=True)
class Named:
    """One item of an invalidation, and why it is needed."""

    item: str
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
        """Tell whether viewers can reach *key* by this route."""
        return self.why_not(key) is None

    def why_not(self, key: str) -> str | None:
        """
        Say why viewers cannot reach *key* by this route, or None when they can.

        >>> site = Origin("site", "site.s3.amazonaws.com", "/v2")
        >>> Route(Distribution("E1", (site,), (Behavior("*", ("site",)),)), site).why_not("v1/a")
        'its OriginPath is /v2'
        """
        if not key.startswith(self.key_prefix):
            return f"its OriginPath is {self.origin.path}"
        bare = key.removeprefix(self.key_prefix)
        # Whether patterns meet the path as sent or decoded is not documented: either counts.
        if any(map(self._leads_here, (f"/{bare}", *self.paths(key)))):
            return None
        behavior = self._deciding(f"/{bare}")
        return f"its behavior {behavior.pattern if behavior else ''} leads to another origin"

    def paths(self, key: str) -> tuple[str, ...]:
        """
        Write the paths by which viewers ask for *key*, which this route reaches.

        >>> site = Origin("site", "site.s3.amazonaws.com", "/v2")
        >>> Route(Distribution("E1", (site,), ()), site).paths("v2/a b.css")
        ('/a%20b.css',)
        """
        return paths.forms(key.removeprefix(self.key_prefix), both=self.both_forms)

    def items(self, key: str) -> tuple[str, ...]:
        """
        Name all that shows *key*, which this route reaches, for an invalidation.

        Where query strings are in the cache key, a path is named with a `*`, which stands for
        all of them: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html

        >>> site = Origin("site", "site.s3.amazonaws.com")
        >>> behavior = Behavior("*", ("site",), query_strings=True)
        >>> Route(Distribution("E1", (site,), (behavior,), "index.html"), site).items("index.html")
        ('/index.html*', '/', '/?*')
        """
        return tuple(named.item for named in self.explain(key))

    def aliases(self, key: str) -> tuple[str, ...]:
        """
        Name what else shows *key*: the root with the default object, a folder with its index.

        >>> site = Origin("site", "site.s3-website.eu-west-1.amazonaws.com")
        >>> Route(Distribution("E1", (site,), (Behavior("*", ("site",)),)), site).aliases(
        ...     "docs/index.html"
        ... )
        ('/docs/', '/docs')
        """
        return tuple(named.item for named in self._aliases(key))

    def explain(self, key: str) -> Iterator[Named]:
        """
        Name all that shows *key*, which this route reaches, and say why.

        >>> site = Origin("site", "site.s3.amazonaws.com")
        >>> route = Route(Distribution("E1", (site,), (Behavior("*", ("site",)),)), site)
        >>> [named.why for named in route.explain("a+b.css")]
        ['as a link has it', 'as encodeURIComponent writes it']
        """
        for path, why in zip(self.paths(key), _FORMS, strict=False):
            if self._has_queries(path):
                yield Named(f"{path}*", f"{why}, {_WITH_QUERIES}")
            else:
                yield Named(path, why)
        yield from self._aliases(key)

    def _aliases(self, key: str) -> Iterator[Named]:
        bare = key.removeprefix(self.key_prefix)
        shown: list[Named] = []
        if bare and bare == self.distribution.default_root_object:
            shown.append(Named("/", "shows the default root object"))
        elif bare.endswith(f"/{_INDEX}") or bare == _INDEX:
            shown += self._of_folder(bare.removesuffix(_INDEX))
        yield from shown
        for named in shown:
            if self._has_queries(named.item):
                # Here a `*` alone would take the whole folder.
                yield Named(f"{named.item}?*", f"{named.why}, {_WITH_QUERIES}")

    def wildcards(self, prefix: str) -> tuple[str, ...]:
        """
        Name everything under key *prefix*, or nothing if that would name other origins' paths.

        >>> site = Origin("site", "site.s3.amazonaws.com")
        >>> behaviors = (Behavior("/api/*", ("api",)), Behavior("*", ("site",)))
        >>> route = Route(Distribution("E1", (site,), behaviors), site)
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
        """Tell whether `wildcards` names everything under *prefix*."""
        return bool(self.wildcards(prefix))

    def _owns(self, start: str) -> bool:
        start = _normal(start)
        for behavior in self.distribution.behaviors:
            literal, *rest = re.split(r"([*?])", _absolute(behavior.pattern))
            if self.origin.id in behavior.origin_ids:
                if start.startswith(literal) and rest == ["*", ""]:
                    return True
            elif literal.startswith(start) or start.startswith(literal):
                return False
        return False

    def _of_folder(self, folder: str) -> Iterator[Named]:
        for path in paths.forms(folder, both=self.both_forms):
            for shown in (path, path.removesuffix("/")) if path != "/" else (path,):
                behavior = self._deciding(shown)
                if behavior is None or self.origin.id not in behavior.origin_ids:
                    continue
                if self.origin.website:
                    yield Named(shown, f"the website endpoint shows {_INDEX} there")
                elif behavior.rewrites:
                    yield Named(shown, f"a function may make {_INDEX} of it")

    def _has_queries(self, path: str) -> bool:
        # As in `reaches`: the path as sent or decoded, either counts.
        deciding = map(self._deciding, (path, unquote(path)))
        return any(behavior is not None and behavior.query_strings for behavior in deciding)

    def _leads_here(self, path: str) -> bool:
        behavior = self._deciding(path)
        return behavior is not None and self.origin.id in behavior.origin_ids

    def _deciding(self, path: str) -> Behavior | None:
        for behavior in self.distribution.behaviors:
            if matches(behavior.pattern, path):
                return behavior
        return None


def into(
    bucket: str,
    distributions: tuple[Distribution, ...],
    *,
    both_forms: bool,
    access_points: Mapping[str, str],
) -> list[Route]:
    """List every route into *bucket*."""
    return [
        Route(distribution, origin, both_forms)
        for distribution in distributions
        for origin in distribution.origins
        if bucket_of(origin.domain_name, access_points) == bucket
    ]


def undeclared(
    distributions: tuple[Distribution, ...], access_points: Mapping[str, str]
) -> list[str]:
    """Describe each origin that is an access point whose bucket nobody has declared."""
    return [
        f"distribution {distribution.id} has origin {origin.domain_name}, an access point that"
        " AccessPoints does not declare"
        for distribution in distributions
        for origin in distribution.origins
        if is_access_point(origin.domain_name) and not bucket_of(origin.domain_name, access_points)
    ]


def matches(pattern: str, path: str) -> bool:
    """
    Tell whether a behavior's *pattern* matches a viewer's path.

    >>> matches("images/*.jpg", "/images//a.jpg"), matches("*", "/")
    (True, True)
    """
    return _matcher(pattern).fullmatch(_normal(path)) is not None


def _normal(path: str) -> str:
    # Patterns meet the normalised path, with one slash for many; the origin gets it as it was
    # sent: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html
    return re.sub(r"/{2,}", "/", path)


def _absolute(pattern: str) -> str:
    return pattern if pattern.startswith(("/", "*")) else f"/{pattern}"


@cache
def _matcher(pattern: str) -> re.Pattern[str]:
    # `*` is any run of characters and `?` any one; case counts; a leading slash is implied:
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html
    wild = {"*": ".*", "?": "."}
    parts = (wild.get(char, re.escape(char)) for char in _absolute(pattern))
    return re.compile("".join(parts), re.DOTALL)
