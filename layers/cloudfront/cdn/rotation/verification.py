"""Whether a key may sign: its halves fit, CloudFront lists it everywhere, and the canary opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.cloudfront import trusted_keys
from cdn.signing import key_pairs, signing

if TYPE_CHECKING:
    from cdn.rotation.context import Observation, RotationContext
    from cdn.signing.key_pairs import Signer

_CANARY_REQUEST_COUNT = 5
_CANARY_LIFETIME_S = 120
_FORBIDDEN, _FIRST_ERROR = 403, 400


def verification_error(context: RotationContext, observation: Observation, signer: Signer) -> str:
    """
    Return why the key must not sign yet; empty when it has passed every trial.

    Raises:
        RetryLaterError: CloudFront is throttling, or the group is gone.
    """
    observed = observation.observed
    message = f"{signer.key_id} at {observation.at_ms}".encode()
    pem = next((key.pem for key in observed.public_keys if key.id == signer.key_id), "")
    if not pem or not key_pairs.verifies(
        key_pairs.load_public(pem),
        message=message,
        signature=signer.sign(message),
        hash_algorithm=signer.hash_algorithm,
    ):
        return "its public key does not verify what its private key signs"
    if observed.group:
        trusting = trusted_keys.list_by_key_group(context.cloudfront, observed.group.id)
        distribution_ids = sorted(
            trust.distribution_id
            for trust in trusting
            if trust.enabled and signer.key_id not in trust.key_ids
        )
        if distribution_ids:
            return f"CloudFront does not list it yet for {', '.join(distribution_ids)}"
    return _canary_error(context, signer, context.canary_url) if context.canary_url else ""


def _canary_error(context: RotationContext, signer: Signer, url: str) -> str:
    unsigned_status = context.fetch(url)
    if unsigned_status != _FORBIDDEN:
        return f"the canary returns {unsigned_status} without a signature; it must return 403"
    now_s = int(context.now())
    signed_url = signing.sign_url(
        signer,
        url,
        expires_at_s=now_s + _CANARY_LIFETIME_S,
        now_s=now_s,
        max_lifetime_s=_CANARY_LIFETIME_S,
    )
    for _ in range(_CANARY_REQUEST_COUNT):
        status = context.fetch(signed_url)
        if status == _FORBIDDEN:
            return "an edge refuses the canary that it signed"
        if not 0 < status < _FIRST_ERROR:
            return f"the canary returns {status}, for another reason than the key"
    return ""
