"""Why CloudFront answered 403, or that it should not have: the first check that fails, named.

CloudFront itself answers only that access is denied. The checks are made here in the order in
which an answer helps: what cannot be read, who signed, whether the signature holds, when, what,
for whom.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Literal

from cdn.diagnosis import signature_parameters, url_encodings
from cdn.errors import KeyMaterialError, MalformedError, UnsignableError
from cdn.signing import key_pairs, policies, urls
from cdn.signing.key_pairs import HashAlgorithm, PublicKey
from cdn.signing.policies import Policy

Cause = Literal[
    "unsigned",
    "malformed",
    "missing_parameter",
    "unknown_key",
    "untrusted_key",
    "hash_algorithm",
    "encoding",
    "signature",
    "expired",
    "not_yet_valid",
    "resource",
    "ip",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What becomes of a request.

    Attributes:
        cause: The first check that fails; None when the request opens.
        finding: What was found, in one sentence.
        fix: What to do about it, in one sentence; empty when the request opens.
        details: What the finding says, as values: `parameter`, `key_id`, `expired_at_s`, `ago_s`,
            `starts_at_s`, `in_s`, `section`, `resource`, `viewer_ip`, `source_ip`, …
        policy: What was signed, as far as it could be read.
    """

    cause: Cause | None
    finding: str
    fix: str = ""
    details: Mapping[str, str | int] = field(default_factory=dict)
    policy: Policy | None = None

    @property
    def opens(self) -> bool:
        """Return whether every check passes."""
        return self.cause is None


@dataclass(frozen=True, slots=True)
class Keys:
    """
    What CloudFront knows of keys.

    Attributes:
        public: Each public key's id and PEM, whether in a key group or not.
        trusted: The ids in the key groups that the distribution's behavior trusts.
    """

    public: Mapping[str, str]
    trusted: Collection[str]


def diagnose(
    url: str,
    *,
    cookies: str | Mapping[str, str] | None = None,
    keys: Keys,
    now_s: float,
    viewer_ip: str | None = None,
) -> Verdict:
    """
    Check a request for *url* as CloudFront does.

    A signature in the URL wins over *cookies* (a Cookie header, or names and values).

    Args:
        url: As the viewer sent it, with all its parameters.
        viewer_ip: Where the viewer is; left out, a policy's address is not checked.

    >>> keys = Keys(public={}, trusted=())
    >>> diagnose("https://d1.cloudfront.net/a.jpg", keys=keys, now_s=0).finding
    'Neither the URL nor the cookies have any of the parameters of a signature.'
    """
    try:
        urls.refuse_unwritable(url)
        base, parameters = signature_parameters.from_url(url)
        if not parameters and cookies is not None:
            parameters = signature_parameters.from_cookies(cookies)
        if not parameters:
            return _unsigned()
        return _verify(base, parameters, keys=keys, now_s=now_s, viewer_ip=viewer_ip)
    except (MalformedError, UnsignableError) as exc:
        return Verdict(
            "malformed",
            f"The {exc}.",
            "Use one signature, by itself and to the letter as it was made.",
            {"what": exc.what},
        )


def _verify(
    base: str, parameters: Mapping[str, str], *, keys: Keys, now_s: float, viewer_ip: str | None
) -> Verdict:
    if missing := signature_parameters.missing(parameters):
        return _missing(missing)
    algorithm = signature_parameters.hash_algorithm(parameters)
    signature = policies.decode(parameters["Signature"], what="Signature")
    policy, message = signature_parameters.policy_of(base, parameters)

    key_id = parameters["Key-Pair-Id"]
    if key_id not in keys.public:
        return Verdict(
            "unknown_key",
            f"CloudFront knows no public key {key_id}.",
            "Sign with the id of a public key in this account, and its private key.",
            {"key_id": key_id},
            policy,
        )
    if key_id not in keys.trusted:
        return Verdict(
            "untrusted_key",
            f"The public key {key_id} is in no key group that this distribution trusts here.",
            "Add it to a key group that the behavior trusts, or sign with a key that is in one.",
            {"key_id": key_id},
            policy,
        )
    claimed = _ClaimedSignature(_public(keys.public[key_id], key_id), signature, algorithm)
    return (
        _check_signature(claimed, base, message, policy=policy, canned="Expires" in parameters)
        or _check_time(policy, now_s)
        or _check_resource(policy, base)
        or _check_ip(policy, viewer_ip)
        or Verdict(None, f"It opens{_for_whom(policy, viewer_ip)}.", policy=policy)
    )


def _unsigned() -> Verdict:
    return Verdict(
        "unsigned",
        "Neither the URL nor the cookies have any of the parameters of a signature.",
        "Ask for a signed URL, or see why the browser did not send the cookies "
        "(Path, Domain, Secure, SameSite, Partitioned, credentials of fetch).",
    )


def _missing(name: str) -> Verdict:
    return Verdict(
        "missing_parameter",
        f"There is no {'Expires, and no Policy' if name == 'Expires' else name}.",
        "Use all of the URL, or all of the cookies, that were signed together.",
        {"parameter": name},
    )


def _public(pem: str, key_id: str) -> PublicKey:
    try:
        return key_pairs.load_public(pem)
    except KeyMaterialError as exc:
        raise MalformedError(f"public key {key_id}", f"cannot be read: {exc}") from exc


@dataclass(frozen=True, slots=True)
class _ClaimedSignature:
    """A signature, and the key and hash algorithm that the request claims for it."""

    key: PublicKey
    value: bytes
    algorithm: HashAlgorithm

    def verifies(self, message: bytes, algorithm: HashAlgorithm | None = None) -> bool:
        return key_pairs.verifies(
            self.key,
            message=message,
            signature=self.value,
            hash_algorithm=algorithm or self.algorithm,
        )


