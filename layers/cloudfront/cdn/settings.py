"""The settings of each function, from its environment; the only reader of `os.environ`.

A field's upper-cased name is the variable's name, so that template and code grep together.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TypeVar

from cdn.errors import SettingError


@dataclass(frozen=True, slots=True)
class CollectChangesSettings:
    """Whose changes are collected and where, and when the flush that they cause is due."""

    upload_buckets: tuple[str, ...]
    dead_letters_url: str
    ledger_table: str
    flush_timers_url: str
    quiet_period_s: int
    max_wait_s: int
    metrics_namespace: str


@dataclass(frozen=True, slots=True)
class PlanInvalidationsSettings:
    """
    When a flush is due, where its rows and timers are, which paths it names, and their limits.

    Attributes:
        dead_letters_url, change_letters_url: See `context.FlushContext`.
        access_points: See `origins.bucket_of`.
        url_forms: `both` or `links`; see `paths.forms`.
        items_in_progress, wildcards_in_progress: See `quotas.Limits`; no batch takes more.
        daily_items: So many are committed a day; beyond it changes are held.
    """

    ledger_table: str
    flush_timers_url: str
    dead_letters_url: str
    change_letters_url: str
    batch_timers_url: str
    watch_timers_url: str
    quiet_period_s: int
    max_wait_s: int
    access_points: Mapping[str, str]
    url_forms: str
    items_in_progress: int
    wildcards_in_progress: int
    daily_items: int
    history_days: int
    metrics_namespace: str


@dataclass(frozen=True, slots=True)
class SendInvalidationsSettings:
    """
    Where batches and their timers are, and how fast they are sent.

    Attributes:
        items_in_progress, wildcards_in_progress, items_per_second, wildcards_per_minute:
            See `quotas.Limits`.
    """

    ledger_table: str
    batch_timers_url: str
    dead_letters_url: str
    watch_timers_url: str
    items_in_progress: int
    wildcards_in_progress: int
    items_per_second: int
    wildcards_per_minute: int
    history_days: int
    metrics_namespace: str


@dataclass(frozen=True, slots=True)
class PollWatchesSettings:
    """Where watches are, and where their ends are announced."""

    ledger_table: str
    watch_timers_url: str
    attention_topic_arn: str
    routine_topic_arn: str
    event_bus_name: str
    metrics_namespace: str


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """Where overdue rows are found, the queues of their timers, and whose changes are pending."""

    upload_buckets: tuple[str, ...]
    ledger_table: str
    flush_timers_url: str
    batch_timers_url: str
    watch_timers_url: str
    quiet_period_s: int
    max_wait_s: int
    metrics_namespace: str


@dataclass(frozen=True, slots=True)
class SignAccessSettings:
    """
    Which key signs, who may open what, and how cookies reach browsers.

    Attributes:
        cookie_host: The host of the distribution of which this API is a behavior, if it is one.
        cookie_domain: A parent domain that the API's own host shares with what cookies open.
        cross_site_pages: `yes` where pages of other sites show what cookies open.
        viewer_address: Where the viewer's address is to be had: `none`, `connection`,
            `cloudfront`; see `issuing.viewer_ip`.
    """

    signing_secret: str
    grants_parameter: str
    cookie_host: str | None
    cookie_domain: str | None
    cross_site_pages: str
    viewer_address: str
    metrics_namespace: str


@dataclass(frozen=True, slots=True)
class RotateKeysSettings:
    """
    Where the signing keys are, of what kind they shall be, and who hears of them.

    Attributes:
        stack: The stack's name, with which keys in KMS are tagged.
        key_name_prefix: With what the names of the stack's public keys begin.
        signing_keys: `stored`, or `kms` where private keys never leave KMS.
        canary_url: See `context.RotationContext`.
    """

    ledger_table: str
    signing_secret: str
    grants_parameter: str
    attention_topic_arn: str
    routine_topic_arn: str
    event_bus_name: str
    stack: str
    key_name_prefix: str
    signing_keys: str
    signing_key_kind: str
    signing_hash: str
    rotation_days: int
    hold_hours: int
    canary_url: str | None


S = TypeVar("S")


def read(kind: type[S], environ: Mapping[str, str] | None = None) -> S:
    """
    Fill the settings dataclass *kind* from the environment.

    Raises:
        SettingError: A variable is unset, empty, or no whole number where one is needed.

    A number is written in digits, a tuple with commas between its items, a mapping as
    `name=value` with commas between them. A mapping may be empty, and so may what can be None.

    >>> environ = {"LEDGER_TABLE": "l", "WATCH_TIMERS_URL": "w", "METRICS_NAMESPACE": "n"}
    >>> environ |= {"ATTENTION_TOPIC_ARN": "a", "ROUTINE_TOPIC_ARN": "r", "EVENT_BUS_NAME": "b"}
    >>> read(PollWatchesSettings, environ).watch_timers_url
    'w'
    >>> read(PollWatchesSettings, {})
    Traceback (most recent call last):
    cdn.errors.SettingError: environment variable LEDGER_TABLE must be set
    """
    environ = os.environ if environ is None else environ
    values: dict[str, str | int | tuple[str, ...] | Mapping[str, str] | None] = {}
    for field in fields(kind):  # type: ignore[arg-type]  # every kind here is a dataclass
        name = field.name.upper()
        text = environ.get(name)
        if text is None or (not text and field.type not in _MAY_BE_EMPTY):
            raise SettingError(name, "set")
        if field.type == str | None:
            values[field.name] = text or None
        elif field.type is int:
            if not text.isdecimal():
                raise SettingError(name, f"a whole number, not {text!r}")
            values[field.name] = int(text)
        elif field.type == tuple[str, ...]:
            values[field.name] = tuple(text.split(","))
        elif field.type == Mapping[str, str]:
            values[field.name] = _mapping(name, text)
        else:
            values[field.name] = text
    return kind(**values)


_MAY_BE_EMPTY = (Mapping[str, str], str | None)


_EXTENSION_PORT = "2773"


def extension(environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """
    Return the port of the Parameters and Secrets extension, and the token that it wants to see.

    Lambda sets the one where it is not the usual, and always the other.

    >>> extension({"AWS_SESSION_TOKEN": "t"})
    (2773, 't')
    """
    environ = os.environ if environ is None else environ
    port = environ.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", _EXTENSION_PORT)
    return int(port), environ.get("AWS_SESSION_TOKEN", "")


def _mapping(name: str, text: str) -> Mapping[str, str]:
    """
    Read `a=b,c=d`.

    >>> dict(_mapping("ACCESS_POINTS", "photos-x1y2-s3alias=photos"))
    {'photos-x1y2-s3alias': 'photos'}
    """
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if not all(key and value for key, _, value in pairs):
        raise SettingError(name, f"name=value, with commas between them, not {text!r}")
    return MappingProxyType({key.strip().lower(): value.strip() for key, _, value in pairs})
