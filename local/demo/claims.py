"""Claims: statements of the demo, each checked where it is made."""

from dataclasses import dataclass, field

from local.demo.narration import Narrator


@dataclass(slots=True)
class Claims:
    """
    Print each claim as it is checked, and count them.

    Attributes:
        results: Each claim's id, and whether it held or broke.
    """

    narrator: Narrator
    results: dict[str, str] = field(default_factory=dict)

    def check(self, claim_id: str, sentence: str, *, against: dict[str, bool]) -> None:
        """
        Claim *sentence*, which holds if everything that was looked at is true.

        Args:
            against: What was looked at, each with what was found.
        """
        missed = [look for look, found in against.items() if not found]
        self.results[claim_id] = "broke" if missed or not against else "held"
        self.narrator.line(
            f"{'BROKE' if missed or not against else 'held '} {claim_id}  {sentence}"
        )
        for look in missed:
            self.narrator.line(f"        not so: {look}")

    @property
    def broken(self) -> list[str]:
        """Name the claims that broke."""
        return [claim_id for claim_id, result in self.results.items() if result == "broke"]

    def summary(self) -> str:
        """
        Say how many held.

        >>> Claims(Narrator.silent(), {"a": "held", "b": "broke"}).summary()
        'demo: 1 of 2 claims held'
        """
        held = len(self.results) - len(self.broken)
        return f"demo: {held} of {len(self.results)} claims held"
