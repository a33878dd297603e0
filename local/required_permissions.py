"""
Which permissions a request to AWS needs: its actions, their resources, and its condition keys.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
What is not written here needs the action of the operation's name on the resource `*`: so a policy
that names a resource does not allow it, and whoever needs it writes it here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends

from local.function import ACCOUNT, REGION, Function
from local.role_policies import Permission

Parameters = Mapping[str, Any]

# Operations whose action has another name.
_ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
_POLLING = "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"
_LOGGING = "logs:CreateLogStream", "logs:PutLogEvents"


def of_request(service: str, operation: str, parameters: Parameters) -> list[Permission]:
    """Return what *operation* needs, as boto3 names service, operation and parameters."""
    action = _ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}")
    needed = _BY_SERVICE.get(service, _without_resource)
    return list(needed(action, operation, parameters))


def of_lambda(function: Function) -> list[Permission]:
    """
    Return what Lambda does in the name of *function*.

    It reads its queues, writes its log, and dead-letters the events that failed for good.
    """
    log_group = function.log_group or f"/aws/lambda/{function.physical_name}"
    stream = _arn("logs", f"log-group:{log_group}:log-stream:local")
    return [
        *(Permission(action, queue.arn) for queue in function.queues for action in _POLLING),
        *(Permission(action, stream) for action in _LOGGING),
        *([Permission("sqs:SendMessage", function.dead_letters)] if function.dead_letters else []),
    ]


def _without_resource(action: str, _operation: str, _: Parameters) -> Iterator[Permission]:
    yield Permission(action)


def _arn(service: str, resource: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{region}:{account}:{resource}"


# ── DynamoDB ──────────────────────────────────────────────────────────────────────────────────────


def _dynamodb(action: str, operation: str, parameters: Parameters) -> Iterator[Permission]:
    for name, index, keys in _tables(operation, parameters):
        table = _arn("dynamodb", f"table/{name}")
        yield Permission(
            action,
            f"{table}/index/{index}" if index else table,
            {"dynamodb:LeadingKeys": sorted(keys)} if keys else {},
        )


def _tables(operation: str, parameters: Parameters) -> Iterator[tuple[str, str | None, set[str]]]:
    """Yield each table that is asked, with the index, and the partition keys of what is asked."""
    match operation:
        case "BatchWriteItem":
            for name, writes in parameters["RequestItems"].items():
                keys = [_key_written(write) for write in writes]
                yield name, None, _leading(keys, _partition_key(name))
        case "BatchGetItem":
            for name, about in parameters["RequestItems"].items():
                yield name, None, _leading(about["Keys"], _partition_key(name))
        case _:
            name, index = parameters["TableName"], parameters.get("IndexName")
            partition_key = _partition_key(name, index)
            keys = [parameters[place] for place in ("Key", "Item") if place in parameters]
            yield name, index, _leading(keys, partition_key) | _queried(parameters, partition_key)


def _key_written(write: Parameters) -> Parameters:
    request = write.get("PutRequest") or write["DeleteRequest"]
    key: Parameters = request.get("Item") or request["Key"]
    return key


def _partition_key(table_name: str, index: str | None = None) -> str | None:
    table = dynamodb_backends[ACCOUNT][REGION].tables.get(table_name)
    if table is None:
        return None
    indexes = {one.name: one.schema for one in table.all_indexes()}
    schema = indexes.get(index, []) if index else table.schema
    return next((str(k["AttributeName"]) for k in schema if k["KeyType"] == "HASH"), None)


def _leading(keys: Iterable[Parameters], partition_key: str | None) -> set[str]:
    return {_text(key[name]) for key in keys for name in key if name == partition_key}


def _text(value: Parameters) -> str:
    return str(next(iter(value.values())))


_EQUALS = re.compile(r"(?P<name>[#\w]+)\s*=\s*(?P<value>:\w+)")


def _queried(parameters: Parameters, partition_key: str | None) -> set[str]:
    """Return the partition that a Query reads."""
    names = parameters.get("ExpressionAttributeNames", {})
    return {
        _text(parameters["ExpressionAttributeValues"][match["value"]])
        for match in _EQUALS.finditer(parameters.get("KeyConditionExpression", ""))
        if names.get(match["name"], match["name"]) == partition_key
    }


# ── Other services ────────────────────────────────────────────────────────────────────────────────

_OF_DISTRIBUTION = {
    "CreateInvalidation": "DistributionId",
    "DeleteDistribution": "Id",
    "GetDistribution": "Id",
    "GetDistributionConfig": "Id",
    "GetInvalidation": "DistributionId",
    "ListInvalidations": "DistributionId",
    "UpdateDistribution": "Id",
}


def _cloudfront(action: str, operation: str, parameters: Parameters) -> Iterator[Permission]:
    if operation not in _OF_DISTRIBUTION:
        yield Permission(action)
        return
    distribution_id = parameters[_OF_DISTRIBUTION[operation]]
    yield Permission(action, _arn("cloudfront", f"distribution/{distribution_id}", region=""))


def _events(action: str, operation: str, parameters: Parameters) -> Iterator[Permission]:
    if operation != "PutEvents":
        yield Permission(action)
        return
    for entry in parameters["Entries"]:
        bus = entry.get("EventBusName", "default")
        yield Permission(
            action,
            bus if bus.startswith("arn:") else _arn("events", f"event-bus/{bus}"),
            {"events:source": [entry["Source"]]},
        )


def _kms(action: str, operation: str, parameters: Parameters) -> Iterator[Permission]:
    if operation == "CreateKey":
        tags = {
            f"aws:RequestTag/{tag['TagKey']}": [tag["TagValue"]]
            for tag in parameters.get("Tags", [])
        }
        yield Permission(action, "*", tags)
        if tags:
            yield Permission("kms:TagResource", "*", tags)
    elif "KeyId" in parameters:
        yield _on_key(action, parameters["KeyId"])
    else:
        yield Permission(action)


def _on_key(action: str, key_id: str) -> Permission:
    backend = kms_backends[ACCOUNT][REGION]
    plain_id = key_id.rsplit("/", 1)[-1]
    tags = backend.tagger.get_tag_dict_for_resource(plain_id)
    context = {f"aws:ResourceTag/{name}": [str(value)] for name, value in tags.items()}
    return Permission(action, _arn("kms", f"key/{plain_id}"), context)


def _s3(action: str, _operation: str, parameters: Parameters) -> Iterator[Permission]:
    if "Bucket" not in parameters:
        yield Permission(action)
        return
    key = f"/{parameters['Key']}" if "Key" in parameters else ""
    yield Permission(action, f"arn:aws:s3:::{parameters['Bucket']}{key}")


def _secretsmanager(action: str, _operation: str, parameters: Parameters) -> Iterator[Permission]:
    secret_id = parameters.get("SecretId", "*")
    secret = secretsmanager_backends[ACCOUNT][REGION].secrets.get(secret_id)
    yield Permission(action, secret.arn if secret else secret_id)


def _sns(action: str, _operation: str, parameters: Parameters) -> Iterator[Permission]:
    topic_arn = parameters.get("TopicArn", "*")
    yield Permission(action, topic_arn)
    topic = sns_backends[ACCOUNT][REGION].topics.get(topic_arn)
    # SNS uses the topic's key in the name of whoever publishes.
    if topic and topic.kms_master_key_id and action == "sns:Publish":
        for use in ("kms:GenerateDataKey", "kms:Decrypt"):
            yield _on_key(use, topic.kms_master_key_id)


def _sqs(action: str, _operation: str, parameters: Parameters) -> Iterator[Permission]:
    name = parameters.get("QueueUrl", "").rsplit("/", 1)[-1]
    yield Permission(action, _arn("sqs", name) if name else "*")


def _ssm(action: str, _operation: str, parameters: Parameters) -> Iterator[Permission]:
    if "Name" not in parameters:
        yield Permission(action)
        return
    # A version or a label of the parameter may stand after a colon.
    name = parameters["Name"].split(":")[0].removeprefix("/")
    yield Permission(action, _arn("ssm", f"parameter/{name}"))


_BY_SERVICE: Mapping[str, Callable[[str, str, Parameters], Iterator[Permission]]] = {
    "cloudfront": _cloudfront,
    "dynamodb": _dynamodb,
    "events": _events,
    "kms": _kms,
    "s3": _s3,
    "secretsmanager": _secretsmanager,
    "sns": _sns,
    "sqs": _sqs,
    "ssm": _ssm,
}
