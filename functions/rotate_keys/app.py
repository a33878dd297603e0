"""On a schedule: one safe step of key rotation. Called directly: a revocation, or the plan.

CloudFormation calls it, too: for the stack's key group.
"""

import json
import time
from dataclasses import asdict
from typing import Any, get_args

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.access import audit, cached, grants
from cdn.aws.announcements import Audience
from cdn.aws.table import Ledger
from cdn.cloudfront import probe
from cdn.errors import CdnError, RetryLaterError, SettingError
from cdn.rotation import key_group_resource, reconcile, reports, revocation
from cdn.rotation.decide import Rules
from cdn.rotation.execute import Desk
from cdn.rotation.secret_versions import Secret
from cdn.settings import RotateKeysSettings
from cdn.signing import key_pairs
from cdn.signing.key_pairs import HashAlgorithm, Kind

logger = Logger()

SIGNER_TIMEOUT_S = 30
"""No request that signs runs longer than this."""

_DAY_S, _HOUR_S = 86_400, 3_600
_FIRST_ERROR = 400
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
_HASHES: dict[str, HashAlgorithm] = {hashed: hashed for hashed in get_args(HashAlgorithm)}


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what the event asks for; without a question, take the next step."""
    told = settings.read(RotateKeysSettings)
    desk = _desk(told)
    audience = Audience(clients.events(), told.event_bus_name, clients.sns(), told.topic_arn)
    match event:
        case {"RequestType": str()}:
            return _for_cloudformation(desk, event)
        case {"revoke": str(key_id)}:
            return _revoke(desk, audience, event, key_id)
        case {"plan": True}:
            observed = reconcile.observe(desk)
            return reports.plan(observed, now_ms=desk.now_ms(), rules=desk.rules)
        case {"revoke": _} | {"plan": _}:
            return {"refused": 'ask {"revoke": "<key id>"} or {"plan": true}'}
    return _tick(desk, audience)


def _tick(desk: Desk, audience: Audience) -> dict[str, Any]:
    tick = reconcile.tick(desk)
    step = reports.described(tick.step)
    log = logger.warning if tick.error else logger.info
    log("step taken", step=step, error=tick.error)
    numbers = reconcile.numbers(tick.observed, now_ms=tick.at_ms, rules=desk.rules)
    failed = {"RotationStepsFailed": int(bool(tick.error))}
    print(audit.metrics(desk.stack, tick.at_ms, {**numbers, **failed}))  # noqa: T201  # Lambda's log
    announced = reconcile.announce(desk, audience, tick.observed)
    return {"taken": step, "error": tick.error, "announced": announced}


def _revoke(desk: Desk, audience: Audience, event: dict[str, Any], key_id: str) -> dict[str, Any]:
    done = revocation.revoke(
        desk,
        key_id=key_id,
        secret_leaked=event.get("secret_leaked") is True,
        force=event.get("force") is True,
    )
    logger.warning("key revoked", key_id=key_id, **asdict(done))
    reconcile.announce(desk, audience, reconcile.observe(desk))
    return asdict(done)


def _for_cloudformation(desk: Desk, event: dict[str, Any]) -> dict[str, Any]:
    """
    Answer CloudFormation, whatever happens: it would wait for an hour.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
    """
    physical_id = event.get("PhysicalResourceId", f"no-group-for-{event['LogicalResourceId']}")
    try:
        physical_id, reason = _group(desk, event, physical_id)
        status = "SUCCESS"
    except CdnError as exc:
        status, reason = "FAILED", str(exc)
    # The text of whatever else goes wrong is not ours to judge; the log has it.
    except Exception as exc:
        logger.exception("custom resource failed")
        status, reason = "FAILED", f"{type(exc).__name__}; the function's log says more"
    logger.info("custom resource", request=event["RequestType"], status=status, reason=reason)
    answer = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": physical_id,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        "Data": {"Id": physical_id},
    }
    # The URL is signed for no type of content.
    body, headers = json.dumps(answer).encode(), {"content-type": ""}
    if not 0 < probe.put(event["ResponseURL"], body, headers=headers) < _FIRST_ERROR:
        # Lambda calls again.
        raise RetryLaterError("PUT", "ResponseURL")
    return {"status": status, "reason": reason}


def _group(desk: Desk, event: dict[str, Any], physical_id: str) -> tuple[str, str]:
    wanted = event["ResourceProperties"]
    key_group_id = wanted.get("KeyGroupId", "")
    if event["RequestType"] == "Create":
        adopt = wanted.get("AdoptForeign") == "yes"
        made = key_group_resource.create(desk, key_group_id=key_group_id, adopt_foreign=adopt)
        return made, "the key group is there"
    if event["RequestType"] == "Update":
        key_group_resource.update(key_group_id=key_group_id, physical_id=physical_id)
        return physical_id, "an update changes nothing"
    everything = wanted.get("DeleteEverything") == "yes"
    return physical_id, key_group_resource.delete(
        desk, physical_id=physical_id, everything=everything
    )


def _desk(told: RotateKeysSettings) -> Desk:
    kind, hashed = _KINDS.get(told.signing_key_kind), _HASHES.get(told.signing_hash)
    if kind is None:
        raise SettingError("SIGNING_KEY_KIND", " or ".join(_KINDS))
    if hashed is None:
        raise SettingError("SIGNING_HASH", " or ".join(_HASHES))
    in_kms = told.signing_keys == "kms"
    return Desk(
        ledger=Ledger(clients.dynamodb(), told.ledger_table),
        cloudfront=clients.cloudfront(),
        secret=Secret(clients.secretsmanager(), told.signing_secret),
        ssm=clients.ssm(),
        kms=clients.kms,
        grants_parameter=told.grants_parameter,
        rules=Rules(
            period_s=told.rotation_days * _DAY_S,
            hold_s=max(told.hold_hours, 1) * _HOUR_S,
            kind=kind,
            # KMS knows no SHA-1.
            hash_algorithm="SHA256" if in_kms else hashed,
            in_kms=in_kms,
            secret_max_age_s=cached.SECRET_MAX_AGE_S,
            signer_timeout_s=SIGNER_TIMEOUT_S,
            longest_s=grants.MAX_LIFETIME_S,
        ),
        mark=told.key_name_prefix,
        stack=told.stack,
        canary_url=told.canary_url,
        fetch=probe.fetch,
        generate=key_pairs.generate,
        now=time.time,
    )
