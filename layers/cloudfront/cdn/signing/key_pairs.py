"""The two kinds of key that CloudFront trusts: read them from what people store, sign, verify.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from cdn.errors import KeyMaterialError
from cdn.signing import pem

Kind = Literal["RSA-2048", "ECDSA-P256"]
HashAlgorithm = Literal["SHA1", "SHA256"]

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_RSA_BITS = 2048
_HASHES = {"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256()}  # noqa: S303  # CloudFront's default
_DIGESTS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256}


# Told apart by itself alone, which is quick where signatures are remembered.
@dataclass(frozen=True, slots=True, eq=False)
class Signer:
    """
    A key that signs, wherever it lives.

    Attributes:
        key_id: The public key's id at CloudFront, which is the Key-Pair-Id.
        sign: Hashes a message by *hash_algorithm* and signs it: PKCS #1 v1.5 for RSA, and for
            ECDSA a DER signature, as `kms:Sign` returns them too.

    Raises:
        KeyMaterialError: *key_id* cannot be one.
    """

    key_id: str
    kind: Kind
    hash_algorithm: HashAlgorithm
    sign: Callable[[bytes], bytes]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", self.key_id):
            raise KeyMaterialError("the key id must be a public key's, such as K2JCJMDEHXQW5F")


def signer(private_key: PrivateKey, *, key_id: str, hash_algorithm: HashAlgorithm) -> Signer:
    """
    Sign with a key in memory; equal messages get equal signatures.

    ECDSA takes its nonce from the message (RFC 6979), so that equal requests get equal URLs.
    """
    # hashlib is quicker with short messages than `cryptography`, which shows beside ECDSA.
    digest, hashed = _DIGESTS[hash_algorithm], Prehashed(_HASHES[hash_algorithm])
    if isinstance(private_key, rsa.RSAPrivateKey):
        by_rsa, scheme = private_key.sign, padding.PKCS1v15()

        def sign(message: bytes) -> bytes:
            return by_rsa(digest(message).digest(), scheme, hashed)
    else:
        by_ecdsa, algorithm = private_key.sign, ec.ECDSA(hashed, deterministic_signing=True)

        def sign(message: bytes) -> bytes:
            return by_ecdsa(digest(message).digest(), algorithm)

    return Signer(key_id, kind_of(private_key), hash_algorithm, sign)


def verifies(
    public_key: PublicKey, *, message: bytes, signature: bytes, hash_algorithm: HashAlgorithm
) -> bool:
    """Return whether *signature* is one of *message* by the key pair's private half."""
    digest = _HASHES[hash_algorithm]
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, message, padding.PKCS1v15(), digest)
        else:
            public_key.verify(signature, message, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True


def generate(kind: Kind) -> PrivateKey:
    """Generate a private key. RSA may take a second."""
    if kind == "RSA-2048":
        return rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def kind_of(key: PrivateKey | PublicKey) -> Kind:
    """
    Return the kind of *key*.

    >>> kind_of(generate("ECDSA-P256"))
    'ECDSA-P256'
    """
    return "RSA-2048" if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey) else "ECDSA-P256"


def private_pem(private_key: PrivateKey) -> str:
    """Write *private_key* for a secret: PKCS #8, unencrypted."""
    return private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_pem(private_key: PrivateKey) -> str:
    """
    Write the public half of *private_key* as CloudFront's EncodedKey wants it.

    >>> public_pem(generate("ECDSA-P256")).splitlines()[0]
    '-----BEGIN PUBLIC KEY-----'
    """
    return _written(private_key.public_key(), serialization.Encoding.PEM).decode()


def public_der(public_key: PublicKey) -> bytes:
    """Write *public_key* as SubjectPublicKeyInfo, which is the same however it came."""
    return _written(public_key, serialization.Encoding.DER)


def pem_of(der: bytes) -> str:
    """
    Write a public key that KMS gives, SubjectPublicKeyInfo, as CloudFront's EncodedKey wants it.

    Raises:
        KeyMaterialError: It is no public key that CloudFront takes.
    """
    return _written(_public(der), serialization.Encoding.PEM).decode()


