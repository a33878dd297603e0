"""Grant documents of tests, and what they decide."""

import json

from cdn.access import grant_document, grants
from cdn.access.grants import Allow

HOST = "https://media.example.com"


def grant(**changes):
    """One entry of a document; the user's own folder for an hour, unless changed."""
    return {
        "name": "own",
        "claims": {"token_use": "access"},
        "path_templates": ["https://{host}/users/{sub}/*"],
        "hosts": ["media.example.com"],
        "access_methods": ["url", "cookies"],
        "max_lifetime_s": 3600,
        "bind_ip": False,
    } | changes


def document(*entries):
    return {"version": 1, "grants": list(entries)}


def parsed(*entries):
    return grant_document.parse(json.dumps(document(*entries)))


OWN = parsed(grant())
HOUSE_ENTRIES = (
    grant(),
    grant(
        name="films",
        claims={"token_use": "access", "cognito:groups": ["editors"]},
        path_templates=["https://{host}/films/*", "https://{host}/trailer.mp4"],
        hosts=["media.example.com", "d111111abcdef8.cloudfront.net"],
        access_methods=["cookies"],
        max_lifetime_s=43200,
    ),
    grant(
        name="invoices",
        claims={"scope": ["invoices/read", "media/read"], "client_id": "web"},
        path_templates=["https://{host}/invoices/{custom:tenant}/{sub}/*"],
        access_methods=["url"],
        max_lifetime_s=300,
        bind_ip=True,
    ),
    grant(
        name="profile",
        claims={"token_use": "id", "aud": ["web"]},
        path_templates=["https://{host}/profiles/{sub}.jpg"],
        access_methods=["url"],
        max_lifetime_s=60,
    ),
)
HOUSE = parsed(*HOUSE_ENTRIES)

ANNA = {"token_use": "access", "sub": "42", "scope": "openid media/read", "client_id": "web"}
EDITOR = ANNA | {"cognito:groups": ["viewers", "editors"]}
PAYER = ANNA | {"scope": "invoices/read media/read", "custom:tenant": "acme"}
ID = {"token_use": "id", "sub": "42", "aud": "web"}


def decide(claims, path, method="url", lifetime_s=None, document=HOUSE):
    url_pattern = path if "://" in path else f"{HOST}{path}"
    return grants.decide(
        document, claims=claims, url_pattern=url_pattern, method=method, lifetime_s=lifetime_s
    )


def outcome(decision):
    """In one word: the grant that allows it, or the reason that nothing does."""
    return decision.grant if isinstance(decision, Allow) else decision.reason
