"""boto3's example as a function runs it: its key is in Secrets Manager, as ours is."""

import json

import boto3

from tests.benchmarks import boto3_example


def sign(endpoint_url: str, url: str, expires_at_s: int) -> str:
    """Read the key from the Secrets Manager at *endpoint_url*, and sign."""

    def read_pem() -> bytes:
        client = boto3.client("secretsmanager", endpoint_url=endpoint_url)
        secret = client.get_secret_value(SecretId="signing-key")["SecretString"]
        pem: str = json.loads(secret)["private_key"]
        return pem.encode()

    return boto3_example.sign_by(read_pem, url, expires_at_s)
