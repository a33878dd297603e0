"""The versions of the signing secret: what one says stays, and stages move between them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdn.aws import busy
from cdn.errors import KeyMaterialError
from cdn.rotation.decide import Version
from cdn.signing import pem, signing_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_secretsmanager import SecretsManagerClient

    from cdn.signing.key_pairs import Signer
    from cdn.signing.signing_secret import Kms

# A stage is no longer where it was seen: Secrets Manager has no code of its own for that.
_OUTRUN = ("InvalidParameterException", "InvalidRequestException")


@dataclass(frozen=True, slots=True)
class Secret:
    """The secret, and the client that reaches it."""

    client: SecretsManagerClient
    id: str

    def stages(self) -> Mapping[str, frozenset[str]]:
        """
        Tell the stages of each version that has any.

        Raises:
            RetryLaterError: Secrets Manager is busy.
        """
        with busy.told():
            found = self.client.describe_secret(SecretId=self.id).get("VersionIdsToStages", {})
        return {version_id: frozenset(stages) for version_id, stages in found.items() if stages}

    def versions(self) -> tuple[Version, ...]:
        """
        Describe each version that has a stage.

        Raises:
            RetryLaterError: Secrets Manager is busy.
        """
        return tuple(
            described(version_id, stages, self.text(version_id))
            for version_id, stages in sorted(self.stages().items())
        )

    def text(self, version_id: str) -> str:
        """
        Read what a version says; nothing where it is gone, or says nothing.

        Raises:
            RetryLaterError: Secrets Manager is busy.
        """
        with busy.told():
            try:
                answer = self.client.get_secret_value(SecretId=self.id, VersionId=version_id)
            except self.client.exceptions.ResourceNotFoundException:
                return ""
        return answer.get("SecretString", "")

    def put(self, text: str, *, stage: str) -> None:
        """
        Keep *text* in a version that has *stage*, the same however often it is put.

        Raises:
            RetryLaterError: Secrets Manager is busy, or the stage was moved meanwhile.
        """
        # Derived from the text, it cannot meet another one.
        token = hashlib.sha256(text.encode()).hexdigest()
        with busy.told():
            self.client.put_secret_value(
                SecretId=self.id,
                SecretString=text,
                VersionStages=[stage],
                ClientRequestToken=token,
            )
        # A version that was there before is left as it is, without the stage.
        holders = [one for one, stages in self.stages().items() if stage in stages]
        if token not in holders:
            self.move(stage, to=token, away_from=next(iter(holders), None))

    def move(self, stage: str, *, to: str | None, away_from: str | None) -> None:
        """
        Move *stage*, if the version *away_from* still has it.

        Raises:
            RetryLaterError: Secrets Manager is busy, or another version has it.
        """
        given = {"MoveToVersionId": to, "RemoveFromVersionId": away_from}
        with busy.told(*_OUTRUN):
            self.client.update_secret_version_stage(
                SecretId=self.id,
                VersionStage=stage,
                **{name: version for name, version in given.items() if version},
            )


def described(version_id: str, stages: frozenset[str], text: str) -> Version:
    """
    Tell what a version is, without anything private.

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
        "key" if key_id else "minted",
        name=name,
        key_id=str(key_id or ""),
        kind=signer.kind,
        hash_algorithm=signer.hash_algorithm,
        kms_key=str(document.get("kms_key", "")),
    )


def signer_of(text: str, *, key_id: str, kms: Kms) -> Signer:
    """
    Sign with what a version says, as the public key *key_id*.

    Raises:
        KeyMaterialError: It says no private key.
    """
    return signing_secret.signer(with_key_id(text, key_id), kms=kms)


def with_key_id(text: str, key_id: str) -> str:
    """Complete a minted key: the same text however often it is done."""
    return json.dumps(document_of(text) | {"key_id": key_id})


def document_of(text: str) -> dict[str, Any]:
    """
    Read what a version says; nothing where that is no JSON object.

    >>> document_of("no key")
    {}
    """
    document = pem.read_json(text)
    return document if isinstance(document, dict) else {}
