"""Why CloudFront answered 403 for a signed URL or signed cookies, and what mends it.

Asks CloudFront for its distributions, key groups and public keys, or takes a key from a file.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from cdn.diagnosis import access_rules, url_verification
from cdn.diagnosis.url_verification import Keys, Verdict

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient

    from commands.output import Output

_OPEN_TO_ALL = Verdict(
    None,
    "The behavior trusts no key group, so CloudFront asks for no signature.",
    "A 403 then comes from the origin (for S3: a missing object, or no permission to read it), "
    "from a web ACL or from a geographic restriction.",
)
_KEY_ID = re.compile(r"(?:^|[?&;\s])(?:CloudFront-)?Key-Pair-Id=([^&;#\s]*)")


def diagnose(
    client: CloudFrontClient, url: str, *, cookies: str | None, now_s: float, viewer_ip: str | None
) -> tuple[dict[str, str], Verdict]:
    """
    Return what decides about *url* in this account, and the verdict.

    Raises:
        NotServedError: No distribution of this account answers for the URL's host.
    """
    rules = access_rules.read(client, url)
    where = {
        "distribution": rules.distribution_id,
        "behavior": rules.pattern,
        "key groups": ", ".join(rules.key_group_ids) or "none",
    }
    if not rules.key_group_ids:
        return where, _OPEN_TO_ALL
    keys = Keys(public=rules.public, trusted=rules.key_ids)
    return where, url_verification.diagnose(
        url, cookies=cookies, keys=keys, now_s=now_s, viewer_ip=viewer_ip
    )


def diagnose_by_key(
    pem: str, url: str, *, cookies: str | None, now_s: float, viewer_ip: str | None
) -> Verdict:
    """Return the verdict where *pem* is the one key that is known and trusted, whatever its id."""
    named = _KEY_ID.search(url) or _KEY_ID.search(cookies or "")
    key_id = unquote_plus(named[1]) if named else "?"
    return url_verification.diagnose(
        url,
        cookies=cookies,
        keys=Keys(public={key_id: pem}, trusted=[key_id]),
        now_s=now_s,
        viewer_ip=viewer_ip,
    )


def show(where: dict[str, str], verdict: Verdict, output: Output) -> None:
    """Print *verdict*, and *where* it holds."""
    policy = asdict(verdict.policy) if verdict.policy else None
    if output.as_json:
        output.json(where | asdict(verdict) | {"policy": policy})
        return
    for name, value in where.items():
        output.line(f"{name}: {value}")
    if policy:
        output.line(f"policy: {policy}")
    output.line()
    output.line(f"{verdict.cause or 'opens'}: {verdict.finding}", style="bold")
    if verdict.fix:
        output.line(verdict.fix)
