"""How long hypothesis looks, what is read once a process, and what no test may print."""

from functools import cache

import botocore.loaders
import botocore.session
import pytest
from hypothesis import HealthCheck, settings

from tests.secrecy import leaks

# The same cases at each run, however slow the machine is.
settings.register_profile(
    "quick",
    deadline=None,
    derandomize=True,
)
# `make mutants` runs each test many times in one process, and looks for what most cases notice.
settings.register_profile(
    "mutants",
    settings.get_profile("quick"),
    max_examples=10,
    suppress_health_check=[HealthCheck.differing_executors],
)
settings.load_profile("quick")

# To read the description of a service takes a tenth of a second, and each session that botocore
# makes would read it again: those that look in the same folders share one loader, with its cache.
botocore.session.create_loader = cache(botocore.loaders.create_loader)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Fail a test in which anything secret was printed or logged."""
    report = yield
    printed = "".join(text for name, text in report.sections if name.startswith("Captured"))
    if report.passed and (found := leaks(printed)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} printed what must stay secret: {', '.join(found)}"
    return report
