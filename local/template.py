"""template.yaml becomes what runs: its resources in moto, its functions as values."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local import aws, role_policies
from local.alarms import Alarm
from local.cloudformation import Client, Physical, Stack, TemplateError
from local.custom_resources import CustomResources
from local.function import (
    ACCOUNT,
    REGION,
    Authorizer,
    Cors,
    Function,
    HttpApi,
    HttpRoute,
    QueueTrigger,
    ScheduleTrigger,
    Throttling,
)
from local.log_metrics import MetricFilter
from local.role_policies import PolicyError, Statement

# The translator takes code from S3 only, so folders go through it as keys of this bucket.
_HERE = "s3://here/"
_FUNCTION, _MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
_LAYER, _RULE = "AWS::Lambda::LayerVersion", "AWS::Events::Rule"
_SCHEDULE = "AWS::Scheduler::Schedule"
_ALARM, _METRIC_FILTER = "AWS::CloudWatch::Alarm", "AWS::Logs::MetricFilter"
_ROLE, _ROLE_POLICY = "AWS::IAM::Role", "AWS::IAM::RolePolicy"
_API, _STAGE = "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"
# In an API's OpenAPI document; other keys of a path are methods in lower case.
_ANY = "x-amazon-apigateway-any-method"
_INVOKED = re.compile(r"/functions/(?P<arn>arn:[^/]+)/invocations$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What became of a template; *absent* names the resources that were not created."""

    functions: tuple[Function, ...]
    apis: tuple[HttpApi, ...]
    alarms: tuple[Alarm, ...]
    metric_filters: tuple[MetricFilter, ...]
    outputs: Mapping[str, str]
    resources: Mapping[str, str]
    absent: tuple[str, ...]


def deploy(
    path: Path,
    *,
    parameters: Mapping[str, str],
    client: Client,
    custom: CustomResources,
    stack_name: str = "autopilot",
) -> Deployment:
    """
    Create the resources of the SAM template at *path*, and read what runs beside them.

    *client* makes the boto3 client of a service. *custom* asks functions for custom resources.

    Raises:
        TemplateError: The template cannot be deployed, or not here.
    """
    text = path.read_text(encoding="utf-8")
    values = _parameter_values(_declared(text), parameters)
    plain = json.loads(_translated(text, tuple(sorted(values.items()))))
    stack, folder = Stack(plain, values, stack_name, client), path.resolve().parent

    def make_custom(logical_id: str, kind: str, properties: Mapping[str, Any]) -> Physical:
        return custom.create(
            logical_id,
            stack_id=stack.stack_id,
            kind=kind,
            function=_serving(stack, logical_id, properties.get("ServiceToken"), folder=folder),
            properties=properties,
        )

    stack.make_custom = make_custom
    stack.create()
    functions = tuple(_functions(stack, folder=folder))
    return Deployment(
        functions=functions,
        apis=tuple(_apis(stack, {function.arn: function for function in functions})),
        alarms=tuple(
            Alarm.read(logical_id, stack.resolve({"Ref": logical_id}), about)
            for logical_id, about in _of(stack, _ALARM).items()
        ),
        metric_filters=tuple(
            MetricFilter.read(logical_id, about)
            for logical_id, about in _of(stack, _METRIC_FILTER).items()
        ),
        outputs=stack.outputs(),
        resources={logical_id: made.ref for logical_id, made in stack.made.items()},
        absent=tuple(sorted(set(plain["Resources"]) - set(stack.made))),
    )


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, and with dates left as text."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    value = str(node.value)
    return {name: value.split(".", 1) if suffix == "GetAtt" else value}


def _text(_loader: _Loader, node: yaml.Node) -> str:
    return str(node.value)


_Loader.add_multi_constructor("!", _short_form)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)


def _load(text: str) -> dict[str, Any]:
    template: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    return template


@lru_cache(maxsize=8)
def _declared(text: str) -> Mapping[str, Mapping[str, Any]]:
    declared: dict[str, Mapping[str, Any]] = _load(text).get("Parameters", {})
    return declared


def _parameter_values(
    declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]
) -> dict[str, str]:
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise TemplateError(f"no such parameter: {', '.join(unknown)}")
    values = {}
    for name, about in declared.items():
        if name not in given and "Default" not in about:
            raise TemplateError(f"parameter {name} has no default and was not given")
        values[name] = str(given.get(name, about.get("Default")))
        _check_parameter(name, values[name], about)
    return values


