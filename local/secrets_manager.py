"""
Secrets Manager as moto has it, with versions and their stages as the service keeps them.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/ says how: PutSecretValue,
UpdateSecretVersionStage, ListSecretVersionIds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    SecretNotFoundException,
    SecretsManagerClientError,
)
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

from local.patching import all_replaced

_CURRENT, _PREVIOUS, _PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
# So many versions are kept, and whatever has a stage or is younger than a day.
_KEPT, _KEPT_S = 100, 86_400


class _InvalidNextTokenError(SecretsManagerClientError):
    def __init__(self) -> None:
        super().__init__("InvalidNextTokenException", "Invalid NextToken")


def _found(backend: SecretsManagerBackend, secret_id: str) -> FakeSecret:
    secret = backend.secrets.get(secret_id)
    if not isinstance(secret, FakeSecret):
        raise SecretNotFoundException
    if secret.is_deleted():
        raise InvalidRequestException(
            "You can't perform this operation on the secret because it was marked for deletion."
        )
    return secret


def _holder(secret: FakeSecret, stage: str) -> str | None:
    """Return the id of the version that has *stage*."""
    return next(
        (name for name, version in secret.versions.items() if stage in version["version_stages"]),
        None,
    )


def _move(secret: FakeSecret, stage: str, *, to: str | None) -> None:
    """Attach *stage* to the version *to* alone; where AWSCURRENT was, AWSPREVIOUS will be."""
    before = _holder(secret, stage)
    for name, version in secret.versions.items():
        others = [held for held in version["version_stages"] if held != stage]
        version["version_stages"] = [*others, stage] if name == to else others
    if stage == _CURRENT:
        secret.set_default_version_id(to)
        if before and before != to:
            _move(secret, _PREVIOUS, to=before)


def _make_current(secret: FakeSecret, version: dict[str, Any], version_id: str) -> None:
    """Moto takes all stages of the version that was current, and leaves the new one's elsewhere."""
    stages: Iterable[str] = version["version_stages"]
    secret.versions[version_id] = version | {"version_stages": []}
    for stage in stages:
        _move(secret, stage, to=version_id)


def _staged(secret: FakeSecret) -> dict[str, list[str]]:
    """Moto names the versions without a stage, too."""
    return {
        name: version["version_stages"]
        for name, version in secret.versions.items()
        if version["version_stages"]
    }


def _has_value(version: dict[str, Any]) -> bool:
    return "secret_string" in version or "secret_binary" in version


def _update_stage(
    backend: SecretsManagerBackend,
    secret_id: str,
    version_stage: str,
    remove_from_version_id: str | None,
    move_to_version_id: str | None,
) -> tuple[str, str]:
    """Moto changes half before it refuses, and attaches a stage to two versions."""
    secret = _found(backend, secret_id)
    holder = _holder(secret, version_stage)
    for version_id in (remove_from_version_id, move_to_version_id):
        if version_id and version_id not in secret.versions:
            raise InvalidParameterException(f"Not a valid version: {version_id}")
    if not remove_from_version_id and not move_to_version_id:
        raise InvalidParameterException(
            "You must provide RemoveFromVersionId, MoveToVersionId or both."
        )
    if remove_from_version_id and remove_from_version_id != holder:
        raise InvalidParameterException(
            f"When you move staging label {version_stage}, if you specify RemoveFromVersionId, it "
            f"must be set to the version that currently has the staging label {version_stage}."
        )
    if not remove_from_version_id and holder not in {None, move_to_version_id}:
        raise InvalidParameterException(
            "The parameter RemoveFromVersionId can't be empty. Staging label "
            f"{version_stage} is currently attached to version {holder}, so you must explicitly "
            "reference that version in RemoveFromVersionId."
        )
    if version_stage == _CURRENT and not move_to_version_id:
        raise InvalidParameterException(
            f"You can only move staging label {_CURRENT} to a different secret version. It can't "
            "be completely removed."
        )
    _move(secret, version_stage, to=move_to_version_id)
    return secret.arn, secret.name


def _list_versions(response: SecretsManagerResponse) -> str:
    """Moto lists all, on one page, each made right now."""
    secret = _found(response.backend, response._get_param("SecretId"))
    deprecated = bool(response._get_param("IncludeDeprecated"))
    versions = [
        {
            "VersionId": name,
            "CreatedDate": version["createdate"],
            **({"VersionStages": stages} if stages else {}),
        }
        for name, version in secret.versions.items()
        for stages in [version["version_stages"]]
        if _has_value(version) and (stages or deprecated)
    ]
    token = str(response._get_param("NextToken") or 0)
    if not token.isdecimal() or int(token) > len(versions):
        raise _InvalidNextTokenError
    start, end = int(token), int(token) + int(response._get_param("MaxResults") or _KEPT)
    more = {"NextToken": str(end)} if end < len(versions) else {}
    return json.dumps(
        {"ARN": secret.arn, "Name": secret.name, "Versions": versions[start:end], **more}
    )


def _forget_old(secret: FakeSecret) -> None:
    oldest = time.time() - _KEPT_S
    for name, version in list(secret.versions.items()):
        if len(secret.versions) <= _KEPT:
            return
        if not version["version_stages"] and version["createdate"] <= oldest:
            del secret.versions[name]


@contextmanager
def mended() -> Iterator[None]:
    """Replace what moto does otherwise than the service."""
    check = SecretsManagerBackend._check_with_existing_secrets_and_versions
    put, add = SecretsManagerBackend.put_secret_value, SecretsManagerBackend._add_secret

    def check_token(
        backend: SecretsManagerBackend,
        secret_name: str,
        client_request_token: str | None,
        secret_string: str | None,
        secret_binary: str | None,
        on_create: bool = False,  # noqa: FBT001, FBT002  (moto's)
    ) -> FakeSecret | None:
        # Moto overwrites whatever is pending.
        secret = backend.secrets.get(secret_name)
        version = secret.versions.get(client_request_token or "") if secret else None
        if version and _has_value(version) and _PENDING in version["version_stages"]:
            value = version.get("secret_string"), version.get("secret_binary")
            if value == (secret_string, secret_binary) and isinstance(secret, FakeSecret):
                return secret
            raise ResourceExistsException(
                f"You can't use ClientRequestToken {client_request_token} because that value is "
                "already in use for a version of the secret."
            )
        return check(
            backend, secret_name, client_request_token, secret_string, secret_binary, on_create
        )

    def put_value(backend: SecretsManagerBackend, secret_id: str, *rest: Any, **about: Any) -> str:
        _found(backend, secret_id)
        return put(backend, secret_id, *rest, **about)

    def add_version(
        backend: SecretsManagerBackend, *rest: Any, **about: Any
    ) -> tuple[FakeSecret, bool]:
        secret, new = add(backend, *rest, **about)
        _forget_old(secret)
        return secret, new

    with all_replaced(
        (FakeSecret, "_form_version_ids_to_stages", _staged),
        (FakeSecret, "reset_default_version", _make_current),
        (SecretsManagerBackend, "_add_secret", add_version),
        (SecretsManagerBackend, "_check_with_existing_secrets_and_versions", check_token),
        (SecretsManagerBackend, "put_secret_value", put_value),
        (SecretsManagerBackend, "update_secret_version_stage", _update_stage),
        (SecretsManagerResponse, "list_secret_version_ids", _list_versions),
    ):
        yield
