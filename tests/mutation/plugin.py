"""
A plugin of pytest's that lets one module of the layer be a mutant, named by the environment.

Nothing is written: the mutant's text takes the place of the file's when the module is imported.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

import pytest

from tests.mutation import guards

VARIABLE = "GUARD"
"""The environment's variable: a module, and the number of its mutant."""


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType | None:
        return compile(self.source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: guards.Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.mutant.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.origin:
            spec.loader = _Loader(fullname, spec.origin, self.mutant.source)
        return spec


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Let the mutant be imported from now on, by fixtures as well."""
    module, _, number = os.environ[VARIABLE].partition(":")
    finder = _Finder(guards.mutants(module)[int(number)])
    sys.meta_path.insert(0, finder)
    early_config.pluginmanager.register(_Check(finder.mutant.module))


class _Check:
    def __init__(self, module: str) -> None:
        self.module = module

    def pytest_sessionfinish(self) -> None:
        """End otherwise than a failed test does, if none had anything to do with the mutant."""
        module = sys.modules.get(self.module)
        if not module or not isinstance(module.__loader__, _Loader):
            pytest.exit(f"{self.module} is no mutant", pytest.ExitCode.USAGE_ERROR)
