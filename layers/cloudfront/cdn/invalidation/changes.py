"""What S3 said of an object: one change, its identity, and how many of them fit one row."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from cdn.aws import rows

_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Change:
    """
    An object of a bucket was created (or replaced) or deleted.

    Attributes:
        key: As S3 stores it, decoded from whatever form the event had.
        sequencer: S3's hexadecimal order of the changes of one key.
        at_ms: When it happened by S3's clock, in epoch milliseconds.
    """

    key: str
    kind: Literal["created", "deleted"]
    sequencer: str
    at_ms: int


def identity(change: Change) -> bytes:
    """
    Return a digest of what makes two events of a bucket the same event, in 8 bytes.

    S3 pads sequencers with zeros as it likes, so padding and case do not count:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html

    >>> first = Change("a.css", "created", "0055AE", 0)
    >>> identity(first) == identity(Change("a.css", "created", "55ae", 99))
    True
    >>> identity(first) == identity(Change("a.css", "deleted", "0055AE", 0))
    False
    """
    # A lifecycle deletion may come without a sequencer: then its moment tells it apart.
    order = change.sequencer.lower().lstrip("0") or f"at {change.at_ms}"
    text = json.dumps([change.key, change.kind, order])
    return blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def identities(blob: bytes) -> frozenset[bytes]:
    """Return the digests that `b"".join(…)` put into one row."""
    return frozenset(blob[at : at + _DIGEST_BYTES] for at in range(0, len(blob), _DIGEST_BYTES))


def pack(changes: Sequence[Change]) -> Iterator[bytes]:
    """
    Compress *changes* into as few blobs as a row may hold, none over 300 kB.

    >>> change = Change("ü+ .css", "created", "55AE", 1_790_000_000_000)
    >>> [unpack(blob) for blob in pack([change])] == [[change]]
    True
    """
    if not changes:
        return
    blob = rows.pack(
        [[change.key, change.kind, change.sequencer, change.at_ms] for change in changes]
    )
    if len(blob) <= rows.MAX_PACKED_BYTES or len(changes) == 1:
        yield blob
    else:
        middle = len(changes) // 2
        yield from pack(changes[:middle])
        yield from pack(changes[middle:])


def unpack(blob: bytes) -> list[Change]:
    """Return the changes that `pack` was given."""
    return [Change(*values) for values in rows.unpack(blob)]


def distinct(changes: Iterable[Change], *, seen: frozenset[bytes]) -> dict[bytes, Change]:
    """Return the first change of each identity that is not in *seen*."""
    fresh: dict[bytes, Change] = {}
    for change in changes:
        digest = identity(change)
        if digest not in seen:
            fresh.setdefault(digest, change)
    return fresh
