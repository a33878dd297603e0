"""Which viewer paths lead to an object of a bucket, distribution by distribution."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from cdn import paths


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

_S3_HOST = re.compile(
    r"""
    (?P<bucket>.+?) \.
    (?: s3-website [.-] [a-z0-9-]+            # bucket.s3-website-region, bucket.s3-website.region
      | s3 (?: -fips )? (?: \.dualstack )? (?: \. [a-z]{2}[a-z0-9-]*-\d )?     # bucket.s3[.region]
      | s3 - [a-z]{2}[a-z0-9-]*-\d                                            # bucket.s3-region
    )
    \.amazonaws\.com (?: \.cn )?
    """,
    re.VERBOSE,
)


def bucket_of(domain_name: str) -> str | None:
    """
    Name the bucket that an origin's *domain_name* stands for, or None when it is none.

    >>> bucket_of("site.s3.eu-central-1.amazonaws.com"), bucket_of("a.b.s3.amazonaws.com")
    ('site', 'a.b')
    >>> bucket_of("api.example.com")
    """
    match = _S3_HOST.fullmatch(domain_name.lower())
    return match["bucket"] if match else None


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
        if not key.startswith(self.key_prefix):
            return False
        bare = key.removeprefix(self.key_prefix)
        # Whether patterns meet the path as sent or decoded is not documented: either counts.
        return any(map(self._leads_here, (f"/{bare}", *self.paths(key))))

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
        own = (f"{path}*" if self._has_queries(path) else path for path in self.paths(key))
        return (*own, *self.aliases(key))

    def aliases(self, key: str) -> tuple[str, ...]:
        """
        Name what else shows *key*: the root with the default object, a folder with its index.

        >>> site = Origin("site", "site.s3-website.eu-west-1.amazonaws.com")
        >>> Route(Distribution("E1", (site,), (Behavior("*", ("site",)),)), site).aliases(
        ...     "docs/index.html"
        ... )
        ('/docs/', '/docs')
        """
        bare = key.removeprefix(self.key_prefix)
        folder = bare.removesuffix(_INDEX)
        shown: list[str] = []
        if bare and bare == self.distribution.default_root_object:
            shown.append("/")
        elif bare.endswith(f"/{_INDEX}") or bare == _INDEX:
            shown += (path for path in self._of_folder(folder) if self._shows_index(path))
        # Here a `*` alone would take the whole folder.
        queries = (f"{path}?*" for path in shown if self._has_queries(path))
        return (*shown, *queries)

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

    def _of_folder(self, folder: str) -> Iterator[str]:
        for path in paths.forms(folder, both=self.both_forms):
            yield path
            if path != "/":
                yield path.removesuffix("/")

    def _shows_index(self, path: str) -> bool:
        behavior = self._deciding(path)
        return self._leads_here(path) and (
            self.origin.website or (behavior is not None and behavior.rewrites)
        )

    def _has_queries(self, path: str) -> bool:
        # As in `reaches`: the path as sent or decoded, either counts.
        deciding = map(self._deciding, (path, unquote(path)))
        return any(behavior is not None and behavior.query_strings for behavior in deciding)

    def _leads_here(self, path: str) -> bool:
        behavior = self._deciding(path)
        return behavior is not None and self.origin.id in behavior.origin_ids

    def _deciding(self, path: str) -> Behavior | None:
        for behavior in self.distribution.behaviors:
            if _matcher(behavior.pattern).fullmatch(_normal(path)):
                return behavior
        return None


def into(bucket: str, distributions: tuple[Distribution, ...], *, both_forms: bool) -> list[Route]:
    """List every route into *bucket*."""
    return [
        Route(distribution, origin, both_forms)
        for distribution in distributions
        for origin in distribution.origins
        if bucket_of(origin.domain_name) == bucket
    ]


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