def load(material: str | bytes, *, field: str | None = None) -> PrivateKey:
    r"""
    Read a private key, however it was stored.

    Args:
        material: PKCS #1, PKCS #8 or SEC1 in PEM; its newlines may be escaped (`\n`), turned to
            spaces or gone. Or base64 of such a PEM or of DER. Or a JSON object that has one of
            these in *field*.
        field: Where in a JSON object; not looked at when *material* is none.

    Raises:
        KeyMaterialError: There is no key that CloudFront takes. The reason says what is there
            instead, and shows nothing of it.

    >>> load("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n")
    Traceback (most recent call last):
    cdn.errors.KeyMaterialError: this is a public key; the private key is needed
    """
    text = pem.read_text(material)
    if text.startswith("{"):
        text = pem.read_text(pem.read_field(text, field))
    label, der = pem.unwrap(text)
    if label.endswith("PUBLIC KEY") or (not label and _is_public(der)):
        raise KeyMaterialError("this is a public key; the private key is needed")
    if label == "ENCRYPTED PRIVATE KEY":
        raise KeyMaterialError("the private key is encrypted; store it without a passphrase")
    if label and label not in pem.PRIVATE_LABELS:
        raise KeyMaterialError(
            f"this is {pem.LABELS.get(label, 'no key')}; a private key is needed"
        )
    return _usable_private(_deserialized(der, serialization.load_der_private_key))


def load_public(material: str | bytes) -> PublicKey:
    r"""
    Read a public key as CloudFront keeps it: SubjectPublicKeyInfo in PEM.

    Raises:
        KeyMaterialError: It is no public key that CloudFront takes.

    >>> load_public("-----BEGIN PRIVATE KEY-----\nMFkw\n-----END PRIVATE KEY-----\n")
    Traceback (most recent call last):
    cdn.errors.KeyMaterialError: this is a private key; only its public half belongs here
    """
    label, der = pem.unwrap(pem.read_text(material))
    if label.endswith("PRIVATE KEY"):
        raise KeyMaterialError("this is a private key; only its public half belongs here")
    if label != "PUBLIC KEY":
        raise KeyMaterialError(
            f"this is {pem.LABELS.get(label, 'no key in PEM')}; "
            "CloudFront wants one that begins -----BEGIN PUBLIC KEY-----"
        )
    return _public(der)


def _is_public(der: bytes) -> bool:
    try:
        serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


K = TypeVar("K")


def _deserialized(der: bytes, loader: Callable[..., K]) -> K:
    has, says = len(der), _length(der)
    if has < says:
        raise KeyMaterialError(f"the key is cut off: {has} of its {says} bytes are there")
    try:
        return loader(der, password=None)
    except TypeError as exc:
        raise KeyMaterialError(
            "the private key is encrypted; store it without a passphrase"
        ) from exc
    except UnsupportedAlgorithm as exc:
        raise KeyMaterialError(f"the key is of another kind; {_WANTED}") from exc
    except ValueError as exc:
        raise KeyMaterialError("the key is damaged, or none at all") from exc


def _public(der: bytes) -> PublicKey:
    # Only a private key has a password.
    return _usable_public(
        _deserialized(der, lambda der, **_: serialization.load_der_public_key(der))
    )


def _written(public_key: PublicKey, encoding: serialization.Encoding) -> bytes:
    return public_key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def _length(der: bytes) -> int:
    """Read how long a DER sequence says that it is, with its own header."""
    if len(der) < 2 or der[0] != 0x30:  # noqa: PLR2004  # a SEQUENCE, by X.690
        return 0
    size = der[1] & 0x7F
    if der[1] < 0x80:  # noqa: PLR2004  # the short form, by X.690
        return 2 + size
    return 2 + size + int.from_bytes(der[2 : 2 + size], "big")


_WANTED = "CloudFront takes RSA with 2048 bits, or ECDSA on P-256 (prime256v1)"


def _usable_private(key: PrivateKeyTypes) -> PrivateKey:
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        _check_size(key)
        return key
    raise KeyMaterialError(f"the key is of another kind; {_WANTED}")


def _usable_public(key: PublicKeyTypes) -> PublicKey:
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        _check_size(key)
        return key
    raise KeyMaterialError(f"the key is of another kind; {_WANTED}")


def _check_size(key: PrivateKey | PublicKey) -> None:
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise KeyMaterialError(f"the key is ECDSA on {key.curve.name}; {_WANTED}")
    elif key.key_size != _RSA_BITS:
        raise KeyMaterialError(f"the key is RSA with {key.key_size} bits; {_WANTED}")
