"""The parameters of a signature, as a URL or cookies bring them, and the policy that they mean."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from cdn.errors import MalformedError
from cdn.signing import policies, urls
from cdn.signing.key_pairs import HashAlgorithm
from cdn.signing.policies import Policy

_COOKIE_PREFIX = "CloudFront-"


def from_url(url: str) -> tuple[str, dict[str, str]]:
    """
    Return *url* without CloudFront's parameters and without its fragment, and these parameters.

    Raises:
        MalformedError: A parameter comes twice.

    >>> from_url("https://d1.cloudfront.net/a.jpg?v=1&Key-Pair-Id=K1#top")
    ('https://d1.cloudfront.net/a.jpg?v=1', {'Key-Pair-Id': 'K1'})
    """
    base, _, query = url.partition("#")[0].partition("?")
    own: list[tuple[str, str]] = []
    rest: list[str] = []
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if name in urls.PARAMETERS:
            own.append((name, value))
        else:
            rest.append(parameter)
    text = "&".join(rest)
    return f"{base}?{text}" if text else base, _distinct(own)


def from_cookies(cookies: str | Mapping[str, str]) -> dict[str, str]:
    """
    Return CloudFront's parameters in a Cookie header, or in names and values.

    Raises:
        MalformedError: A parameter comes twice.

    >>> from_cookies("theme=dark; CloudFront-Key-Pair-Id=K1")
    {'Key-Pair-Id': 'K1'}
    """
    if isinstance(cookies, str):
        header = cookies.removeprefix("Cookie:")
        pairs = [
            (name.strip(), value.strip())
            for name, _, value in (pair.partition("=") for pair in header.split(";"))
        ]
    else:
        pairs = list(cookies.items())
    return _distinct(
        [
            (name.removeprefix(_COOKIE_PREFIX), value)
            for name, value in pairs
            if name.startswith(_COOKIE_PREFIX)
            and name.removeprefix(_COOKIE_PREFIX) in urls.PARAMETERS
        ]
    )


def missing(parameters: Mapping[str, str]) -> str | None:
    """
    Return the first parameter that a signature needs and that is not there, or is empty.

    >>> missing({"Expires": "5", "Signature": "s"})
    'Key-Pair-Id'
    """
    either = "Policy" if "Policy" in parameters else "Expires"
    needed = (either, "Signature", "Key-Pair-Id")
    return next((name for name in needed if not parameters.get(name)), None)


def hash_algorithm(parameters: Mapping[str, str]) -> HashAlgorithm:
    """
    Return the hash that was signed; without a parameter that says so it is SHA-1.

    Raises:
        MalformedError: It is none that CloudFront knows.

    >>> hash_algorithm({}), hash_algorithm({"Hash-Algorithm": "SHA256"})
    ('SHA1', 'SHA256')
    """
    match parameters.get("Hash-Algorithm", "SHA1"):
        case "SHA1":
            return "SHA1"
        case "SHA256":
            return "SHA256"
    raise MalformedError("Hash-Algorithm", "must be SHA1 or SHA256, in capitals")


def policy_of(base: str, parameters: Mapping[str, str]) -> tuple[Policy, bytes]:
    """
    Return the policy that came along, or the one that CloudFront would write, with its bytes.

    Raises:
        MalformedError: It cannot be read, or there are two.
    """
    if "Policy" not in parameters:
        expires = parameters["Expires"]
        if not re.fullmatch(r"0|[1-9]\d{0,18}", expires, re.ASCII):
            raise MalformedError("Expires", "must be a whole number of seconds (Unix time)")
        policy = Policy(base, int(expires))
        return policy, policies.canned(base, expires_at_s=policy.expires_at_s)
    if "Expires" in parameters:
        raise MalformedError("Expires", "comes beside a Policy; two signatures overlap")
    message = policies.decode(parameters["Policy"], what="Policy")
    return policies.parse(message), message


def _distinct(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise MalformedError(name, "comes twice; two signatures overlap")
    return dict(pairs)
