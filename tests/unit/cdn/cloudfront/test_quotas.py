"""What is let through stays within the limits, and whoever waits gets through in the end."""

from hypothesis import given
from hypothesis import strategies as st

from cdn.cloudfront import quotas
from cdn.cloudfront.quotas import RESERVATION_TTL_MS, Limits, Reservation, Share, State, Wait

LIMITS = Limits(100, 5, items_per_second=10, wildcards_per_minute=60)


def admit(state, reservation_id, share, *, now_ms=0, limits=LIMITS):
    return quotas.admit(state, reservation_id, share, limits=limits, now_ms=now_ms)


class TestAdmit:
    def test_in_progress(self):
        """
        What does not fit beside what is in progress waits until that is done.
        """
        state = State({"a": Reservation(Share(60, 3), 0)})

        assert admit(state, "b", Share(41, 0)) == Wait(None)
        assert admit(state, "b", Share(0, 3)) == Wait(None)
        assert isinstance(admit(state, "b", Share(40, 2)), State)

    def test_other_kind(self):
        """
        A quota holds up only what it counts.
        """
        wildcards = State({"a": Reservation(Share(0, 5), 0)}, wildcards_free_at_ms=9_000)
        items = State({"a": Reservation(Share(100, 0), 0)}, items_free_at_ms=9_000)

        assert isinstance(admit(wildcards, "b", Share(100, 0)), State)
        assert isinstance(admit(items, "b", Share(0, 5)), State)

    def test_rate(self):
        """
        What a batch takes of a rate at once, the next one waits for.
        """
        first = admit(State({}), "a", Share(20, 0))

        assert admit(first, "b", Share(1, 0), now_ms=1_999) == Wait(2_000)
        assert isinstance(admit(first, "b", Share(1, 0), now_ms=2_000), State)

    def test_too_large(self):
        """
        A batch that is larger than a limit goes when nothing else is in progress.
        """
        huge = Share(1_000, 50)

        assert isinstance(admit(State({}), "a", huge), State)
        assert admit(State({"b": Reservation(Share(1, 0), 0)}), "a", huge) == Wait(None)

    def test_again(self):
        """
        A batch that was let through is not counted again.
        """
        first = admit(State({}), "a", Share(100, 5))

        assert admit(first, "a", Share(100, 5), now_ms=1) == first

    def test_expires(self):
        """
        What nobody released is in the way for a quarter of an hour.
        """
        state = admit(State({}), "a", Share(100, 0))

        assert admit(state, "b", Share(1, 0), now_ms=RESERVATION_TTL_MS - 1) == Wait(None)
        after = admit(state, "b", Share(1, 0), now_ms=RESERVATION_TTL_MS)
        assert isinstance(after, State)
        assert {"b"} == after.reservations.keys()

    @given(
        st.lists(
            st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(0, 3_000), st.booleans()),
            max_size=60,
        )
    )
    def test_limits_hold(self, story):
        """
        Whatever comes and goes, no more is in progress than may be, nor more sent than the rates.
        """
        state, now_ms = State({}), 0
        admitted = []
        for number, (items, wildcards, pause_ms, ends) in enumerate(story):
            now_ms += pause_ms
            answer = admit(state, str(number), Share(items, wildcards), now_ms=now_ms)
            if isinstance(answer, State):
                state = answer
                admitted.append((now_ms, items, wildcards))
            if ends and state.reservations:
                state = quotas.release(state, next(iter(state.reservations)))
            reserved = state.reservations.values()
            assert sum(one.share.items for one in reserved) <= 100
            assert sum(one.share.wildcards for one in reserved) <= 5
        for at, (first_ms, *_) in enumerate(admitted):
            # The last one may have been let through with the rate's first free moment.
            sent = admitted[at:-1]
            took_ms = admitted[-1][0] - first_ms
            assert sum(items for _, items, _ in sent if admitted[-1][1]) <= took_ms / 100 + 1
            assert sum(wild for *_, wild in sent if admitted[-1][2]) <= took_ms / 1_000 + 1

    @given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9)), max_size=20))
    def test_nobody_starves(self, loads):
        """
        Whoever waits until the time that it was given, while others end, gets through.
        """
        state, now_ms = State({}), 0
        for number, (items, wildcards) in enumerate(loads):
            answer = admit(state, str(number), Share(items, wildcards), now_ms=now_ms)
            while isinstance(answer, Wait):
                if answer.until_ms is None:
                    state = quotas.release(state, next(iter(state.reservations)))
                else:
                    assert answer.until_ms > now_ms
                    now_ms = answer.until_ms
                answer = admit(state, str(number), Share(items, wildcards), now_ms=now_ms)
            state = answer


class TestRelease:
    def test_twice(self):
        """
        What was released may be released again.
        """
        state = State(
            {"a": Reservation(Share(1, 0), 0), "b": Reservation(Share(1, 0), 0)}, items_free_at_ms=7
        )

        once = quotas.release(state, "a")

        assert {"b"} == once.reservations.keys()
        assert once.items_free_at_ms == 7
        assert quotas.release(once, "a") == once
