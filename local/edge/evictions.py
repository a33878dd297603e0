"""Which cached copies an invalidation takes away."""

import re
import string
from dataclasses import dataclass
from typing import Self

# https://www.rfc-editor.org/rfc/rfc1738 §2.2: what must be encoded in a URL, beside non-ASCII.
# The apostrophe is safe there, and yet items with a raw one were refused: it is taken for unsafe.
UNSAFE = frozenset(' <>"#%{}|\\^~[]`' + "'")
PLAIN = frozenset(string.printable) - frozenset(string.whitespace) - UNSAFE

_ENCODED = re.compile("%[0-9a-fA-F]{2}")


def canonical(url: str) -> str:
    """
    Write a viewer's URL as an invalidation must name it.

    CloudFront's guide: non-ASCII characters and those that RFC 1738 calls
    unsafe are encoded in an item, all others are not, "or CloudFront will not
    invalidate the old version". So a copy is known by the URL with exactly
    those encoded, whether the viewer did so or not and in either case of hex;
    everything else stays as the viewer sent it. Whether CloudFront knows `/a%2Bb` and
    `/a+b` as one copy is not documented: here they are two, and so need two items.

    >>> canonical("/[ü]/%c3%bc+%2b%41?x= ")
    '/%5B%C3%BC%5D/%C3%BC+%2B%41?x=%20'
    """
    written, end = [], 0
    for match in _ENCODED.finditer(url):
        written += [_quoted(url[end : match.start()]), match[0].upper()]
        end = match.end()
    return "".join([*written, _quoted(url[end:])])


def _quoted(text: str) -> str:
    if PLAIN.issuperset(text):
        return text
    return "".join(
        letter
        if letter in PLAIN
        else "".join(f"%{byte:02X}" for byte in letter.encode(errors="surrogateescape"))
        for letter in text
    )


@dataclass(frozen=True, slots=True)
class Eviction:
    """
    One invalidation's items, sorted by how they are compared.

    An item is compared as it was sent, but for the case of hex digits: one that leaves
    unencoded what must be encoded names no copy, nor does one with a `~`, which CloudFront
    does not support. `*` is a wildcard at the end alone, and stands for a query string too.
    """

    exact: frozenset[str]
    prefixes: tuple[str, ...]
    tags: frozenset[str]

    @classmethod
    def of(cls, items: tuple[str, ...]) -> Self:
        paths = [_upper_hex(item) for item in items if item.startswith("/")]
        paths = [path for path in paths if "%7E" not in path and "~" not in path]
        return cls(
            exact=frozenset(path for path in paths if not path.endswith("*")),
            prefixes=tuple(path[:-1] for path in paths if path.endswith("*")),
            tags=frozenset(item[1:].lower() for item in items if item.startswith("#")),
        )

    def takes(self, url: str, tags: frozenset[str]) -> bool:
        """Decide by a copy's canonical URL and the tags that its origin gave it."""
        return url in self.exact or url.startswith(self.prefixes) or not self.tags.isdisjoint(tags)


def _upper_hex(item: str) -> str:
    return _ENCODED.sub(lambda match: match[0].upper(), item)


MAX_TAGS = 50
MAX_TAG_LENGTH = 256


def tags_of(header: str) -> frozenset[str]:
    """Read an origin's cache tags: of too many the first 50 count, and case does not."""
    tags = [tag.strip().lower() for tag in header.split(",")]
    good = [tag for tag in tags if tag and len(tag) <= MAX_TAG_LENGTH]
    return frozenset(good[:MAX_TAGS])
