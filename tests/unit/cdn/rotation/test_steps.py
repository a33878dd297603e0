"""Every step is a frozen value of the union, with a docstring that says what it does."""

import dataclasses

from cdn.rotation import steps
from cdn.rotation.steps import Wait


def test_union():
    """
    No step is defined without being in the union that `execute` matches.
    """
    defined = {
        value for value in vars(steps).values() if isinstance(value, type) and value is not Wait
    }

    assert defined == {*steps.Step.__args__}
    assert all(dataclasses.is_dataclass(step) and step.__doc__ for step in defined)
