"""Whether a viewer may have what a private behavior serves: signed URLs and signed cookies."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from local.edge import policies
from local.edge.policies import MalformedPolicyError, Policy, ViewerRequest

# The query parameters of a signed URL; a signed cookie puts CloudFront- before each.
NAMES = ("Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
COOKIE_PREFIX = "CloudFront-"

_HASHES: dict[str, HashAlgorithm] = {"SHA1": SHA1(), "SHA256": SHA256()}  # noqa: S303 - the default
_DIGITS = re.compile(r"[0-9]{1,19}")
_BASE64 = re.compile(r"[A-Za-z0-9~-]*_{0,2}")
_TO_BASE64 = str.maketrans("-_~", "+=/")


@dataclass(frozen=True, slots=True)
class Denial:
    """Why CloudFront answers 403; the codes and texts of its error documents."""

    code: str
    message: str


# AWS names the first two in its knowledge center, together with Access denied; the malformed ones
# are known from reports of users alone, and so is what exactly brings them.
# https://repost.aws/knowledge-center/cloudfront-troubleshoot-signed-url-cookies
MISSING_KEY = Denial("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
UNKNOWN_KEY = Denial("InvalidKey", "Unknown Key")
MALFORMED_POLICY = Denial("MalformedPolicy", "Malformed Policy")
MALFORMED_SIGNATURE = Denial("MalformedSignature", "Could not unencode Signature")
DENIED = Denial("AccessDenied", "Access denied")


def without_parameters(query: str) -> str:
    """
    Leave out of a query string what is CloudFront's own, and keep the rest as it is.

    >>> without_parameters("b=2&Expires=1&a=1&Key-Pair-Id=K1&Signature=x")
    'b=2&a=1'
    """
    return "&".join(pair for pair in query.split("&") if pair.partition("=")[0] not in NAMES)


def without_cookies(headers: Mapping[str, str]) -> dict[str, str]:
    """
    Leave signed cookies out of a request: the cache does not tell copies apart by them.

    Whether an origin gets them is not documented; here it does not.
    """
    kept = {name: value for name, value in headers.items() if name != "cookie"}
    own = {COOKIE_PREFIX + name for name in NAMES}
    others = [f"{name}={value}" for name, value in _cookies(headers) if name not in own]
    if others:
        kept["cookie"] = "; ".join(others)
    return kept


def denial(
    viewer_request: ViewerRequest,
    query: str,
    headers: Mapping[str, str],
    *,
    keys: Mapping[str, str],
    now: float,
) -> Denial | None:
    """
    Find out why a request is denied; None lets it pass.

    A URL with any of CloudFront's parameters is a signed URL, whatever cookies there are. Of what
    comes twice the first counts, so that browsers' order gives the cookies of the longest path
    precedence. Parameters are not percent-decoded. A custom policy comes before an expiry. None
    of these three, nor the order of the checks, is documented.

    Args:
        query:
            The whole query string.
        keys:
            The trusted public keys, PEM by id.
    """
    signed = _in_query(query) or _in_cookies(headers)
    key_id = signed.get("Key-Pair-Id")
    if not key_id:
        return MISSING_KEY
    if key_id not in keys:
        return UNKNOWN_KEY
    try:
        text, policy = _policy(signed, viewer_request)
    except MalformedPolicyError:
        return MALFORMED_POLICY
    signature = _decoded(signed.get("Signature", ""))
    if not signature:
        return MALFORMED_SIGNATURE
    hashed_by = _HASHES.get(signed.get("Hash-Algorithm", "SHA1"))
    if hashed_by is None or not _verifies(keys[key_id], signature, text, hashed_by):
        return DENIED
    return None if policy.allows(viewer_request, now=now) else DENIED


def _in_query(query: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in reversed(query.split("&")))
    return {name: value for name, _, value in pairs if name in NAMES}


def _in_cookies(headers: Mapping[str, str]) -> dict[str, str]:
    cookies = dict(reversed(_cookies(headers)))
    return {name: cookies[own] for name in NAMES if (own := COOKIE_PREFIX + name) in cookies}


def _cookies(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    pairs = (cookie.strip().partition("=") for cookie in headers.get("cookie", "").split(";"))
    return [(name, value) for name, _, value in pairs if name]


def _policy(signed: Mapping[str, str], viewer_request: ViewerRequest) -> tuple[bytes, Policy]:
    """Return the text that was signed, and what it means: a canned policy is not sent along."""
    if "Policy" in signed:
        text = _decoded(signed["Policy"])
        if text is None:
            raise MalformedPolicyError("not encoded as CloudFront has it")
        return text, policies.read(text)
    expires = signed.get("Expires", "")
    if not _DIGITS.fullmatch(expires) or int(expires) > policies.MAX_EPOCH_S:
        raise MalformedPolicyError("neither a policy nor an expiry")
    canned = (
        f'{{"Statement":[{{"Resource":"{viewer_request.url}",'
        f'"Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
    )
    # The resource is the URL itself.
    return canned.encode(errors="surrogateescape"), Policy(None, int(expires))


def _decoded(value: str) -> bytes | None:
    """
    Decode CloudFront's base64, in which - _ ~ stand for + = /; None is not decodable.

    Each value has one spelling: bits that belong to no byte must be zero. Whether CloudFront is
    as strict is not documented.
    """
    if not _BASE64.fullmatch(value):
        return None
    plain = value.translate(_TO_BASE64)
    try:
        decoded = base64.b64decode(plain)
    except binascii.Error:
        return None
    return decoded if base64.b64encode(decoded).decode() == plain else None


def _verifies(pem: str, signature: bytes, text: bytes, hashed_by: HashAlgorithm) -> bool:
    key = load_pem_public_key(pem.encode())
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, padding.PKCS1v15(), hashed_by)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(hashed_by))
        else:
            return False
    except InvalidSignature:
        return False
    return True
