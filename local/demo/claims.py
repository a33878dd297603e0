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
        Claim *sentence*, which holds if every expectation does.

        Args:
            against: Expectations, each with whether it holds.
        """
        missed = [expectation for expectation, holds in against.items() if not holds]
        self.results[claim_id] = "broke" if missed or not against else "held"
        self.narrator.line(
            f"{'BROKE' if missed or not against else 'held '} {claim_id}  {sentence}"
        )
        for expectation in missed:
            self.narrator.line(f"        not so: {expectation}")

    def skip(self, claim_id: str, why: str) -> None:
        """Print that a claim cannot be checked here, and why."""
        self.results[claim_id] = "skipped"
        self.narrator.line(f"skip  {claim_id}  {why}")

    @property
    def broken(self) -> list[str]:
        """Return the ids of the claims that broke."""
        return [claim_id for claim_id, result in self.results.items() if result == "broke"]

    def summary(self) -> str:
        """
        Return how many held, in a sentence.

        >>> Claims(Narrator.silent(), {"a": "held", "b": "broke"}).summary()
        'demo: 1 of 2 claims held'
        """
        results = list(self.results.values())
        skipped = results.count("skipped")
        counts = f"demo: {results.count('held')} of {len(results) - skipped} claims held"
        return f"{counts}, {skipped} skipped" if skipped else counts
