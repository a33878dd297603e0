"""Where a distribution fetches from, and which bucket a host name stands for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a distribution fetches from: a host name, and the path put before the viewer's."""

    id: str
    domain_name: str
    path: str = ""

    @property
    def website(self) -> bool:
        """Return whether this is S3's website endpoint, which shows a folder's index.html."""
        return ".s3-website" in self.domain_name


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
    Return the bucket that an origin's *domain_name* stands for, or None when its name does not say.

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
    Return whether an origin is an access point of S3, whose bucket must be declared.

    >>> is_access_point("photos-x1y2-s3alias.s3.us-west-2.amazonaws.com")
    True
    """
    label = domain_name.lower().partition(".s3")[0].partition(".accesspoint")[0]
    return _ACCESS_POINT.fullmatch(label) is not None
