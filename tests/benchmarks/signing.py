"""The layer and its peers, beside what a signature costs in `cryptography` itself."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from cdn.signing import key_pairs, policies, signing
from cdn.signing.key_pairs import Kind
from cdn.signing.policies import Policy
from tests.benchmarks import boto3_example, material
from tests.benchmarks.timing import Sampler, repeated

URL = f"{material.FOLDER}photo-00000000.jpg"
IN_FOLDER = 100


def samplers(pem_file: Path) -> dict[str, Sampler]:
    """Sign by keys that are there already, but for boto3's example, which reads *pem_file*."""
    expires_at_s = int(time.time()) + 3600
    message = policies.canned(URL, expires_at_s=expires_at_s)
    raw_rsa, raw_ecdsa, random_ecdsa = _raw_rsa(), _raw_ecdsa(), _raw_ecdsa(deterministic=False)
    return {
        "RSA: raw": repeated(lambda: raw_rsa(message), times=40),
        "RSA: sign_url": repeated(_sign_url("RSA-2048", expires_at_s), times=40),
        "RSA: CloudFrontSigner": repeated(_botocore(raw_rsa, expires_at_s), times=40),
        "RSA: boto3's example": repeated(
            lambda: boto3_example.sign(str(pem_file), URL, expires_at_s), times=1
        ),
        "RSA: 100 in a folder": repeated(_sign_folder("RSA-2048", expires_at_s), times=20),
        "ECDSA: raw": repeated(lambda: raw_ecdsa(message), times=400),
        "ECDSA: raw, random": repeated(lambda: random_ecdsa(message), times=400),
        "ECDSA: sign_url": repeated(_sign_url("ECDSA-P256", expires_at_s), times=400),
        "ECDSA: CloudFrontSigner": repeated(_botocore(raw_ecdsa, expires_at_s), times=400),
        "ECDSA: 100 in a folder": repeated(_sign_folder("ECDSA-P256", expires_at_s), times=60),
    }


def _raw_rsa() -> Callable[[bytes], bytes]:
    key, scheme, algorithm = material.private_key("RSA-2048"), padding.PKCS1v15(), hashes.SHA1()  # noqa: S303
    assert isinstance(key, rsa.RSAPrivateKey)
    return lambda message: key.sign(message, scheme, algorithm)


def _raw_ecdsa(*, deterministic: bool = True) -> Callable[[bytes], bytes]:
    key = material.private_key("ECDSA-P256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=deterministic)
    return lambda message: key.sign(message, algorithm)


def _signer(kind: Kind) -> key_pairs.Signer:
    # What is compared signs the same digest.
    return key_pairs.signer(
        material.private_key(kind),
        key_id=material.KEY_ID,
        hash_algorithm="SHA1" if kind == "RSA-2048" else "SHA256",
    )


def _sign_url(kind: Kind, expires_at_s: int) -> Callable[[], str]:
    signer, now_s = _signer(kind), expires_at_s - 3600
    return lambda: signing.sign_url(
        signer, URL, expires_at_s=expires_at_s, now_s=now_s, max_lifetime_s=3600
    )


def _sign_folder(kind: Kind, expires_at_s: int) -> Callable[[], list[str]]:
    signer, now_s = _signer(kind), expires_at_s - 3600
    policy = Policy(f"{material.FOLDER}*", expires_at_s)
    urls = [f"{material.FOLDER}photo-{number:08}.jpg" for number in range(IN_FOLDER)]

    def sign() -> list[str]:
        signed = signing.sign(signer, policy, now_s=now_s, max_lifetime_s=3600)
        return [signed.url(url) for url in urls]

    return sign


def _botocore(sign: Callable[[bytes], bytes], expires_at_s: int) -> Callable[[], str]:
    signer = CloudFrontSigner(material.KEY_ID, sign)
    until = datetime.fromtimestamp(expires_at_s, tz=UTC)
    return lambda: signer.generate_presigned_url(URL, date_less_than=until)
