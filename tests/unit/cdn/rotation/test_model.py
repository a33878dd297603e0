"""The highest lifetime counts that was in force at any moment of a span."""

from cdn.rotation import model


class TestMaxLifetime:
    def test_raised_and_lowered(self):
        """
        A lifetime that was allowed for a moment only counts like any other.
        """
        history = ((0, 60), (1_000, 7_200), (1_001, 60))

        assert model.max_lifetime_s(history, since_ms=0, until_ms=9_000) == 7_200
        assert model.max_lifetime_s(history, since_ms=1_001, until_ms=9_000) == 60

    def test_nothing(self):
        """
        Where there were no grants, there was no lifetime.
        """
        assert model.max_lifetime_s((), since_ms=0, until_ms=9_000) is None
