"""What was read is kept by the wall clock: not too long, and not read too often."""

import pytest

from cdn.access.cached import TtlCache
from cdn.errors import UnavailableError


class Source:
    """Something that is read, and may fail."""

    def __init__(self):
        self.reads = 0
        self.fails = False

    def read(self):
        self.reads += 1
        if self.fails:
            raise UnavailableError("it", "down")
        return self.reads


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def kept(source, time_source):
    return TtlCache(source.read, time_source)


class TestGet:
    def test_kept(self, kept, time_source):
        """
        For a minute it is read once.
        """
        assert kept.get() == 1
        time_source.s += 59.9
        assert kept.get() == 1
        time_source.s += 0.1
        assert kept.get() == 2

    def test_frozen(self, kept, time_source):
        """
        After any time in which the sandbox was frozen, it is read again.
        """
        kept.get()
        time_source.s += 86_400

        assert kept.get() == 2

    def test_refresh(self, kept, source, time_source):
        """
        Whoever asks for a new one gets one, at most every five seconds.
        """
        kept.get()
        assert kept.get(refresh=True) == 1
        time_source.s += 5
        assert kept.get(refresh=True) == 2
        assert kept.get(refresh=True) == 2
        assert source.reads == 2

    def test_failing(self, kept, source, time_source):
        """
        While it cannot be read, the old one is good for 15 minutes after it was read.
        """
        kept.get()
        source.fails = True
        time_source.s += 899
        assert kept.get() == 1
        time_source.s += 6
        with pytest.raises(UnavailableError):
            kept.get()

    def test_not_hammered(self, kept, source, time_source):
        """
        What cannot be read is not tried more often than every five seconds.
        """
        kept.get()
        source.fails = True
        time_source.s += 61
        for _ in range(10):
            kept.get()

        assert source.reads == 2

    def test_never_read(self, kept, source, time_source):
        """
        Where nothing was ever read, there is nothing, until it can be.
        """
        source.fails = True
        for _ in range(2):
            with pytest.raises(UnavailableError):
                kept.get()
        source.fails = False
        time_source.s += 5

        assert kept.get() == 2

    def test_gone_for_good(self, kept, source, time_source):
        """
        One that became too old does not come back while reading is not tried.
        """
        kept.get()
        source.fails = True
        time_source.s += 901
        for _ in range(2):
            with pytest.raises(UnavailableError):
                kept.get()

    def test_clock_set_back(self, kept, time_source):
        """
        A clock that was set back says nothing about age, so it is read again.
        """
        kept.get()
        time_source.s -= 3_600

        assert kept.get() == 2