def _check_parameter(name: str, value: str, about: Mapping[str, Any]) -> None:
    for item in value.split(",") if _is_list(about) else [value]:
        pattern, allowed = about.get("AllowedPattern"), about.get("AllowedValues")
        fits = (
            (pattern is None or re.fullmatch(pattern, item) is not None)
            and (allowed is None or item in map(str, allowed))
            and len(item) >= int(about.get("MinLength", 0))
            and ("MinValue" not in about or float(item) >= float(about["MinValue"]))
            and ("MaxValue" not in about or float(item) <= float(about["MaxValue"]))
        )
        if not fits:
            wanted = about.get("ConstraintDescription", "")
            raise TemplateError(f"parameter {name} must not be {item!r}: {wanted}")


def _is_list(about: Mapping[str, Any]) -> bool:
    return str(about["Type"]).startswith(("CommaDelimitedList", "List<"))


@lru_cache(maxsize=8)
def _translated(text: str, values: tuple[tuple[str, str], ...]) -> str:
    template = _load(text)
    for section in [template.get("Globals", {}).get("Function", {})] + [
        resource.get("Properties", {}) for resource in template["Resources"].values()
    ]:
        for key in ("CodeUri", "ContentUri"):
            if isinstance(section.get(key), str):
                section[key] = _HERE + (PurePosixPath(section[key]).as_posix())
    session = aws.session(access_key="TEMPLATE")
    declared = template.get("Parameters", {})
    # SAM puts some values into the template by itself, and is given those of lists as lists.
    given = {
        name: value.split(",") if _is_list(declared[name]) else value for name, value in values
    }
    try:
        plain = Translator(None, Parser(), boto_session=session).translate(
            template, parameter_values=given, get_managed_policy_map=dict
        )
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(causes) from error
    return json.dumps(plain)


def _existing(stack: Stack, kind: str) -> list[str]:
    """Return the resources of one type that exist."""
    return [
        logical_id
        for logical_id, about in stack.plain["Resources"].items()
        if about["Type"] == kind and stack.exists(logical_id)
    ]


def _of(stack: Stack, kind: str) -> dict[str, Any]:
    """Return the properties of the resources of one type that exist."""
    return {logical_id: stack.properties(logical_id) for logical_id in _existing(stack, kind)}


def _functions(stack: Stack, *, folder: Path) -> Iterator[Function]:
    mappings = _of(stack, _MAPPING)
    schedules = _schedules(stack)
    for logical_id in _existing(stack, _FUNCTION):
        function = _function(stack, logical_id, folder=folder)
        yield replace(
            function,
            queues=tuple(
                _queue(name, mapping)
                for name, mapping in mappings.items()
                if mapping["FunctionName"] in {function.physical_name, function.arn}
                and mapping.get("Enabled", True)
            ),
            schedules=tuple(schedules[function.arn]),
        )


def _serving(stack: Stack, custom_id: str, token: Any, *, folder: Path) -> Function:  # noqa: ANN401
    """Find the function that serves a custom resource, before its triggers are there."""
    for logical_id in _existing(stack, _FUNCTION):
        if stack.resolve({"Fn::GetAtt": [logical_id, "Arn"]}) == token:
            return _function(stack, logical_id, folder=folder)
    raise TemplateError(f"{custom_id}: its ServiceToken is no function of this template")


def _function(stack: Stack, logical_id: str, *, folder: Path) -> Function:
    """Read a function without what invokes it."""
    about = stack.properties(logical_id)
    layers = {
        stack.resolve({"Ref": layer_id}): folder / layer["Content"]["S3Key"]
        for layer_id, layer in _of(stack, _LAYER).items()
    }
    uri = _uri(stack, logical_id)
    shared = Counter(_uri(stack, function).name for function in _existing(stack, _FUNCTION))
    return Function(
        # The folder's name is what people call a function, unless two share it.
        name=uri.name if shared[uri.name] == 1 else logical_id,
        logical_id=logical_id,
        physical_name=stack.resolve({"Ref": logical_id}),
        folder=folder / uri,
        handler=about["Handler"],
        timeout_s=int(about.get("Timeout", 3)),
        memory_mb=int(about.get("MemorySize", 128)),
        environment={
            name: _as_text(value)
            for name, value in about.get("Environment", {}).get("Variables", {}).items()
        },
        dead_letters=about.get("DeadLetterConfig", {}).get("TargetArn", ""),
        log_group=about.get("LoggingConfig", {}).get("LogGroup", ""),
        # A layer that is not this template's has no folder here. The suite needs just one.
        layers=tuple(layers[layer] for layer in about.get("Layers", []) if layer in layers),
        secrets_extension=not set(about.get("Layers", [])) <= set(layers),
        role=tuple(_statements(stack, about["Role"])),
    )


