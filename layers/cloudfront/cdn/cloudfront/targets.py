"""What an invalidation, a watch or a quota is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["distribution"]

_FIELDS: Mapping[Kind, str] = {"distribution": "distribution_id"}


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """
    One thing of CloudFront's that has a cache.

    Attributes:
        id: As CloudFront names it, whatever kind it is of.
    """

    kind: Kind
    id: str

    @property
    def fields(self) -> dict[str, str]:
        """
        What log lines and announcements say of it.

        >>> Target("distribution", "E2EXAMPLE").fields
        {'distribution_id': 'E2EXAMPLE'}
        """
        return {_FIELDS[self.kind]: self.id}


def distribution(distribution_id: str) -> Target:
    """Return a distribution as a target."""
    return Target("distribution", distribution_id)
