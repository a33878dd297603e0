"""Every module of the layer has its tests where its name says, or is named here with where."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CDN, TESTS = ROOT / "layers" / "cloudfront" / "cdn", Path(__file__).parent

# Best tested end to end, on the stack or on its edge.
TESTED_ELSEWHERE = {
    "cloudfront/distributions.py": "tests/unit/cdn/invalidation/test_route_table.py",
    "cloudfront/pages.py": "tests/unit/cdn/invalidation/test_route_table.py",
    "cloudfront/probe.py": "tests/local/rotation/test_rotate_keys.py",
    "invalidation/batches.py": "tests/local/invalidation/test_batch_steps.py",
    "invalidation/context.py": "tests/local/invalidation/test_flush_steps.py",
    "invalidation/flushes.py": "tests/local/invalidation/test_flush_steps.py",
    "invalidation/halving.py": "tests/local/invalidation/test_halving.py",
    "invalidation/holding.py": "tests/local/invalidation/test_holding.py",
    "invalidation/plans.py": "tests/local/invalidation/test_flush_steps.py",
    "rotation/context.py": "tests/local/rotation/test_rotate_keys.py",
    "rotation/key_group_resource.py": "tests/local/rotation/test_rotate_keys.py",
    "rotation/reconcile.py": "tests/local/rotation/test_rotate_keys.py",
    "rotation/revocation.py": "tests/local/rotation/test_rotate_keys.py",
}
MODULES = sorted(
    str(path.relative_to(CDN)) for path in CDN.rglob("*.py") if path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES)
def test_module(module):
    """
    A module has a test file of its name, or an entry, and never both.
    """
    path = Path(module)
    has_own = (TESTS / path.with_name(f"test_{path.name}")).is_file()

    assert has_own != (module in TESTED_ELSEWHERE)


def test_entries():
    """
    Each entry names what is there.
    """
    assert set(MODULES) >= TESTED_ELSEWHERE.keys()
    assert all((ROOT / tests).is_file() for tests in TESTED_ELSEWHERE.values())
