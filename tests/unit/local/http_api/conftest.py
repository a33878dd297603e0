"""An identity provider whose key is made once, and whose time the test says."""

import pytest

from local.identity import Identity

ISSUER = "https://identity.example"
NOW = 1_800_000_000.0


@pytest.fixture(scope="session")
def identity():
    return Identity(ISSUER, now=lambda: NOW)


@pytest.fixture(scope="session")
def stranger():
    """Somebody with a key of his own who says that he is the issuer."""
    return Identity(ISSUER, now=lambda: NOW)
