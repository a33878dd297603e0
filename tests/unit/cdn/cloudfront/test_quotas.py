"""What is let through stays within the limits, and whoever waits gets through in the end."""

from hypothesis import given
from hypothesis import strategies as st

from cdn.cloudfront import quotas
from cdn.cloudfront.quotas import LEASE_MS, Lease, Limits, Load, State, Wait

LIMITS = Limits(100, 5, items_per_second=10, wildcards_per_minute=60)


def admit(state, reference, wanted, *, now_ms=0, limits=LIMITS):
    return quotas.admit(state, reference, wanted, limits=limits, now_ms=now_ms)


class TestAdmit:
    def test_in_progress(self):
        """
        What does not fit beside what is in progress waits until that is done.
        """
        state = State({"a": Lease(Load(60, 3), 0)})

        assert admit(state, "b", Load(41, 0)) == Wait(None)
        assert admit(state, "b", Load(0, 3)) == Wait(None)
        assert isinstance(admit(state, "b", Load(40, 2)), State)

    def test_other_kind(self):
        """
        A quota holds up only what it counts.
        """
        wildcards = State({"a": Lease(Load(0, 5), 0)}, wildcards_free_ms=9_000)
        items = State({"a": Lease(Load(100, 0), 0)}, items_free_ms=9_000)

        assert isinstance(admit(wildcards, "b", Load(100, 0)), State)
        assert isinstance(admit(items, "b", Load(0, 5)), State)

    def test_rate(self):
        """
        What a batch takes of a rate at once, the next one waits for.
        """
        first = admit(State({}), "a", Load(20, 0))

        assert admit(first, "b", Load(1, 0), now_ms=1_999) == Wait(2_000)
        assert isinstance(admit(first, "b", Load(1, 0), now_ms=2_000), State)

    def test_too_large(self):
        """
        A batch that is larger than a limit goes when nothing else is in progress.
        """
        huge = Load(1_000, 50)

        assert isinstance(admit(State({}), "a", huge), State)
        assert admit(State({"b": Lease(Load(1, 0), 0)}), "a", huge) == Wait(None)

    def test_again(self):
        """
        A batch that was let through is not counted again.
        """
        first = admit(State({}), "a", Load(100, 5))

        assert admit(first, "a", Load(100, 5), now_ms=1) == first

    def test_lapses(self):
        """
        What nobody gave back is in the way for a quarter of an hour.
        """
        state = admit(State({}), "a", Load(100, 0))

        assert admit(state, "b", Load(1, 0), now_ms=LEASE_MS - 1) == Wait(None)
        after = admit(state, "b", Load(1, 0), now_ms=LEASE_MS)
        assert isinstance(after, State)
        assert {"b"} == after.leases.keys()

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
            answer = admit(state, str(number), Load(items, wildcards), now_ms=now_ms)
            if isinstance(answer, State):
                state = answer
                admitted.append((now_ms, items, wildcards))
            if ends and state.leases:
                state = quotas.release(state, next(iter(state.leases)))
            leases = state.leases.values()
            assert sum(lease.load.items for lease in leases) <= 100
            assert sum(lease.load.wildcards for lease in leases) <= 5
        for at, (first_ms, *_) in enumerate(admitted):
            # The last one may have been let through with the rate's first free moment.
            sent = admitted[at:-1]
            took_ms = admitted[-1][0] - first_ms
            assert sum(items for _, items, _ in sent if admitted[-1][1]) <= took_ms / 100 + 1
            assert sum(wild for *_, wild in sent if admitted[-1][2]) <= took_ms / 1_000 + 1

    @given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9)), max_size=20))
    def test_nobody_starves(self, loads):
        """
        Whoever waits for as long as it is told, while others end, gets through.
        """
        state, now_ms = State({}), 0
        for number, (items, wildcards) in enumerate(loads):
            answer = admit(state, str(number), Load(items, wildcards), now_ms=now_ms)
            while isinstance(answer, Wait):
                if answer.until_ms is None:
                    state = quotas.release(state, next(iter(state.leases)))
                else:
                    assert answer.until_ms > now_ms
                    now_ms = answer.until_ms
                answer = admit(state, str(number), Load(items, wildcards), now_ms=now_ms)
            state = answer


class TestRelease:
    def test_twice(self):
        """
        What was given back may be given back again.
        """
        state = State({"a": Lease(Load(1, 0), 0), "b": Lease(Load(1, 0), 0)}, items_free_ms=7)

        once = quotas.release(state, "a")

        assert {"b"} == once.leases.keys()
        assert once.items_free_ms == 7
        assert quotas.release(once, "a") == once
