"""What rotation works with: clients, rules and the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_ssm import SSMClient

    from cdn.aws.table import Table
    from cdn.rotation.model import Observed, RotationRules
    from cdn.rotation.secret_versions import Secret
    from cdn.signing.key_pairs import Kind, PrivateKey


@dataclass(frozen=True, slots=True)
class RotationContext:
    """
    All that rotation reads and writes.

    Attributes:
        kms: Called only where the rules want keys in KMS, or some are there.
        name_prefix: Of the names of this stack's public keys.
        stack: The stack's name, with which keys in KMS are tagged.
        canary_url: An https URL that opens with a signature alone, through a distribution that
            trusts the group; None for no such trial.
        fetch: Requests a URL on a new connection, and returns the status, or 0.
        generate: Generates a new private key; see `key_pairs.generate`.
    """

    ledger: Table
    cloudfront: CloudFrontClient
    secret: Secret
    ssm: SSMClient
    kms: Callable[[], KMSClient]
    grants_parameter: str
    rules: RotationRules
    name_prefix: str
    stack: str
    canary_url: str | None
    fetch: Callable[[str], int]
    generate: Callable[[Kind], PrivateKey]
    now: Callable[[], float]

    def now_ms(self) -> int:
        """Return the time as rows have it."""
        return int(self.now() * 1000)


@dataclass(frozen=True, slots=True)
class Observation:
    """
    What was observed, and when.

    Attributes:
        at_ms: Read after everything else, so that nothing observed is younger.
    """

    observed: Observed
    at_ms: int
