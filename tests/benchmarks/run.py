"""One run, in which all that is compared takes turns."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from cdn.signing import key_pairs
from tests.benchmarks import cold_starts, handler, material, signing, targets, timing
from tests.benchmarks.timing import Samples


def samples(rounds: Iterable[int]) -> Samples:
    """Take the samples that `targets.MEASURES` names."""
    with tempfile.TemporaryDirectory() as folder:
        pem_file = Path(folder) / "key.pem"
        pem_file.write_text(key_pairs.private_pem(material.private_key("RSA-2048")))
        with (
            handler.samplers() as requests,
            cold_starts.samplers(pem_file, bytecode=Path(folder)) as processes,
        ):
            samplers = signing.samplers(pem_file) | requests | processes
            return targets.derived(timing.interleaved(samplers, rounds))
