"""CloudFront's operations and shapes, read from botocore's own model."""

from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel, StructureShape
from botocore.validate import ParamValidator

BAD_REQUEST = 400


@cache
def service() -> ServiceModel:
    return botocore.session.Session().get_service_model("cloudfront")


@cache
def operation(name: str) -> OperationModel:
    """Raise botocore's OperationNotFoundError for a name that the service does not have."""
    return service().operation_model(name)


@cache
def status_of(code: str) -> int:
    """Return with which HTTP status CloudFront answers an error code."""
    shapes = {shape.name: shape for shape in service().error_shapes}
    return int(shapes[code].metadata["error"]["httpStatusCode"]) if code in shapes else BAD_REQUEST


def complaints(parameters: dict[str, Any], operation_name: str) -> str:
    """Return what the model finds wrong with *parameters*, or an empty string."""
    shape = operation(operation_name).input_shape
    if shape is None:
        return ""
    return str(ParamValidator().validate(parameters, shape).generate_report())


@cache
def page_members(list_operation: str) -> tuple[str, frozenset[str]]:
    """Return the container in a list operation's answer, and the members that it may have."""
    output = operation(list_operation).output_shape
    if not isinstance(output, StructureShape):
        raise TypeError(list_operation)
    container = output.serialization["payload"]
    shape = output.members[container]
    if not isinstance(shape, StructureShape):
        raise TypeError(container)
    return container, frozenset(shape.members)


@cache
def location(create_operation: str) -> str:
    """Return under which URL, less the placeholders, the operation makes things."""
    uri = operation(create_operation).http["requestUri"].partition("?")[0]
    return f"https://cloudfront.amazonaws.com{uri}"
