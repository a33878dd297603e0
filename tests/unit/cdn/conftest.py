"""Keys made once: an RSA key takes a while."""

from typing import get_args

import pytest

from cdn import keypairs


@pytest.fixture(scope="session")
def private_keys():
    """A private key of each kind."""
    return {kind: keypairs.generate(kind) for kind in get_args(keypairs.Kind)}


@pytest.fixture(scope="session")
def strangers():
    """Another private key of each kind."""
    return {kind: keypairs.generate(kind) for kind in get_args(keypairs.Kind)}
