"""On a schedule: one safe step of key rotation. Called directly: a revocation, or the plan.

CloudFormation calls it, too: for the stack's key group.
"""

import sys
import time
from dataclasses import asdict
from typing import Any, Literal, get_args

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, metrics, settings
from cdn.access import cached, grants
from cdn.aws import custom_resources
from cdn.aws.announcements import Announcer
from cdn.aws.table import Table
from cdn.cloudfront import probe
from cdn.errors import CdnError, SettingError
from cdn.rotation import key_group_resource, reconcile, reports, revocation
from cdn.rotation.context import RotationContext
from cdn.rotation.model import RotationRules
from cdn.rotation.secret_versions import Secret
from cdn.settings import RotateKeysSettings
from cdn.signing import key_pairs
from cdn.signing.key_pairs import HashAlgorithm, Kind
from cdn.telemetry import StepResult, Telemetry

logger = Logger()

SIGNER_TIMEOUT_S = 30
"""No request that signs runs longer than this."""

_DAY_S, _HOUR_S = 86_400, 3_600
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
_HASHES: dict[str, HashAlgorithm] = {name: name for name in get_args(HashAlgorithm)}


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what the event asks for; without a question, take the next step."""
    given = settings.read(RotateKeysSettings)
    rotation = _rotation_context(given)
    announcer = Announcer(
        clients.events(),
        given.event_bus_name,
        clients.sns(),
        {"attention": given.attention_topic_arn, "routine": given.routine_topic_arn},
    )
    telemetry = Telemetry(logger, given.stack, sys.stdout.write, time.time)
    match event:
        case {"RequestType": str()}:
            return _for_cloudformation(rotation, event)
        case {"revoke": str(key_id)}:
            return _revoke(rotation, announcer, telemetry, event, key_id)
        case {"plan": True}:
            observed = reconcile.observe(rotation)
            return reports.plan(observed, now_ms=rotation.now_ms(), rules=rotation.rules)
        case {"revoke": _} | {"plan": _}:
            return {"refused": 'Send {"revoke": "<key id>"} or {"plan": true}.'}
    return _tick(rotation, announcer, telemetry)


def _tick(rotation: RotationContext, announcer: Announcer, telemetry: Telemetry) -> dict[str, Any]:
    tick = reconcile.tick(rotation)
    telemetry.report(tick.result)
    values = reconcile.metric_values(tick, rules=rotation.rules)
    telemetry.write(metrics.line(telemetry.namespace, tick.at_ms, values) + "\n")
    announced_ids = reconcile.announce(rotation, announcer, tick.observed)
    return {
        "outcome": tick.result.outcome,
        "step": reports.described(tick.step),
        "error": tick.error,
        "announced_ids": announced_ids,
    }


def _revoke(
    rotation: RotationContext,
    announcer: Announcer,
    telemetry: Telemetry,
    event: dict[str, Any],
    key_id: str,
) -> dict[str, Any]:
    done = revocation.revoke(
        rotation,
        key_id=key_id,
        secret_leaked=event.get("secret_leaked") is True,
        force=event.get("force") is True,
        report=telemetry.report,
    )
    telemetry.report(
        StepResult(
            "revocation refused" if done.refused else "key revoked",
            done.refused,
            {"key_id": key_id, **{k: v for k, v in asdict(done).items() if k != "refused"}},
        )
    )
    reconcile.announce(rotation, announcer, reconcile.observe(rotation))
    return asdict(done)


def _for_cloudformation(rotation: RotationContext, event: dict[str, Any]) -> dict[str, Any]:
    """Answer CloudFormation, whatever happens."""
    physical_id = custom_resources.physical_id(event)
    status: Literal["SUCCESS", "FAILED"] = "FAILED"
    try:
        physical_id, reason = _key_group(rotation, event, physical_id)
        status = "SUCCESS"
    except CdnError as exc:
        reason = str(exc)
    # CloudFormation waits for an hour for an answer, so every other error is one as well. Its text
    # may have anything in it; the log has it.
    except Exception as exc:
        logger.exception("custom resource request failed", request=event["RequestType"])
        reason = f"{type(exc).__name__}; see the log of the function rotate_keys"
    custom_resources.respond(
        event, status=status, reason=reason, physical_id=physical_id, put=probe.put
    )
    logger.info(
        "custom resource answered", request=event["RequestType"], status=status, reason=reason
    )
    return {"status": status, "reason": reason}


def _key_group(
    rotation: RotationContext, event: dict[str, Any], physical_id: str
) -> tuple[str, str]:
    properties = event["ResourceProperties"]
    key_group_id = properties.get("KeyGroupId", "")
    if event["RequestType"] == "Create":
        adopt = properties.get("AdoptForeign") == "yes"
        physical_id = key_group_resource.create(
            rotation, key_group_id=key_group_id, adopt_foreign=adopt
        )
        return physical_id, "The key group exists."
    if event["RequestType"] == "Update":
        key_group_resource.update(key_group_id=key_group_id, physical_id=physical_id)
        return physical_id, "The key group stays the same."
    everything = properties.get("DeleteEverything") == "yes"
    return physical_id, key_group_resource.delete(
        rotation, physical_id=physical_id, everything=everything
    )


def _rotation_context(given: RotateKeysSettings) -> RotationContext:
    kind, hash_algorithm = _KINDS.get(given.signing_key_kind), _HASHES.get(given.signing_hash)
    if kind is None:
        raise SettingError("SIGNING_KEY_KIND", " or ".join(_KINDS))
    if hash_algorithm is None:
        raise SettingError("SIGNING_HASH", " or ".join(_HASHES))
    in_kms = given.signing_keys == "kms"
    return RotationContext(
        ledger=Table(clients.dynamodb(), given.ledger_table),
        cloudfront=clients.cloudfront(),
        secret=Secret(clients.secretsmanager(), given.signing_secret),
        ssm=clients.ssm(),
        kms=clients.kms,
        grants_parameter=given.grants_parameter,
        rules=RotationRules(
            period_s=given.rotation_days * _DAY_S,
            hold_s=max(given.hold_hours, 1) * _HOUR_S,
            kind=kind,
            # KMS has no SHA-1.
            hash_algorithm="SHA256" if in_kms else hash_algorithm,
            in_kms=in_kms,
            secret_max_age_s=cached.SECRET_MAX_AGE_S,
            signer_timeout_s=SIGNER_TIMEOUT_S,
            max_lifetime_s=grants.MAX_LIFETIME_S,
        ),
        name_prefix=given.key_name_prefix,
        stack=given.stack,
        canary_url=given.canary_url,
        fetch=probe.fetch,
        generate=key_pairs.generate,
        now=time.time,
    )
