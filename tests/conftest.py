"""How long hypothesis looks, and what no test may print."""

import pytest
from hypothesis import settings

from tests.secrecy import leaks

# The same cases at each run, however slow the machine is.
settings.register_profile("quick", deadline=None, derandomize=True)
settings.load_profile("quick")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Fail a test in which anything secret was printed or logged."""
    report = yield
    printed = "".join(text for name, text in report.sections if name.startswith("Captured"))
    if report.passed and (found := leaks(printed)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} printed what must stay secret: {', '.join(found)}"
    return report
