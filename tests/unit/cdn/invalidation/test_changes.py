"""Changes are distinguished by what S3 says of them, and fit their rows."""

import os

from hypothesis import given
from hypothesis import strategies as st

from cdn.invalidation import changes
from cdn.invalidation.changes import Change

CHANGES = st.builds(
    Change,
    key=st.text(min_size=1),
    kind=st.sampled_from(["created", "deleted"]),
    sequencer=st.text("0123456789ABCDEFabcdef"),
    at_ms=st.integers(0, 2**42),
)


class TestPack:
    @given(st.lists(CHANGES))
    def test_round_trip(self, noted):
        """
        What is packed comes back whole and in order.
        """
        unpacked = [change for blob in changes.pack(noted) for change in changes.unpack(blob)]

        assert noted == unpacked

    def test_too_much_for_one_row(self):
        """
        Changes that do not fit one row are split over several, each small enough.
        """
        noted = [Change(os.urandom(500).hex(), "created", "1", 0) for _ in range(1_000)]

        blobs = list(changes.pack(noted))

        assert len(blobs) > 1
        assert max(map(len, blobs)) <= 300_000
        assert noted == [change for blob in blobs for change in changes.unpack(blob)]


class TestDistinct:
    def test_duplicates(self):
        """
        The same event noted twice counts once, whatever else it carries.
        """
        noted = [Change("a", "created", "0F", 1), Change("a", "created", "f", 2)]

        assert [noted[0]] == list(changes.distinct(noted, seen=frozenset()).values())

    def test_seen(self):
        """
        An event that a committed plan took is not taken again.
        """
        change = Change("a", "created", "0F", 1)
        blob = changes.identity(change) + changes.identity(Change("b", "created", "1", 1))

        assert not changes.distinct([change], seen=changes.identities(blob))

    def test_later_change_of_the_same_key(self):
        """
        The same key changed again is another event.
        """
        first, second = Change("a", "created", "0F", 1), Change("a", "created", "10", 2)

        assert changes.identity(first) != changes.identity(second)

    def test_without_sequencer(self):
        """
        Where S3 gives no sequencer, the moment tells two deletions of a key apart.
        """
        first, second = Change("a", "deleted", "", 1), Change("a", "deleted", "", 2)

        assert changes.identity(first) != changes.identity(second)
