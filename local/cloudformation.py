"""CloudFormation, as far as a template of this suite needs it: references, conditions, creation."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from local.function import ACCOUNT, REGION

Client = Callable[[str], Any]


class TemplateError(Exception):
    """The template says what cannot be deployed, or not here."""


@dataclass(frozen=True, slots=True)
class Physical:
    """What references to a resource give: `Ref`, and `Fn::GetAtt` by the attribute's name."""

    ref: str
    attributes: Mapping[str, str]


# Makes a custom resource, given its logical id, its type and its resolved properties.
MakeCustom = Callable[[str, str, Mapping[str, Any]], Physical]


def _no_custom(logical_id: str, _kind: str, _properties: Mapping[str, Any]) -> Physical:
    raise TemplateError(f"{logical_id}: there are no functions here to make it")


_SUBSTITUTED = re.compile(r"\$\{(?P<literal>!)?(?P<name>[\w:]+)(?:\.(?P<attribute>[\w.]+))?\}")
_NO_VALUE = object()
# The type of a parameter whose value is the name of one in Parameter Store.
_STORED = "AWS::SSM::Parameter::Value<"
_MAX_PATTERN_LENGTH = 2048


@dataclass(slots=True)
class Stack:
    """
    A plain template on its way to resources.

    A resource is created when the first other one refers to it, so the order comes by itself.
    What has no creator here is represented by a name and an ARN. *make_custom* is what a custom
    resource's function makes of it.
    """

    plain: Mapping[str, Any]
    parameters: Mapping[str, str]
    name: str
    client: Client
    make_custom: MakeCustom = _no_custom
    made: dict[str, Physical] = field(default_factory=dict)
    absent: dict[str, Physical] = field(default_factory=dict)
    # What has had its turn, whether it is created here or not.
    reached: set[str] = field(default_factory=set)

    @property
    def stack_id(self) -> str:
        return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.name}/local"

    def create(self) -> None:
        """
        Create what exists, each resource after those that it refers to or depends on.

        Raises:
            TemplateError: Among others, that resources refer to each other in a circle.
        """
        order = TopologicalSorter(
            {
                logical_id: [
                    *self._existing(_listed(about.get("DependsOn", []))),
                    *self._needed_by(about.get("Properties")),
                ]
                for logical_id, about in self.plain["Resources"].items()
                if self.exists(logical_id)
            }
        )
        try:
            for logical_id in order.static_order():
                kind = self.plain["Resources"][logical_id]["Type"]
                if kind in CREATORS or _is_custom(kind):
                    self._physical(logical_id)
                self.reached.add(logical_id)
        except CycleError as circle:
            raise TemplateError(
                f"circular reference: {' → '.join(reversed(circle.args[1]))}"
            ) from None

    def _needed_by(self, node: Any) -> Iterator[str]:  # noqa: ANN401
        """Return the resources that exist and that *node* refers to, in any depth."""
        match node:
            case {"Fn::If": [condition, then, otherwise]}:
                chosen = then if self._holds({"Condition": condition}) else otherwise
                yield from self._needed_by(chosen)
            case dict():
                yield from self._existing(_referred(node))
                for value in node.values():
                    yield from self._needed_by(value)
            case list():
                for item in node:
                    yield from self._needed_by(item)

    def _existing(self, names: list[str]) -> Iterator[str]:
        return (name for name in names if name in self.plain["Resources"] and self.exists(name))

    def exists(self, logical_id: str) -> bool:
        condition = self.plain["Resources"][logical_id].get("Condition")
        return condition is None or self._holds({"Condition": condition})

    def properties(self, logical_id: str) -> Any:  # noqa: ANN401
        """Return a resource's properties with every reference resolved."""
        return self.resolve(self.plain["Resources"][logical_id].get("Properties", {}))

    def outputs(self) -> dict[str, str]:
        return {
            name: str(self.resolve(about["Value"]))
            for name, about in self.plain.get("Outputs", {}).items()
            if "Condition" not in about or self._holds({"Condition": about["Condition"]})
        }

    def resolve(self, node: Any) -> Any:  # noqa: ANN401
        """Replace every function and reference in *node*; what comes to no value is left out."""
        if isinstance(node, list):
            items = [self.resolve(item) for item in node]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref":
                return self._ref(argument)
            if function.startswith("Fn::"):
                return self._function(function, argument)
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NO_VALUE}

    def _ref(self, name: str) -> Any:  # noqa: ANN401
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": _NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackId": self.stack_id,
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            value = self.parameters[name]
            kind = str(self.plain["Parameters"][name]["Type"])
            if kind.startswith(_STORED):
                kind, value = kind.removeprefix(_STORED), self._stored(value)
            many = kind.startswith(("CommaDelimitedList", "List<"))
            return value.split(",") if many else value
        return self._physical(name).ref

    def _stored(self, name: str) -> str:
        """Read a parameter of Parameter Store; AWS's own are not here, and stand for themselves."""
        if name.startswith("/aws/service/"):
            return name
        ssm = self.client("ssm")
        try:
            return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            raise TemplateError(f"Parameter Store has no {name}") from None

    def _attribute(self, name: str, attribute: str) -> str:
        try:
            return self._physical(name).attributes[attribute]
        except KeyError:
            raise TemplateError(f"{name} has no attribute {attribute} here") from None

    def _function(self, function: str, argument: Any) -> Any:  # noqa: ANN401, PLR0911  (one each)
        match function, argument:
            case "Fn::GetAtt", _:
                name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return self._attribute(name, attribute)
            case "Fn::If", [condition, then, otherwise]:
                return self.resolve(then if self._holds({"Condition": condition}) else otherwise)
            case "Fn::Sub", [text, more]:
                return self._sub(text, self.resolve(more))
            case "Fn::Sub", text:
                return self._sub(text, {})
            case "Fn::Join", [by, items]:
                return by.join(map(str, self.resolve(items)))
            case "Fn::Split", [by, text]:
                return self.resolve(text).split(by)
            case "Fn::Select", [index, items]:
                return self.resolve(items)[int(index)]
            case "Fn::FindInMap", [mapping, first, second]:
                return self.plain["Mappings"][mapping][self.resolve(first)][self.resolve(second)]
        raise TemplateError(f"{function} is not emulated")

    def _sub(self, text: str, more: Mapping[str, Any]) -> str:
        def put(match: re.Match[str]) -> str:
            name, attribute = match["name"], match["attribute"]
            if match["literal"]:
                return match[0].replace("!", "", 1)
            if attribute:
                return self._attribute(name, attribute)
            return str(more[name] if name in more else self._ref(name))

        return _SUBSTITUTED.sub(put, text)

    def _holds(self, condition: Any) -> bool:  # noqa: ANN401
        match condition:
            case {"Condition": str(name)}:
                return self._holds(self.plain["Conditions"][name])
            case {"Fn::Equals": [left, right]}:
                return bool(self.resolve(left) == self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::And": [*parts]}:
                return all(map(self._holds, parts))
            case {"Fn::Or": [*parts]}:
                return any(map(self._holds, parts))
        raise TemplateError(f"{condition} is no condition")

    def _physical(self, logical_id: str) -> Physical:
        physical = self.made.get(logical_id) or self.absent.get(logical_id)
        if physical is not None:
            return physical
        if logical_id not in self.plain["Resources"]:
            raise TemplateError(f"there is no {logical_id} to refer to")
        if not self.exists(logical_id):
            raise TemplateError(f"{logical_id} is referred to, but its condition does not hold")
        kind = self.plain["Resources"][logical_id]["Type"]
        if _is_custom(kind):
            made = self.make_custom(logical_id, kind, self.properties(logical_id))
        elif kind in CREATORS:
            name = f"{self.name}-{logical_id}"
            made = CREATORS[kind](self.client, name, self.properties(logical_id))
        else:
            self.absent[logical_id] = self._stand_in(logical_id, kind)
            return self.absent[logical_id]
        self.made[logical_id] = made
        return made

    def _stand_in(self, logical_id: str, kind: str) -> Physical:
        """Represent what is not created, without resolving what it refers to itself."""
        properties = self.plain["Resources"][logical_id].get("Properties", {})
        name = f"{self.name}-{logical_id}"
        if kind == "AWS::ApiGatewayV2::Api":
            api_id = hashlib.sha256(name.encode()).hexdigest()[:10]
            endpoint = f"https://{api_id}.execute-api.{REGION}.amazonaws.com"
            return Physical(api_id, {"ApiEndpoint": endpoint, "ApiId": api_id})
        for key in ("FunctionName", "LayerName", "RoleName", "Name"):
            if isinstance(properties.get(key), str):
                name = properties[key]
        prefix = {
            "AWS::Lambda::Function": "function:",
            "AWS::Lambda::LayerVersion": "layer:",
            "AWS::Logs::LogGroup": "log-group:",
            "AWS::IAM::Role": "role/",
        }.get(kind, "")
        region = "" if kind.startswith("AWS::IAM::") else REGION
        arn = f"arn:aws:{kind.split('::')[1].lower()}:{region}:{ACCOUNT}:{prefix}{name}"
        # A log group's ARN stands for its streams.
        arn += ":*" * (kind == "AWS::Logs::LogGroup")
        layer = kind == "AWS::Lambda::LayerVersion"
        return Physical(f"{arn}:1" if layer else name, {"Arn": arn, "RoleId": name})


def _is_custom(kind: str) -> bool:
    return kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _referred(node: Mapping[str, Any]) -> list[str]:
    """Return what a reference or a function names itself, not in its arguments."""
    match node:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return [name]
        case {"Fn::GetAtt": str(text)}:
            return [text.split(".")[0]]
        case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), _]}:
            return [match["name"] for match in _SUBSTITUTED.finditer(text) if not match["literal"]]
    return []