def _check_signature(
    signature: _ClaimedSignature, base: str, message: bytes, *, policy: Policy, canned: bool
) -> Verdict | None:
    if signature.verifies(message):
        return None
    signed_by: HashAlgorithm = "SHA1" if signature.algorithm == "SHA256" else "SHA256"
    if signature.verifies(message, signed_by):
        parameter = (
            "Hash-Algorithm=SHA256" if signed_by == "SHA256" else "no Hash-Algorithm, or SHA1"
        )
        return Verdict(
            "hash_algorithm",
            f"The signature is by {signed_by}, but the request says {signature.algorithm}.",
            f"Send {parameter}.",
            {"signed_by": signed_by, "declared": signature.algorithm},
            policy,
        )
    altered = _altered(signature, base, policy) if canned else None
    return altered or Verdict(
        "signature",
        "The signature does not hold: "
        + ("the URL, Expires" if canned else "the Policy")
        + ", the signature or the key is not the one that it was made with.",
        "Sign anew with the private key of this key id, and use the result to the letter.",
        policy=policy,
    )


def _altered(signature: _ClaimedSignature, base: str, policy: Policy) -> Verdict | None:
    """Return a verdict if the canned signature was made for another URL that can be guessed."""
    for original in url_encodings.other_encodings(base):
        if any(map(signature.verifies, _as_policies(original, policy.expires_at_s))):
            section = _first_difference(original, base)
            return Verdict(
                "encoding",
                f"The URL was signed with its {section} written otherwise than the viewer sent it.",
                "Percent-encode the URL before it is signed, and never after.",
                {"section": section, "resource": original, "sent": base},
                policy,
            )
    for original in url_encodings.other_urls(base):
        if signature.verifies(policies.canned(original, expires_at_s=policy.expires_at_s)):
            section = _first_difference(original, base)
            return Verdict(
                "resource",
                f"Another URL was signed: its {section} is different.",
                "Ask for the very URL that was signed, or sign a policy that covers this one.",
                {"section": section, "resource": original, "sent": base},
                policy,
            )
    return None


def _as_policies(url: str, expires_at_s: int) -> Iterator[bytes]:
    yield policies.canned(url, expires_at_s=expires_at_s)
    if not url.isascii():
        # botocore's signer escapes what is not ASCII, which CloudFront does not.
        yield policies.canned("\0", expires_at_s=expires_at_s).replace(
            b'"\\u0000"', json.dumps(url).encode()
        )


def _first_difference(url: str, other_url: str) -> str:
    sections, others = urls.split(url), urls.split(other_url)
    return next((name for name in sections if sections[name] != others[name]), "query")


def _check_time(policy: Policy, now_s: float) -> Verdict | None:
    if now_s >= policy.expires_at_s:
        ago_s = int(now_s - policy.expires_at_s)
        return Verdict(
            "expired",
            f"It expired at {_moment(policy.expires_at_s)}, {_span(ago_s)} ago.",
            "Ask for a new one, before the old one ends.",
            {"expired_at_s": policy.expires_at_s, "ago_s": ago_s},
            policy,
        )
    if policy.starts_at_s is not None and now_s <= policy.starts_at_s:
        in_s = int(policy.starts_at_s - now_s) + 1
        return Verdict(
            "not_yet_valid",
            f"It opens after {_moment(policy.starts_at_s)}, in {_span(in_s)}.",
            "Wait, or sign with an earlier start; back-date it for clocks that differ.",
            {"starts_at_s": policy.starts_at_s, "in_s": in_s},
            policy,
        )
    return None


def _check_resource(policy: Policy, base: str) -> Verdict | None:
    if policy.resource == base:
        return None
    section = policies.mismatch(policy.resource, base)
    if section is None:
        return None
    details: dict[str, str | int] = {"section": section, "resource": policy.resource, "sent": base}
    scheme, separator, rest = policy.resource.partition("://")
    host, slash, tail = rest.partition("/")
    if any(
        policies.covers(f"{scheme}{separator}{host}{slash}{spelling}", base)
        for spelling in url_encodings.spellings(tail)
    ):
        return Verdict(
            "encoding",
            f"The {section} matches the policy's resource only in another encoding.",
            "Percent-encode the resource before it is signed, as viewers send their URLs.",
            details,
            policy,
        )
    return Verdict(
        "resource",
        f"The {section} of the URL is not covered by the policy's resource {policy.resource}.",
        f"Sign a policy whose {section} covers this URL, or ask for one that it does cover.",
        details,
        policy,
    )


def _check_ip(policy: Policy, viewer_ip: str | None) -> Verdict | None:
    if policy.source_ip is None or viewer_ip is None:
        return None
    try:
        viewer = ip_address(viewer_ip)
    except ValueError as exc:
        raise MalformedError("viewer's address", "is no IP address") from exc
    if viewer in policies.network(policy.source_ip):
        return None
    fix = "Sign for the address that the viewer has now, or for none."
    if viewer.version == 6:  # noqa: PLR2004  # IPv6
        fix = (
            "Switch IPv6 off on the distribution, or sign for no address: policies know IPv4 only."
        )
    return Verdict(
        "ip",
        f"The viewer is at {viewer}, and the policy is for {policy.source_ip}.",
        fix,
        {"viewer_ip": f"{viewer}", "source_ip": policy.source_ip},
        policy,
    )


def _for_whom(policy: Policy, viewer_ip: str | None) -> str:
    unknown = policy.source_ip is not None and viewer_ip is None
    return f", for viewers at {policy.source_ip} only" if unknown else ""


def _moment(at_s: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"second {at_s}"


def _span(seconds: int) -> str:
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
