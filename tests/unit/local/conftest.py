"""Keys to sign with, made once: an RSA key takes a tenth of a second."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@pytest.fixture(scope="session")
def private_keys():
    """
    One key of each kind that CloudFront takes.
    """
    return {
        "rsa": rsa.generate_private_key(65_537, 2048),
        "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    }


def pem_of(key):
    spki = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, spki).decode()


@pytest.fixture(scope="session")
def pems(private_keys):
    """
    Their public halves, as CloudFront is given them.
    """
    return {name: pem_of(key) for name, key in private_keys.items()}
