"""Measure what signing costs, print it beside what it shall cost, and write it to bench.json."""

import argparse
import json
import platform
from importlib.metadata import version
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.benchmarks import material, run, targets
from tests.benchmarks.timing import Samples

_FILE = material.ROOT / "bench.json"
_SIGNS = {"max": "≤", "min": "≥"}
_WORDS = {True: "met", False: "missed", None: ""}
_WIDTH = 100


def main() -> None:
    rounds = _arguments().rounds
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    samples = run.samples(track(range(rounds), "measuring", console=console, transient=True))
    console.print(_table(samples))
    console.print(
        f"\nMedians of {rounds} rounds of CPU time on Python {platform.python_version()}, "
        f"cryptography {version('cryptography')}. One signature took "
        f"{_us(samples, 'RSA: raw')} µs (RSA) and {_us(samples, 'ECDSA: raw')} µs (ECDSA). "
        f"All of it is in {_FILE.name}."
    )
    _FILE.write_text(json.dumps(_document(samples, rounds), indent=2, ensure_ascii=False) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="more are slower and quieter")
    return parser.parse_args()


def _table(samples: Samples) -> Table:
    table = Table("", box=None, pad_edge=False)
    for column in ("result", "target", ""):
        table.add_column(column, justify="right")
    for section, measures in targets.MEASURES.items():
        table.add_row(f"[bold]{section}")
        for measure in measures:
            value = measure.value(samples)
            table.add_row(
                f"  {measure.what}",
                f"{value:.3g}" if value < 1000 else f"{value:.0f}",
                "" if measure.target is None else f"{_SIGNS[measure.bound]} {measure.target:g}",
                _WORDS[measure.met(value)],
            )
    return table


def _document(samples: Samples, rounds: int) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cryptography": version("cryptography"),
        "boto3": version("boto3"),
        "rounds": rounds,
        "ratios": [
            {
                "measure": section,
                "of": measure.what,
                "ratio": (value := measure.value(samples)),
                "target": measure.target,
                "bound": measure.bound,
                "met": measure.met(value),
            }
            for section, measures in targets.MEASURES.items()
            for measure in measures
        ],
        "cpu_us": {name: round(median(seconds) * 1e6, 2) for name, seconds in samples.items()},
    }


def _us(samples: Samples, name: str) -> str:
    return f"{median(samples[name]) * 1e6:.1f}"


if __name__ == "__main__":
    main()
