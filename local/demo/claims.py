"""Claims: statements of the demo, each checked where it is made."""

from dataclasses import dataclass, field

from local.demo.narration import Narrator


@dataclass(slots=True)
class Claims:
    """
    Print each claim as it is checked, and count them.

    Attributes:
        results: Each claim's id, and whether it held, broke or was skipped.
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

    def skip(self, claim_id: str, why: str) -> None:
        """Say that a claim cannot be looked at here."""
        self.results[claim_id] = "skipped"
        self.narrator.line(f"skip  {claim_id}  {why}")

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
        results = list(self.results.values())
        skipped = results.count("skipped")
        told = f"demo: {results.count('held')} of {len(results) - skipped} claims held"
        return f"{told}, {skipped} skipped" if skipped else told
