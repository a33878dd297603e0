"""An account of AWS, and one that nobody has."""

import os

import pytest

from tests.unit.commands import aws_server, running


@pytest.fixture
def account(monkeypatch):
    """A stack on an HTTP server, which commands of this process find."""
    with aws_server.serving() as account:
        _use(monkeypatch, running.environment(**account.environment()))
        yield account


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No settings of AWS, and a folder that is no clone of the repository."""
    _use(monkeypatch, running.environment())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _use(monkeypatch, environment):
    for name in list(os.environ):
        if name not in environment:
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
