"""template.yaml becomes what runs: its resources in moto, its functions as values."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml
from moto.cloudformation.parsing import get_model_map
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local import aws
from local.function import Function, QueueTrigger, ScheduleTrigger

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# What moto would create but not run, or what would take time and serve nothing here.
_NOT_CREATED = ("AWS::Lambda::", "AWS::Logs::", "AWS::ApiGateway::", "AWS::IAM::")
# The translator takes code from S3 only, so folders go through it as keys of this bucket.
_HERE = "s3://here/"
_FUNCTION, _MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
_LAYER, _RULE = "AWS::Lambda::LayerVersion", "AWS::Events::Rule"
_SCHEDULE = "AWS::Scheduler::Schedule"


class TemplateError(Exception):
    """The template says what cannot be deployed, or not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What became of a template; *absent* names the resources that were not created."""

    functions: tuple[Function, ...]
    outputs: Mapping[str, str]
    resources: Mapping[str, str]
    absent: tuple[str, ...]


def deploy(
    path: Path,
    *,
    parameters: Mapping[str, str],
    client: CloudFormationClient,
    stack_name: str = "autopilot",
) -> Deployment:
    """Create the resources of the SAM template at *path*, and read what runs beside them."""
    text = path.read_text(encoding="utf-8")
    values = _parameter_values(_declared(text), parameters)
    plain = json.loads(_translated(text, tuple(sorted(values.items()))))
    return _deployed(
        plain, values=values, client=client, folder=path.resolve().parent, stack_name=stack_name
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
    many = str(about["Type"]).startswith(("CommaDelimitedList", "List<"))
    for item in value.split(",") if many else [value]:
        pattern, allowed = about.get("AllowedPattern"), about.get("AllowedValues")
        fits = (
            (pattern is None or re.fullmatch(pattern, item) is not None)
            and (allowed is None or item in map(str, allowed))
            and len(item) >= int(about.get("MinLength", 0))
            and ("MinValue" not in about or float(item) >= float(about["MinValue"]))
            and ("MaxValue" not in about or float(item) <= float(about["MaxValue"]))
        )
        if not fits:
            raise TemplateError(f"parameter {name} must not be {item!r}")


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
    try:
        plain = Translator(None, Parser(), boto_session=session).translate(
            template, parameter_values=dict(values), get_managed_policy_map=dict
        )
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(causes) from error
    return json.dumps(plain)


def _deployed(
    plain: dict[str, Any],
    *,
    values: Mapping[str, str],
    client: CloudFormationClient,
    folder: Path,
    stack_name: str,
) -> Deployment:
    resources: dict[str, Any] = plain["Resources"]
    absent = {name for name, about in resources.items() if not _creatable(about["Type"])}
    stand_ins = {name: _stand_in(name, resources[name], stack_name) for name in absent}
    plain = _replaced(plain, stand_ins)
    kept = {name: about for name, about in plain["Resources"].items() if name not in absent}
    for about in kept.values():
        after = about.pop("DependsOn", [])
        about["DependsOn"] = [
            name for name in ([after] if isinstance(after, str) else after) if name in kept
        ]

    # moto resolves references in outputs only for what it creates: so it resolves the rest there.
    read = {
        name: _where_condition_holds(about)
        for name, about in plain["Resources"].items()
        if about["Type"] in {_FUNCTION, _MAPPING, _RULE, _SCHEDULE}
    }
    own = plain.get("Outputs", {})
    client.create_stack(
        StackName=stack_name,
        TemplateBody=json.dumps(
            {
                **plain,
                "Resources": kept,
                "Outputs": {**own, "LocalRead": {"Value": {"Fn::ToJsonString": read}}},
            }
        ),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in values.items()
        ],
    )
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in client.describe_stacks(StackName=stack_name)["Stacks"][0]["Outputs"]
    }
    created = client.describe_stack_resources(StackName=stack_name)["StackResources"]
    return Deployment(
        functions=tuple(
            _functions(
                json.loads(outputs.pop("LocalRead")),
                layers=_layer_folders(resources, stand_ins, folder),
                stand_ins=stand_ins,
                folder=folder,
            )
        ),
        outputs=outputs,
        resources={r["LogicalResourceId"]: r["PhysicalResourceId"] for r in created},
        absent=tuple(sorted(absent)),
    )


def _creatable(kind: str) -> bool:
    return kind in get_model_map() and not kind.startswith(_NOT_CREATED)


@dataclass(frozen=True, slots=True)
class _StandIn:
    """What references to a resource that is not created give."""

    ref: str
    arn: str

    def attribute(self, name: str) -> str:
        return self.arn if name.endswith("Arn") else f"{self.ref}-{name}"


def _stand_in(name: str, about: Mapping[str, Any], stack_name: str) -> _StandIn:
    kind = about["Type"]
    properties = about.get("Properties", {})
    service = kind.split("::")[1].lower()
    named = next(
        (
            value
            for key, value in properties.items()
            if key in {"FunctionName", "LayerName", "LogGroupName", "Name"}
            and isinstance(value, str)
        ),
        f"{stack_name}-{name}",
    )
    resource = {_FUNCTION: f"function:{named}", _LAYER: f"layer:{named}:1"}.get(kind, named)
    arn = f"arn:aws:{service}:{aws.REGION}:{aws.ACCOUNT}:{resource}"
    return _StandIn(ref=arn if kind == _LAYER else named, arn=arn)


def _replaced(node: Any, stand_ins: Mapping[str, _StandIn]) -> Any:  # noqa: ANN401
    """Put the stand-ins where *node* refers to what is not created."""
    result = node
    match node:
        case {"Ref": str(name)} if name in stand_ins:
            result = stand_ins[name].ref
        case {"Fn::GetAtt": [str(name), str(attribute)]} if name in stand_ins:
            result = stand_ins[name].attribute(attribute)
        case {"Fn::Sub": str(text)}:
            result = {"Fn::Sub": _sub(text, stand_ins)}
        case {"Fn::Sub": [str(text), mappings]}:
            result = {"Fn::Sub": [_sub(text, stand_ins), _replaced(mappings, stand_ins)]}
        case dict():
            result = {key: _replaced(value, stand_ins) for key, value in node.items()}
        case list():
            result = [_replaced(value, stand_ins) for value in node]
    return result


def _sub(text: str, stand_ins: Mapping[str, _StandIn]) -> str:
    def put(found: re.Match[str]) -> str:
        stand_in = stand_ins.get(found["name"])
        if stand_in is None:
            return found[0]
        return stand_in.attribute(found["attribute"]) if found["attribute"] else stand_in.ref

    return re.sub(r"\$\{(?P<name>\w+)(?:\.(?P<attribute>[\w.]+))?\}", put, text)


def _where_condition_holds(about: Mapping[str, Any]) -> Any:  # noqa: ANN401
    whole = {"Type": about["Type"], "Properties": about.get("Properties", {})}
    if "Condition" not in about:
        return whole
    return {"Fn::If": [about["Condition"], whole, {"Ref": "AWS::NoValue"}]}


def _layer_folders(
    resources: Mapping[str, Any], stand_ins: Mapping[str, _StandIn], folder: Path
) -> dict[str, Path]:
    return {
        stand_ins[name].ref: folder / about["Properties"]["Content"]["S3Key"]
        for name, about in resources.items()
        if about["Type"] == _LAYER
    }


def _functions(
    read: Mapping[str, Any],
    *,
    layers: Mapping[str, Path],
    stand_ins: Mapping[str, _StandIn],
    folder: Path,
) -> Iterator[Function]:
    described = {name: r["Properties"] for name, r in read.items() if r["Type"] == _FUNCTION}
    uris = {name: PurePosixPath(about["Code"]["S3Key"]) for name, about in described.items()}
    shared = Counter(uri.name for uri in uris.values())
    for logical_id, about in described.items():
        uri = uris[logical_id]
        physical_name = stand_ins[logical_id].ref
        yield Function(
            # The folder's name is what people call a function, unless two share it.
            name=uri.name if shared[uri.name] == 1 else logical_id,
            logical_id=logical_id,
            physical_name=physical_name,
            folder=folder / uri,
            handler=about["Handler"],
            timeout_s=int(about.get("Timeout", 3)),
            memory_mb=int(about.get("MemorySize", 128)),
            environment={
                name: _as_text(value)
                for name, value in about.get("Environment", {}).get("Variables", {}).items()
            },
            # A layer that is another stack's has no folder here.
            layers=tuple(layers[arn] for arn in about.get("Layers", []) if arn in layers),
            queues=tuple(_queues(read, stand_ins[logical_id])),
            schedules=tuple(_schedules(read, stand_ins)[stand_ins[logical_id].arn]),
        )


def _as_text(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else str(value)


def _queues(read: Mapping[str, Any], function: _StandIn) -> Iterator[QueueTrigger]:
    for name, about in read.items():
        properties = about["Properties"]
        if about["Type"] != _MAPPING or properties["FunctionName"] not in {
            function.ref,
            function.arn,
        }:
            continue
        arn = properties["EventSourceArn"]
        _, _, service, region, account, queue = arn.split(":", 5)
        unknown = {"FilterCriteria", "ProvisionedPollerConfig"} & properties.keys()
        if service != "sqs" or unknown or int(properties.get("MaximumBatchingWindowInSeconds", 0)):
            raise TemplateError(f"{name}: only plain SQS event sources are emulated, no windows")
        if not properties.get("Enabled", True):
            continue
        scaling = properties.get("ScalingConfig", {})
        yield QueueTrigger(
            url=f"https://sqs.{region}.amazonaws.com/{account}/{queue}",
            arn=arn,
            batch_size=int(properties.get("BatchSize", 10)),
            report_batch_item_failures="ReportBatchItemFailures"
            in properties.get("FunctionResponseTypes", []),
            # Lambda starts with five pollers, however many it may grow to.
            concurrency=min(5, int(scaling.get("MaximumConcurrency", 5))),
        )


def _schedules(
    read: Mapping[str, Any], stand_ins: Mapping[str, _StandIn]
) -> Mapping[str, list[ScheduleTrigger]]:
    """Tell what is scheduled, by the ARN of the function that it rings."""
    functions = {stand_in.arn for stand_in in stand_ins.values()}
    found: defaultdict[str, list[ScheduleTrigger]] = defaultdict(list)
    for name, about in read.items():
        properties = about["Properties"]
        if about["Type"] == _RULE:
            targets = properties.get("Targets", [])
        elif about["Type"] == _SCHEDULE:
            targets = [properties["Target"]]
        else:
            continue
        rung = [target for target in targets if target["Arn"] in functions]
        expression = properties.get("ScheduleExpression")
        if rung and expression is None:
            raise TemplateError(f"{name}: a rule's events reach queues only, not functions")
        if properties.get("State", "ENABLED") == "ENABLED":
            for target in rung:
                found[target["Arn"]].append(
                    ScheduleTrigger(
                        arn=f"arn:aws:events:{aws.REGION}:{aws.ACCOUNT}:rule/{name}",
                        expression=expression,
                        event=target.get("Input"),
                    )
                )
    return found
