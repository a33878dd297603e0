"""
How boto3's documentation signs a URL: the key is read from its file for each signature.

https://docs.aws.amazon.com/boto3/latest/reference/services/cloudfront.html
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def sign(pem_file: str, url: str, expires_at_s: int) -> str:
    """Sign as the example does."""
    return sign_by(Path(pem_file).read_bytes, url, expires_at_s)


def sign_by(read_pem: Callable[[], bytes], url: str, expires_at_s: int) -> str:
    """Do the same with a PEM that lies elsewhere."""

    def rsa_signer(message):
        private_key = serialization.load_pem_private_key(
            read_pem(), password=None, backend=default_backend()
        )
        assert isinstance(private_key, rsa.RSAPrivateKey)
        return private_key.sign(message, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303

    signer = CloudFrontSigner("K2JCJMDEHXQW5F", rsa_signer)
    until = dt.datetime.fromtimestamp(expires_at_s, tz=dt.UTC)
    return signer.generate_presigned_url(url, date_less_than=until)
