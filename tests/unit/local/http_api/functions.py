"""The function that routes of these tests lead to."""

from pathlib import Path

from local.function import Function

FUNCTION = Function(
    name="f",
    logical_id="F",
    physical_name="F",
    folder=Path(),
    handler="",
    timeout_s=1,
    memory_mb=1,
    environment={},
)
