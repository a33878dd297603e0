"""Clients are made once, and never back off while a function is paid for."""

from typing import Any

import pytest

from cdn import clients


@pytest.fixture(autouse=True)
def region(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    clients.cloudfront.cache_clear()
    yield
    clients.cloudfront.cache_clear()


def test_one_attempt():
    """
    CloudFront is asked once: the timer is the backoff.
    """
    config: Any = clients.cloudfront().meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 1}


def test_once():
    """
    A second request for a client gets the first one.
    """
    assert clients.cloudfront() is clients.cloudfront()