def _given(properties: Mapping[str, Any], names: str) -> dict[str, Any]:
    return {name: properties[name] for name in names.split() if name in properties}


def _text(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else json.dumps(value)


def _queue(client: Client, name: str, properties: Mapping[str, Any]) -> Physical:
    attributes = _given(
        properties,
        "ContentBasedDeduplication DelaySeconds FifoQueue KmsDataKeyReusePeriodSeconds "
        "KmsMasterKeyId MaximumMessageSize MessageRetentionPeriod ReceiveMessageWaitTimeSeconds "
        "RedrivePolicy SqsManagedSseEnabled VisibilityTimeout",
    )
    name = properties.get("QueueName", name)
    client("sqs").create_queue(
        QueueName=name, Attributes={key: _text(value) for key, value in attributes.items()}
    )
    return Physical(
        f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}",
        {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name},
    )


def _queue_policy(client: Client, name: str, properties: Mapping[str, Any]) -> Physical:
    for url in properties["Queues"]:
        client("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": _text(properties["PolicyDocument"])}
        )
    return Physical(name, {})


def _topic(client: Client, name: str, properties: Mapping[str, Any]) -> Physical:
    name = properties.get("TopicName", name)
    attributes = _given(properties, "DisplayName KmsMasterKeyId")
    arn = client("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"]
    for subscription in properties.get("Subscription", []):
        client("sns").subscribe(TopicArn=arn, **subscription)
    return Physical(arn, {"TopicArn": arn, "TopicName": name})


