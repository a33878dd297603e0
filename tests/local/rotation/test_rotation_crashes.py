"""Wherever rotation dies, or meets another run of itself, it comes to where it would have come."""

import pytest

from local.faults import Does, Rule
from tests.local import rotating

# A life takes seconds and has some 400 calls, so `make prove` hits every sixteenth of them.
PARTS = 16
EVERY_PART = [
    pytest.param(part, marks=pytest.mark.full if part else pytest.mark.prove)
    for part in range(PARTS)
]
# The first key came to sign, was replaced, drained and deleted.
EXPECTED = (["deleted", "signing", "standby"], 2, 2)


def over(cloud):
    parts = list(cloud.states().values())
    return "deleted" in parts and {"signing", "standby"} <= {*parts}


def ended(cloud):
    return sorted(cloud.states().values()), len(cloud.members()), len(cloud.public_keys())


def live(*rules, each=None):
    """
    Let the first key come to its end; return that, and each call that was made, with its step.

    Args:
        each: Is called before each run, to change what happens to it.
    """
    with rotating.running(canary=True, seed=1) as cloud:
        cloud.container()
        cloud.faults.rules.extend(rules)
        cloud.faults.meanwhile = cloud.tick
        cloud.settle(
            max_ticks=2_000 if each else 80,
            until=lambda _: over(cloud),
            before=each and each(cloud),
        )
        return ended(cloud), cloud.made


def hit_each(does):
    """Have each call of each run hit once, by a run that is tried again until none is left."""

    def prepare(cloud):
        nth = 0
        done: set[tuple[int, str]] = set()

        def before():
            nonlocal nth
            last = cloud.made[-1][1].operation if cloud.made else ""
            hit = bool(cloud.faults.rules) and cloud.faults.number() >= cloud.faults.rules[0].nth
            if not hit:
                nth = 1
                done.clear()
            elif not last.startswith(rotating.READS) and (nth, last) not in done:
                # It may have been written, and something else come next.
                done.add((nth, last))
                nth = 1
            else:
                nth += 1
            cloud.faults.rules[:] = [
                Rule(does=does, caller=rotating.CALLER, nth=cloud.faults.number() + nth, times=3)
            ]

        return before

    return prepare


class TestCrash:
    @pytest.mark.prove
    @pytest.mark.parametrize("does", [Does.CRASH_BEFORE, Does.CRASH_AFTER])
    def test_each(self, does):
        """
        A run may die at each of its calls, in one life: no link breaks, and nothing is left over.
        """
        end, made = live(each=hit_each(does))

        assert end == EXPECTED
        crashed = [call.operation for step, call in made if step == "Crash"]
        assert len(crashed) > 200
        assert {call.operation for _, call in made} == {*crashed}

    @pytest.mark.parametrize("part", EVERY_PART)
    def test_every(self, part, subtests):
        """
        So it is with every call alone: dying before the next one leaves AWS the same.
        """
        _, made = live()
        for step, call in made[part::PARTS]:
            with subtests.test(step=step, call=f"{call.number} {call.operation}"):
                rule = Rule(does=Does.CRASH_AFTER, caller=rotating.CALLER, nth=call.number)
                end, again = live(rule)

                assert end == EXPECTED
                assert any(step == "Crash" for step, _ in again)


class TestTwoAtOnce:
    @pytest.mark.prove
    @pytest.mark.parametrize("nth", range(1, 15))
    def test_each(self, nth):
        """
        Another run may come between the same two calls of each run.
        """

        def prepare(cloud):
            def before():
                cloud.faults.at = cloud.faults.number() + nth

            return before

        end, _ = live(each=prepare)

        assert end == EXPECTED


class TestBusy:
    @pytest.mark.parametrize(
        ("operation", "status", "code"),
        [
            ("UpdateKeyGroup", 412, "PreconditionFailed"),
            ("UpdateSecretVersionStage", 400, "InvalidParameterException"),
            ("CreatePublicKey", 409, "PublicKeyAlreadyExists"),
            ("DeletePublicKey", 409, "PublicKeyInUse"),
        ],
    )
    def test_outrun(self, operation, status, code):
        """
        Who came too late observes again.
        """
        rule = Rule(
            does=Does.FAIL, caller=rotating.CALLER, operation=operation, status=status, code=code
        )

        end, made = live(rule)

        assert end == EXPECTED
        assert any(call.operation == operation for _, call in made)

    @pytest.mark.prove
    def test_throttled(self):
        """
        Whatever is refused for now is done later.
        """
        end, _ = live(each=hit_each(Does.THROTTLE))

        assert end == EXPECTED
