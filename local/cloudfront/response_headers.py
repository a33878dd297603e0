"""Response headers policies: of their parts, the stand-in has the one about CORS."""

from typing import Any

from local.cloudfront import distributions, resources
from local.cloudfront.account import Account, Record
from local.cloudfront.errors import ServiceError
from local.cloudfront.resources import Config, ResourceType

_MISSING_PARTS = (
    "SecurityHeadersConfig",
    "ServerTimingHeadersConfig",
    "CustomHeadersConfig",
    "RemoveHeadersConfig",
)


def _check(_account: Account, config: Config, _record: Record | None) -> None:
    # Better refused than kept and ignored by the edge.
    for part in _MISSING_PARTS:
        if part in config:
            raise ServiceError("NotImplemented", f"The stand-in does not know {part}.", status=501)


def _check_delete(account: Account, record: Record) -> None:
    for distribution in account.of("Distribution").values():
        for behavior in distributions.behaviors(distribution.config):
            if behavior.get("ResponseHeadersPolicyId") == record.id:
                raise ServiceError(
                    "ResponseHeadersPolicyInUse",
                    "The response headers policy is attached to one or more cache behaviors.",
                )


def _summarise(account: Account, record: Record) -> dict[str, Any]:
    body = resources.body(account, RESPONSE_HEADERS_POLICY, record)
    return {"Type": resources.kind(record), "ResponseHeadersPolicy": body}


# The managed policies are missing.
RESPONSE_HEADERS_POLICY = ResourceType(
    noun="ResponseHeadersPolicy",
    plural="ResponseHeadersPolicies",
    id_prefix="",
    id_length=36,
    missing="NoSuchResponseHeadersPolicy",
    message="The response headers policy does not exist.",
    duplicate="ResponseHeadersPolicyAlreadyExists",
    too_many="TooManyResponseHeadersPolicies",
    limit=lambda account: account.quotas.response_headers_policies,
    once=lambda config: str(config["Name"]),
    check=_check,
    check_delete=_check_delete,
    describe=lambda _account, record: resources.modified(record),
    summarise=_summarise,
    select=resources.is_of_type,
)