def _statements(stack: Stack, role_arn: str) -> Iterator[Statement]:
    """Read what the policies of a role say that it has by now."""
    role_name = role_arn.rsplit("/", 1)[-1]
    for logical_id in sorted(stack.reached):
        about = stack.plain["Resources"][logical_id]
        kind, properties = about["Type"], about.get("Properties", {})
        documents: list[Mapping[str, Any]] = []
        if kind == _ROLE and stack.resolve({"Ref": logical_id}) == role_name:
            policies = stack.resolve(properties.get("Policies", []))
            documents += [policy["PolicyDocument"] for policy in policies]
            documents += map(_managed, stack.resolve(properties.get("ManagedPolicyArns", [])))
        elif kind == _ROLE_POLICY and stack.resolve(properties["RoleName"]) == role_name:
            documents.append(stack.resolve(properties["PolicyDocument"]))
        for document in documents:
            try:
                yield from role_policies.read(document)
            except PolicyError as error:
                raise TemplateError(f"{logical_id}: {error}") from error


_LOGGING = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
# AWS's own policies, which SAM gives roles that it makes: their actions, on everything.
_MANAGED = {
    "AWSLambdaBasicExecutionRole": _LOGGING,
    "AWSLambdaSQSQueueExecutionRole": [
        *_LOGGING,
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    ],
}


def _managed(arn: str) -> Mapping[str, Any]:
    name = arn.rsplit("/", 1)[-1]
    if name not in _MANAGED:
        raise TemplateError(f"the managed policy {name} is not emulated")
    return {"Statement": {"Effect": "Allow", "Action": _MANAGED[name], "Resource": "*"}}


def _uri(stack: Stack, logical_id: str) -> PurePosixPath:
    return PurePosixPath(stack.plain["Resources"][logical_id]["Properties"]["Code"]["S3Key"])


def _as_text(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else str(value)


def _queue(name: str, mapping: Mapping[str, Any]) -> QueueTrigger:
    arn = mapping["EventSourceArn"]
    _, _, service, region, account, queue = arn.split(":", 5)
    unknown = {"FilterCriteria", "ProvisionedPollerConfig"} & mapping.keys()
    if service != "sqs" or unknown or int(mapping.get("MaximumBatchingWindowInSeconds", 0)):
        raise TemplateError(f"{name}: only plain SQS event sources are emulated, no windows")
    return QueueTrigger(
        url=f"https://sqs.{region}.amazonaws.com/{account}/{queue}",
        arn=arn,
        batch_size=int(mapping.get("BatchSize", 10)),
        report_batch_item_failures="ReportBatchItemFailures"
        in mapping.get("FunctionResponseTypes", []),
        # Lambda starts with five pollers, however many it may grow to.
        concurrency=min(5, int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 5))),
    )


def _schedules(stack: Stack) -> Mapping[str, list[ScheduleTrigger]]:
    """Return what is scheduled, by the ARN of the function that it invokes."""
    functions = {
        stack.resolve({"Fn::GetAtt": [logical_id, "Arn"]})
        for logical_id in _existing(stack, _FUNCTION)
    }
    triggers: defaultdict[str, list[ScheduleTrigger]] = defaultdict(list)
    for logical_id, about in (_of(stack, _RULE) | _of(stack, _SCHEDULE)).items():
        targets = about.get("Targets") or [about["Target"]]
        invoked = [target for target in targets if target["Arn"] in functions]
        expression = about.get("ScheduleExpression")
        if invoked and expression is None:
            raise TemplateError(f"{logical_id}: a rule's events reach queues only, not functions")
        if about.get("State", "ENABLED") == "ENABLED":
            for target in invoked:
                triggers[target["Arn"]].append(
                    ScheduleTrigger(
                        arn=f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{logical_id}",
                        expression=expression,
                        event=target.get("Input"),
                    )
                )
    return triggers


