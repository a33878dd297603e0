"""
Every step has its executor: `assert_never` lets mypy refuse a step without one.

What the executors do is held end to end, with crashes between any two of their calls:
tests/local/rotation/test_rotation_crashes.py and test_rotation_storm.py.
"""

import inspect

from cdn.rotation import execute, steps


def test_every_step_matched():
    """
    The match names each step of the union once.
    """
    source = inspect.getsource(execute.take)

    for step in steps.Step.__args__:
        assert source.count(f"case steps.{step.__name__}():") == 1
