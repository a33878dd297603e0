"""
KMS as moto has it, with the states of keys as the service keeps them.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.utils import utcnow
from moto.kms import models
from moto.kms.exceptions import ValidationException
from moto.kms.models import Key, KmsBackend
from moto.kms.responses import KmsResponse
from moto.kms.utils import AbstractPrivateKey, generate_private_key

from local.patching import all_replaced

# Moto's own, which what replaces them goes on to.
_CANCEL, _SCHEDULE = KmsBackend.cancel_key_deletion, KmsBackend.schedule_key_deletion
_LIST_KEYS, _VALIDATE_ID = KmsBackend.list_keys, KmsResponse._validate_cmk_id
_PUBLIC_KEY, _SIGN = KmsBackend.get_public_key, KmsBackend.sign
_MIN_DAYS, _MAX_DAYS = 7, 30


@cache
def _shared_private_key() -> AbstractPrivateKey:
    return generate_private_key("SYMMETRIC_DEFAULT")


def _private_key(key_spec: str) -> AbstractPrivateKey:
    """Moto makes an RSA key for each symmetric key, too, which never uses it."""
    return (
        _shared_private_key() if key_spec == "SYMMETRIC_DEFAULT" else generate_private_key(key_spec)
    )


def _usable(backend: KmsBackend, key_id: str) -> Key:
    """
    Return a key that may be used.

    Raises:
        JsonRESTError: It is disabled, or will be deleted.
    """
    key = backend.describe_key(key_id)
    if key.key_state == "Disabled":
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    return key


def _forget_deleted(backend: KmsBackend) -> None:
    for key in list(backend.keys.values()):
        if key.deletion_date and key.deletion_date <= utcnow():
            del backend.keys[key.id]


def _validate_id(response: KmsResponse, key_id: str) -> None:
    _forget_deleted(response.kms_backend)
    _VALIDATE_ID(response, key_id)


def _list_keys(backend: KmsBackend) -> Iterable[Key]:
    _forget_deleted(backend)
    return _LIST_KEYS(backend)


def _schedule_deletion(backend: KmsBackend, key_id: str, pending_window_in_days: int) -> float:
    """Moto knows no ARN here, answers nothing to a wrong window, and schedules again."""
    if not _MIN_DAYS <= pending_window_in_days <= _MAX_DAYS:
        raise ValidationException(
            f"PendingWindowInDays must be between {_MIN_DAYS} and {_MAX_DAYS}"
        )
    key = backend.describe_key(key_id)
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    return _SCHEDULE(backend, key.id, pending_window_in_days)


def _cancel_deletion(backend: KmsBackend, key_id: str) -> None:
    key = backend.describe_key(key_id)
    if key.key_state != "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    _CANCEL(backend, key.id)


def _sign(backend: KmsBackend, key_id: str, **about: Any) -> tuple[str, bytes, str]:
    return _SIGN(backend, key_id=_usable(backend, key_id).id, **about)


def _public_key(backend: KmsBackend, key_id: str) -> tuple[Key, bytes]:
    return _PUBLIC_KEY(backend, _usable(backend, key_id).id)


@contextmanager
def mended() -> Iterator[None]:
    """Replace what moto does otherwise than the service."""
    with all_replaced(
        (models, "generate_private_key", _private_key),
        (KmsBackend, "cancel_key_deletion", _cancel_deletion),
        (KmsBackend, "get_public_key", _public_key),
        (KmsBackend, "list_keys", _list_keys),
        (KmsBackend, "schedule_key_deletion", _schedule_deletion),
        (KmsBackend, "sign", _sign),
        (KmsResponse, "_validate_cmk_id", _validate_id),
    ):
        yield