def _subscription(client: Client, _name: str, properties: Mapping[str, Any]) -> Physical:
    about = _given(properties, "TopicArn Protocol Endpoint")
    arn = client("sns").subscribe(**about, ReturnSubscriptionArn=True)["SubscriptionArn"]
    return Physical(arn, {"Arn": arn})


def _table(client: Client, name: str, properties: Mapping[str, Any]) -> Physical:
    name = properties.get("TableName", name)
    about = _given(
        properties,
        "AttributeDefinitions BillingMode GlobalSecondaryIndexes KeySchema LocalSecondaryIndexes "
        "ProvisionedThroughput StreamSpecification",
    )
    made = client("dynamodb").create_table(TableName=name, **about)["TableDescription"]
    expiry = properties.get("TimeToLiveSpecification")
    if expiry:
        client("dynamodb").update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    return Physical(name, {"Arn": made["TableArn"]})


def _rule(client: Client, name: str, properties: Mapping[str, Any]) -> Physical:
    name = properties.get("Name", name)
    about = _given(properties, "Description EventBusName ScheduleExpression State")
    pattern = properties.get("EventPattern")
    # EventBridge counts the characters without spaces between them; moto counts none.
    if pattern and len(json.dumps(pattern, separators=(",", ":"))) > _MAX_PATTERN_LENGTH:
        raise TemplateError(f"{name}: its event pattern is longer than {_MAX_PATTERN_LENGTH}")
    arn = client("events").put_rule(
        Name=name, **about, **({"EventPattern": _text(pattern)} if pattern else {})
    )["RuleArn"]
    bus = _given(properties, "EventBusName")
    client("events").put_targets(Rule=name, Targets=properties.get("Targets", []), **bus)
    return Physical(name, {"Arn": arn})


def _bus(client: Client, _name: str, properties: Mapping[str, Any]) -> Physical:
    arn = client("events").create_event_bus(Name=properties["Name"])["EventBusArn"]
    return Physical(properties["Name"], {"Arn": arn, "Name": properties["Name"]})


def _key(client: Client, _name: str, properties: Mapping[str, Any]) -> Physical:
    about = _given(properties, "Description KeySpec KeyUsage")
    made = client("kms").create_key(**about)["KeyMetadata"]
    return Physical(made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})


def _secret(client: Client, name: str, properties: Mapping[str, Any]) -> Physical:
    about = _given(properties, "Description KmsKeyId SecretString")
    generate = properties.get("GenerateSecretString")
    if generate is not None:
        about["SecretString"] = _generated(client, generate)
    made = client("secretsmanager").create_secret(Name=properties.get("Name", name), **about)
    return Physical(made["ARN"], {"Id": made["ARN"]})


def _generated(client: Client, about: Mapping[str, Any]) -> str:
    template, key = about.get("SecretStringTemplate"), about.get("GenerateStringKey")
    options = {
        k: v for k, v in about.items() if k not in {"SecretStringTemplate", "GenerateStringKey"}
    }
    password = client("secretsmanager").get_random_password(**options)["RandomPassword"]
    return json.dumps({**json.loads(template), key: password}) if template else str(password)


def _parameter(client: Client, name: str, properties: Mapping[str, Any]) -> Physical:
    about = _given(properties, "AllowedPattern DataType Description Tier Type Value")
    name = properties.get("Name", name)
    client("ssm").put_parameter(Name=name, **about)
    return Physical(name, {"Type": about["Type"], "Value": about["Value"]})


# By the resource's type: given clients, the name that CloudFormation would make up, and resolved
# properties. What nobody reads here (tags, encryption, backups) is not passed on.
CREATORS: Mapping[str, Callable[[Client, str, Mapping[str, Any]], Physical]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::EventBus": _bus,
    "AWS::Events::Rule": _rule,
    "AWS::KMS::Key": _key,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SSM::Parameter": _parameter,
    "AWS::SecretsManager::Secret": _secret,
}
