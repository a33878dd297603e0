"""
`make mutants PACKAGE=…`: print each change of a condition in a package that no test notices.

mutmut finds modules by their folders, so it works in a copy of the repository in which `cdn` lies
in src/, and runs the package's own tests.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutation.guards import LAYER

ROOT = Path(__file__).parents[2]
# What tests of the layer import, or read.
BESIDE = ("tests", "local", "functions", "commands", "events", "docs", "template.yaml")
# Of a package's some thousand changes those of its conditions: the others take an hour, and say
# that a text is a text.
CONDITIONS = r"\b(if|elif|while|case|and|or|not)\b| [<>]=? |[=!]=|\b(condition|table\.)"
SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/cdn/{package}/*"]
also_copy = {beside}
do_not_mutate_patterns = {ignored}
pytest_add_cli_args = ["-p", "no:cacheprovider", "--hypothesis-profile", "mutants"]
pytest_add_cli_args_test_selection = ["tests/unit/cdn/{package}"]
use_git_change_detection = false
"""


def copy(folder: Path, package: str) -> None:
    """Make the copy in which mutmut works on *package*."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(LAYER / "cdn", folder / "src" / "cdn", ignore=ignore)
    for name in BESIDE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder / name)
    settings = (ROOT / "pyproject.toml").read_text()
    for name in ("layers/cloudfront/cdn", "layers/cloudfront"):
        settings = settings.replace(f'"{name}"', f'"{name.replace("layers/cloudfront", "src")}"')
    settings += SETTINGS.format(
        package=package,
        beside=list(BESIDE),
        # In JSON, because TOML reads its texts alike.
        ignored=json.dumps([f"^(?!.*({CONDITIONS}))"]),
    )
    (folder / "pyproject.toml").write_text(settings)


def mutmut(folder: Path, *arguments: str, quiet: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE if quiet else None,
        text=True,
        check=False,
    )


def is_text_alone(diff: str) -> bool:
    r"""
    Return whether a change is one of a text alone, of which mutmut has three kinds.

    >>> is_text_alone('-  if name == "a":\n+  if name == "XXaXX":')
    True
    >>> is_text_alone('-  if name == "a":\n+  if name != "a":')
    False
    """
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    removed, added = (
        "".join(line[1:] for line in lines if line.startswith(sign)).lower().replace("xx", "")
        for sign in "-+"
    )
    return removed == added


def main() -> int:
    packages = sorted(path.parent.name for path in LAYER.glob("cdn/*/__init__.py"))
    parser = argparse.ArgumentParser(description="Print what no test of a package notices.")
    parser.add_argument("package", choices=packages)
    package = parser.parse_args().package
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder, package)
        run = mutmut(folder, "run", quiet=not sys.stdout.isatty())
        if run.returncode:
            sys.stdout.write(run.stdout or "")
            return run.returncode
        results = [line.strip() for line in mutmut(folder, "results").stdout.splitlines()]
        survivors = [line.split(":")[0] for line in results if line.endswith(": survived")]
        diffs = [mutmut(folder, "show", survivor).stdout for survivor in survivors]
        survivors = [diff for diff in diffs if not is_text_alone(diff)]
        sys.stdout.write("\n".join(survivors))
    sys.stdout.write(f"{package}: {len(survivors)} changes that no test notices\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
