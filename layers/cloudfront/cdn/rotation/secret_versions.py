"""The versions of the signing secret: their texts never change, and stages move between them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdn.aws.retryable import retry_later
from cdn.errors import KeyMaterialError
from cdn.rotation.model import Version
from cdn.signing import pem, signing_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_secretsmanager import SecretsManagerClient

    from cdn.signing.key_pairs import Signer
    from cdn.signing.signing_secret import Kms

# A stage has been moved since: Secrets Manager has no code of its own for that.
_CONFLICTS = ("InvalidParameterException", "InvalidRequestException")


@dataclass(frozen=True, slots=True)
class Secret:
    """The secret, and the client that reaches it."""

    client: SecretsManagerClient
    id: str

    def stages(self) -> Mapping[str, frozenset[str]]:
        """
        Return the stages of each version that has any.

        Raises:
            RetryLaterError: Secrets Manager is throttling.
        """
        with retry_later():
            response = self.client.describe_secret(SecretId=self.id)
        return {
            version_id: frozenset(stages)
            for version_id, stages in response.get("VersionIdsToStages", {}).items()
            if stages
        }

    def versions(self) -> tuple[Version, ...]:
        """
        Return each version that has a stage.

        Raises:
            RetryLaterError: Secrets Manager is throttling.
        """
        return tuple(
            described(version_id, stages, self.text(version_id))
            for version_id, stages in sorted(self.stages().items())
        )

    def text(self, version_id: str) -> str:
        """
        Return the text of a version; empty where it is gone, or has none.

        Raises:
            RetryLaterError: Secrets Manager is throttling.
        """
        with retry_later():
            try:
                response = self.client.get_secret_value(SecretId=self.id, VersionId=version_id)
            except self.client.exceptions.ResourceNotFoundException:
                return ""
        return response.get("SecretString", "")

    def put(self, text: str, *, stage: str) -> None:
        """
        Write *text* into a version that has *stage*, the same one however often it is written.

        Raises:
            RetryLaterError: Secrets Manager is throttling, or the stage was moved in the meantime.
        """
        # Derived from the text, it is the id of no other text's version.
        token = hashlib.sha256(text.encode()).hexdigest()
        with retry_later():
            self.client.put_secret_value(
                SecretId=self.id,
                SecretString=text,
                VersionStages=[stage],
                ClientRequestToken=token,
            )
        # A version that was there before is left as it is, without the stage.
        version_ids = [
            version_id for version_id, stages in self.stages().items() if stage in stages
        ]
        if token not in version_ids:
            self.move(stage, to=token, away_from=next(iter(version_ids), None))

    def move(self, stage: str, *, to: str | None, away_from: str | None) -> None:
        """
        Move *stage*, if the version *away_from* still has it.

        Raises:
            RetryLaterError: Secrets Manager is throttling, or another version has it.
        """
        version_ids = {"MoveToVersionId": to, "RemoveFromVersionId": away_from}
        with retry_later(*_CONFLICTS):
            self.client.update_secret_version_stage(
                SecretId=self.id,
                VersionStage=stage,
                **{name: version_id for name, version_id in version_ids.items() if version_id},
            )


def described(version_id: str, stages: frozenset[str], text: str) -> Version:
    """
    Return what a version is, without anything private.

    >>> described("v1", frozenset({"AWSCURRENT"}), signing_secret.PLACEHOLDER).form
    'placeholder'
    >>> described("v1", frozenset({"AWSCURRENT"}), "{}").form
    'unreadable'
    """
    document = document_of(text)
    if document.get("placeholder") is True:
        return Version(version_id, stages, "placeholder")
    name, key_id = str(document.get("name", "")), document.get("key_id")
    try:
        signer = signer_of(text, key_id=str(key_id or name), kms=lambda _arn, _kind: bytes)
    except KeyMaterialError:
        return Version(version_id, stages, "unreadable")
    return Version(
        version_id,
        stages,
        "key" if key_id else "generated",
        name=name,
        key_id=str(key_id or ""),
        kind=signer.kind,
        hash_algorithm=signer.hash_algorithm,
        kms_key=str(document.get("kms_key", "")),
    )


def signer_of(text: str, *, key_id: str, kms: Kms) -> Signer:
    """
    Return what signs with the private key of a version, as the public key *key_id*.

    Raises:
        KeyMaterialError: It has no private key.
    """
    return signing_secret.signer(with_key_id(text, key_id), kms=kms)


def with_key_id(text: str, key_id: str) -> str:
    """Return the text of a generated key completed by its id, always the same."""
    return json.dumps(document_of(text) | {"key_id": key_id})


def document_of(text: str) -> dict[str, Any]:
    """
    Return the JSON object of a version; empty where it is none.

    >>> document_of("no key")
    {}
    """
    document = pem.read_json(text)
    return document if isinstance(document, dict) else {}
