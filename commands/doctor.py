"""Tell why CloudFront answered 403 for a signed URL or signed cookies, and what mends it.

Asks CloudFront for its distributions, key groups and public keys, by the settings of the AWS CLI.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from cdn.diagnosis import access_rules, url_verification
from cdn.diagnosis.url_verification import Keys, Verdict
from cdn.errors import CdnError

_OPEN_TO_ALL = Verdict(
    None,
    "The behavior trusts no key group, so CloudFront asks for no signature.",
    "A 403 then comes from the origin (for S3: a missing object, or no permission to read it), "
    "from a web ACL or from a geographic restriction.",
)


def main() -> int:
    """Diagnose one URL."""
    told = _arguments()
    console = Console(stderr=told.json, soft_wrap=True)
    try:
        where, verdict = _diagnose(told)
    except (BotoCoreError, ClientError, CdnError, OSError) as exc:
        console.print(f"doctor: {exc}", markup=False)
        console.print("Are the AWS CLI's credentials set? Or name the public key's PEM file.")
        return 2
    if told.json:
        policy = verdict.policy and asdict(verdict.policy)
        json.dump(where | asdict(verdict) | {"policy": policy}, sys.stdout)
        return 0
    for name, value in where.items():
        console.print(f"{name}: {value}", markup=False, highlight=False)
    if verdict.policy:
        console.print(f"policy: {asdict(verdict.policy)}", markup=False, highlight=False)
    console.print()
    console.print(f"{verdict.cause or 'opens'}: {verdict.finding}", markup=False, style="bold")
    if verdict.fix:
        console.print(verdict.fix, markup=False)
    return 0


def _diagnose(told: argparse.Namespace) -> tuple[dict[str, str], Verdict]:
    if told.public_key:
        pem = Path(told.public_key).read_text(encoding="utf-8")
        (key_id,) = parse_qs(urlsplit(told.url).query).get("Key-Pair-Id", ["?"])[:1]
        where = {"public key": told.public_key}
        keys = Keys(public={key_id: pem}, trusted=[key_id])
    else:
        rules = access_rules.read(boto3.Session().client("cloudfront"), told.url)
        where = {
            "distribution": rules.distribution_id,
            "behavior": rules.pattern,
            "key groups": ", ".join(rules.key_group_ids) or "none",
        }
        if not rules.key_group_ids:
            return where, _OPEN_TO_ALL
        keys = Keys(public=rules.public, trusted=rules.key_ids)
    return where, url_verification.diagnose(
        told.url,
        cookies=told.cookies or None,
        keys=keys,
        now_s=told.at or time.time(),
        viewer_ip=told.ip or None,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make doctor", description=__doc__)
    parser.add_argument("--url", required=True, help="as the viewer sent it, with all parameters")
    parser.add_argument("--cookies", help="the Cookie header that the viewer sent")
    parser.add_argument("--ip", help="the viewer's address")
    parser.add_argument("--at", type=float, help="as of this second of Unix time; now if left out")
    parser.add_argument("--public-key", help="a PEM file: check by this key, without asking AWS")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
