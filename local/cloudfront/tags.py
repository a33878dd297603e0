"""Tags, by the ARN of the resource that wears them."""

from typing import Any

from local.cloudfront import resources
from local.cloudfront.account import Account, Record
from local.cloudfront.distributions import DISTRIBUTION
from local.cloudfront.errors import ServiceError
from local.cloudfront.resources import Operation


def _resource(account: Account, sent: dict[str, Any]) -> Record:
    for records in account.records.values():
        for record in records.values():
            if record.traits.get("ARN") == sent["Resource"]:
                return record
    raise ServiceError("NoSuchResource", "A resource that was specified is not valid.")


def _tag(account: Account, sent: dict[str, Any]) -> dict[str, Any]:
    tags = _resource(account, sent).tags
    tags.update({tag["Key"]: tag.get("Value") for tag in sent["Tags"].get("Items", ())})
    return {}


def _untag(account: Account, sent: dict[str, Any]) -> dict[str, Any]:
    tags = _resource(account, sent).tags
    for key in sent["TagKeys"].get("Items", ()):
        tags.pop(key, None)
    return {}


def _list(account: Account, sent: dict[str, Any]) -> dict[str, Any]:
    tags = _resource(account, sent).tags
    items = [
        {"Key": key} if value is None else {"Key": key, "Value": value}
        for key, value in tags.items()
    ]
    return {"Tags": {"Items": items}}


def _create_distribution(account: Account, sent: dict[str, Any]) -> dict[str, Any]:
    both = sent["DistributionConfigWithTags"]
    answer = resources.create(account, DISTRIBUTION, both["DistributionConfig"])
    _tag(account, {"Resource": answer["Distribution"]["ARN"], "Tags": both["Tags"]})
    return answer


OPERATIONS: dict[str, Operation] = {
    "CreateDistributionWithTags": _create_distribution,
    "TagResource": _tag,
    "UntagResource": _untag,
    "ListTagsForResource": _list,
}