def _apis(stack: Stack, functions: Mapping[str, Function]) -> Iterator[HttpApi]:
    """Read the HTTP APIs from the OpenAPI documents that SAM makes; *functions* by their ARNs."""
    stages = list(_of(stack, _STAGE).values())
    for logical_id, about in _of(stack, _API).items():
        api_id = stack.resolve({"Ref": logical_id})
        own = [stage for stage in stages if stage["ApiId"] == api_id]
        if [stage["StageName"] for stage in own] != ["$default"] or "Body" not in about:
            raise TemplateError(f"{logical_id}: only SAM's HTTP APIs are emulated, at $default")
        body = about["Body"]
        schemes = body.get("components", {}).get("securitySchemes", {})
        authorizers = {
            name: _authorizer(name, scheme.get("x-amazon-apigateway-authorizer", {}))
            for name, scheme in schemes.items()
        }
        yield HttpApi(
            logical_id=logical_id,
            api_id=api_id,
            routes=tuple(
                _throttled(route, own[0])
                for path, methods in body["paths"].items()
                for route in (
                    _route(path, method, about, authorizers=authorizers, functions=functions)
                    for method, about in methods.items()
                )
            ),
            cors=_cors(body.get("x-amazon-apigateway-cors")),
        )


def _throttled(route: HttpRoute, stage: Mapping[str, Any]) -> HttpRoute:
    """Give a route the limits of its own settings, or else of its stage."""
    settings = stage.get("RouteSettings", {}).get(route.key, {})
    settings = {**stage.get("DefaultRouteSettings", {}), **settings}
    if "ThrottlingRateLimit" not in settings:
        return route
    return replace(
        route,
        throttling=Throttling(
            rate_per_s=float(settings["ThrottlingRateLimit"]),
            burst=int(settings["ThrottlingBurstLimit"]),
        ),
    )


def _authorizer(name: str, about: Mapping[str, Any]) -> Authorizer:
    source = about.get("identitySource", "")
    if about.get("type") != "jwt" or not re.fullmatch(_IDENTITY_SOURCE, source):
        raise TemplateError(f"{name}: only JWT authorizers are emulated, with one identity source")
    return Authorizer(
        issuer=about["jwtConfiguration"]["issuer"],
        audience=tuple(about["jwtConfiguration"]["audience"]),
        identity_source=source,
    )


_IDENTITY_SOURCE = r"\$request\.(header|querystring)\.[^.]+"


def _route(
    path: str,
    method: str,
    about: Mapping[str, Any],
    *,
    authorizers: Mapping[str, Authorizer],
    functions: Mapping[str, Function],
) -> HttpRoute:
    key = path if path == "$default" else f"{'ANY' if method == _ANY else method.upper()} {path}"
    integration = about.get("x-amazon-apigateway-integration", {})
    invoked = _INVOKED.search(str(integration.get("uri")))
    function = functions.get(invoked["arn"]) if invoked else None
    if function is None or integration.get("payloadFormatVersion") != "2.0":
        raise TemplateError(f"{key}: only functions are emulated, with payload format 2.0")
    # Each is a mapping of one authorizer's name to scopes.
    ((name, scopes),) = (about.get("security") or [{"NONE": []}])[0].items()
    if name != "NONE" and name not in authorizers:
        raise TemplateError(f"{key}: there is no authorizer {name} here")
    return HttpRoute(
        key=key,
        function=function,
        authorizer=authorizers.get(name),
        scopes=tuple(scopes),
    )


def _cors(about: Mapping[str, Any] | None) -> Cors | None:
    if about is None:
        return None
    return Cors(
        allow_origins=tuple(about.get("allowOrigins", [])),
        allow_methods=tuple(about.get("allowMethods", [])),
        allow_headers=tuple(about.get("allowHeaders", [])),
        expose_headers=tuple(about.get("exposeHeaders", [])),
        allow_credentials=bool(about.get("allowCredentials", False)),
        max_age_s=about.get("maxAge"),
    )
