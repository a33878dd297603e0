"""The import rules of pyproject.toml hold, and each of them notices when it is broken."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("layers/cloudfront/cdn", "functions", "local", "commands")
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
}
CDN = "layers/cloudfront/cdn"
PATHS, TABLE = f"{CDN}/cloudfront/paths.py", f"{CDN}/aws/table.py"
SWEEP, LOCAL = "functions/sweep/app.py", "local/virtual_time.py"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the packages and their rules, to be broken."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


@pytest.fixture
def plant(tree):
    """Add a line to a module of the copy, for one test."""
    planted = {}

    def add(module, line):
        path = tree / module
        path.parent.mkdir(exist_ok=True)
        planted[path] = path.read_text(encoding="utf-8") if path.exists() else None
        path.write_text(f"{planted[path] or ''}\n{line}\n", encoding="utf-8")

    yield add
    for path, before in planted.items():
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")


def lint(tree):
    """Check the rules as `make check` does; tell which are broken."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
        cwd=tree,
        # Wide enough that no contract's name is wrapped.
        env=os.environ | {"PYTHONPATH": ".:layers/cloudfront", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    broken = {rule for rule, about in CONTRACTS.items() if f"{about['name']} BROKEN" in done.stdout}
    assert done.returncode == (1 if broken else 0)
    return broken


class TestRules:
    def test_kept(self, tree):
        """
        As it stands, the code keeps every rule.
        """
        assert lint(tree) == set()

    @pytest.mark.parametrize(
        ("rule", "module", "line"),
        [
            ("packages", PATHS, "from cdn.watching import schedule"),
            ("packages", PATHS, "def late():\n    import cdn.invalidation.planner"),
            ("packages", TABLE, "from cdn.invalidation.flushes import FlushDelays"),
            ("packages", TABLE, "from cdn.cloudfront import invalidations"),
            ("packages", f"{CDN}/access/grants.py", "from cdn.watching import schedule"),
            ("packages", f"{CDN}/errors.py", "from cdn import settings"),
            ("packages", f"{CDN}/newcomer/__init__.py", "import json"),
            ("signer", f"{CDN}/access/grants.py", "import boto3"),
            ("signer", f"{CDN}/access/grants.py", "from cdn.aws import table"),
            ("signer", f"{CDN}/signing/policies.py", "from cdn.cloudfront import paths"),
            ("pure", PATHS, "import boto3"),
            ("pure", PATHS, "from botocore.waiter import WaiterModel"),
            ("pure", PATHS, "from cdn import settings"),
            ("pure", PATHS, "from cdn import clients"),
            ("pure", PATHS, "from os import environ"),
            ("pure", PATHS, "import time"),
            ("handlers", SWEEP, "import boto3"),
            ("handlers", SWEEP, "def late():\n    from botocore.config import Config"),
            ("handlers", SWEEP, "from cryptography.hazmat import primitives"),
            ("handlers", SWEEP, "from local import virtual_time"),
            ("handlers", SWEEP, "from commands import account"),
            ("strangers", SWEEP, "from functions.collect_changes import app"),
            ("commands", "commands/routes.py", "from local import virtual_time"),
            ("upward", TABLE, "import functions.sweep.app"),
            ("upward", TABLE, "from local import virtual_time"),
            ("upward", TABLE, "from commands import account"),
            ("opinions", LOCAL, "from cdn import paths"),
            ("opinions", LOCAL, "import functions.sweep.app"),
            ("opinions", LOCAL, "from commands import account"),
            ("circles", "local/edge/responses.py", "from local.edge import edge"),
            ("circles", f"{CDN}/access/path_templates.py", "from cdn.access import grants"),
            ("access", f"{CDN}/access/grants.py", "from cdn.access import issuing"),
            ("signing", f"{CDN}/signing/urls.py", "from cdn.signing import policies"),
            ("rotation", f"{CDN}/rotation/decide.py", "from cdn.rotation import execute"),
            (
                "invalidation",
                f"{CDN}/invalidation/routes.py",
                "from cdn.invalidation import batches",
            ),
            ("watching", f"{CDN}/watching/schedule.py", "from cdn.watching import polling"),
            ("cloudfront", PATHS, "from cdn.cloudfront import quotas"),
            ("aws", f"{CDN}/aws/rows.py", "from cdn.aws import timers"),
            ("aws", TABLE, "from cdn.aws import timers"),
        ],
    )
    def test_broken(self, tree, plant, rule, module, line):
        """
        A planted import that a rule forbids breaks that rule.
        """
        plant(module, line)

        assert rule in lint(tree)

    def test_every_rule(self):
        """
        No rule goes without a violation planted against it.
        """
        planted = {case[0] for case in self.test_broken.pytestmark[0].args[1]}

        assert planted == set(CONTRACTS)


class TestReach:
    @pytest.mark.parametrize(
        "function", sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
    )
    def test_handlers(self, function):
        """
        A handler imports the standard library, Powertools and cdn, whatever else is installed.
        """
        handler = ROOT / "functions" / function / "app.py"
        names: set[str] = set()

        for node in ast.walk(ast.parse(handler.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or ".").partition(".")[0])

        assert names - sys.stdlib_module_names <= {"aws_lambda_powertools", "cdn"}

    def test_layers_covered(self):
        """
        Of all that the layers ship, a function is forbidden everything but Powertools.
        """
        pins = {
            line.partition("==")[0]
            for layer in (ROOT / "layers").glob("*/requirements.txt")
            for line in layer.read_text(encoding="utf-8").splitlines()
            if line[:1].isalpha()
        }
        shipped = {
            module
            for module, names in packages_distributions().items()
            if {name.lower().replace("_", "-") for name in names} & pins
        }

        public = {module for module in shipped if not module.startswith("_")}

        assert "boto3" in public
        assert public - set(CONTRACTS["handlers"]["forbidden_modules"]) == {"aws_lambda_powertools"}

    def test_pure_complete(self):
        """
        Every module that computes from values alone is held to it.
        """
        graph = grimp.build_graph("cdn", include_external_packages=True)
        impure = {*CONTRACTS["pure"]["forbidden_modules"], "http"}
        # They are given clients, or fetch.
        acting = {
            f"cdn.{module}"
            for module in ("aws.announcements", "aws.dead_letters", "cloudfront.pages")
        } | {"cdn.cloudfront.probe"}

        pure = {
            module
            for module in graph.modules
            if module.startswith("cdn.")
            and not graph.find_children(module)
            and not graph.find_upstream_modules(module) & impure
        }

        assert "cdn.invalidation.planner" in pure
        assert pure - acting - {"cdn.errors"} <= set(CONTRACTS["pure"]["source_modules"])
