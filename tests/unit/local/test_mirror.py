"""Every module of local has its tests where its name says, or is named here with where they are."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCAL, TESTS = ROOT / "local", Path(__file__).parent

# A folder stands for all its modules.
TESTED_ELSEWHERE = {
    "cloudfront/account.py": "tests/unit/local/cloudfront/test_core.py",
    "cloudfront/errors.py": "tests/unit/local/cloudfront/test_core.py",
    "cloudfront/model.py": "tests/unit/local/cloudfront/test_doors.py",
    "cloudfront/paging.py": "tests/unit/local/cloudfront/test_invalidations.py",
    "cloudfront/resources.py": "tests/unit/local/cloudfront/test_cache_policies.py",
    "cloudfront/tags.py": "tests/unit/local/cloudfront/test_doors.py",
    "demo": "tests/local/stack/test_demo.py",
    "edge/copies.py": "tests/unit/local/edge/test_edge.py",
    "edge/responses.py": "tests/unit/local/edge/test_edge.py",
    "error_responses.py": "tests/unit/local/test_faults.py",
    "function.py": "tests/unit/local/test_template.py",
    "http_api/throttling.py": "tests/unit/local/http_api/test_front.py",
    "inprocess.py": "tests/local/stack/test_stack.py",
    "patching.py": "tests/unit/local/test_queues.py",
    "runtime": "tests/unit/local/test_sandboxes.py",
    "runtime_api.py": "tests/unit/local/test_sandboxes.py",
    "stack.py": "tests/local/stack/test_stack.py",
    "world.py": "tests/local/stack/test_stack.py",
}


def modules():
    return [path.relative_to(LOCAL) for path in LOCAL.rglob("*.py") if path.name != "__init__.py"]


def named(module):
    """Return the entries for a module: its own, and its folder's."""
    return {str(module), str(module.parts[0])} & TESTED_ELSEWHERE.keys()


@pytest.mark.parametrize("module", sorted(modules()), ids=str)
def test_module(module):
    """
    A module has a test file of its name, or an entry, and never both.
    """
    has_own = (TESTS / module.with_name(f"test_{module.name}")).exists()

    assert has_own != bool(named(module))


def test_entries():
    """
    Each entry names what is there.
    """
    assert set().union(*map(named, modules())) == {*TESTED_ELSEWHERE}
    assert all((ROOT / tests).is_file() for tests in TESTED_ELSEWHERE.values())


@pytest.mark.parametrize(
    "tests", sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")), ids=str
)
def test_tests(tests):
    """
    And each test file has its module.
    """
    assert tests.name == Path(__file__).name or tests.with_name(
        tests.name.removeprefix("test_")
    ) in {*modules()}
