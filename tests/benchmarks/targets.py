"""What is compared with what, and how good it shall be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.benchmarks import handler, signing, timing
from tests.benchmarks.timing import Samples

US = 1e-6


@dataclass(frozen=True, slots=True)
class Measure:
    """
    How many times *over* is *under*; both name samples.

    Attributes:
        target: The maximum or minimum that it shall be; None where it is there to compare.
    """

    what: str
    over: str
    under: str
    target: float | None = None
    bound: Literal["max", "min"] = "max"

    def value(self, samples: Samples) -> float:
        return timing.ratio(samples, self.over, self.under)

    def met(self, value: float, *, slack: float = 1.0) -> bool | None:
        """
        Return whether *value* meets the target, or None where there is none.

        >>> Measure("", "", "", 1.1).met(1.2), Measure("", "", "", 1.1).met(1.2, slack=1.5)
        (False, True)
        """
        if self.target is None:
            return None
        if self.bound == "max":
            return value <= self.target * slack
        return value >= self.target / slack


MEASURES: dict[str, Sequence[Measure]] = {
    "One URL ÷ one signature": [
        Measure("RSA", "RSA: sign_url", "RSA: raw", 1.05),
        Measure("ECDSA", "ECDSA: sign_url", "ECDSA: raw", 1.10),
        Measure(
            "ECDSA, of a signature with a random nonce", "ECDSA: sign_url", "ECDSA: raw, random"
        ),
        Measure("RSA, botocore's CloudFrontSigner", "RSA: CloudFrontSigner", "RSA: raw"),
        Measure("ECDSA, botocore's CloudFrontSigner", "ECDSA: CloudFrontSigner", "ECDSA: raw"),
        Measure("RSA, the example of boto3's documentation", "RSA: boto3's example", "RSA: raw"),
    ],
    "100 URLs of a folder ÷ 1.5 signatures + 1 µs a URL": [
        Measure("RSA", "RSA: 100 in a folder", "RSA: 100 in a folder, allowed", 1.0),
        Measure("ECDSA", "ECDSA: 100 in a folder", "ECDSA: 100 in a folder, allowed", 1.0),
        Measure("RSA, in signatures", "RSA: 100 in a folder", "RSA: raw"),
        Measure("ECDSA, in signatures", "ECDSA: 100 in a folder", "ECDSA: raw"),
    ],
    "Requests within an expiry's step ÷ RSA signatures in the same time": [
        Measure("the same URL again, decided anew", "RSA: raw", "access: 1 URL again", 50, "min"),
        Measure("the whole handler", "RSA: raw", "handler: 1 URL again"),
    ],
    "Requests with every feature on ÷ ECDSA signatures in the same time": [
        Measure("a new URL", "ECDSA: raw", "handler: 1 URL", 0.60, "min"),
        Measure("each of 100 new URLs", "ECDSA: raw", "handler: 100 URLs, each", 0.85, "min"),
    ],
    "CPU from import to the first signature ÷ boto3's example": [
        Measure(
            "an ECDSA key, as by default",
            "first: handler, ECDSA",
            "first: boto3's example, in a function",
            0.30,
        ),
        Measure("an RSA key", "first: handler, RSA", "first: boto3's example, in a function"),
        Measure(
            "an ECDSA key, of the example with its key in a file",
            "first: handler, ECDSA",
            "first: boto3's example",
        ),
    ],
}


def derived(samples: Samples) -> Samples:
    """Add what follows from samples: a URL's part of a batch, and what a folder may cost."""
    return {
        **samples,
        "handler: 100 URLs, each": [s / handler.BATCH for s in samples["handler: 100 URLs"]],
        **{
            f"{kind}: 100 in a folder, allowed": [
                1.5 * s + signing.IN_FOLDER * US for s in samples[f"{kind}: raw"]
            ]
            for kind in ("RSA", "ECDSA")
        },
    }
