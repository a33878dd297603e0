"""One edge that stands for all: it serves distributions from a cache, as viewers see them."""

from local.edge.edge import Edge
from local.edge.hosts import Hosts, beside
from local.edge.origins import Origin, OriginRequest, OriginResponse, s3_objects
from local.edge.responses import EdgeResponse
from local.edge.server import EdgeServer

__all__ = [
    "Edge",
    "EdgeResponse",
    "EdgeServer",
    "Hosts",
    "Origin",
    "OriginRequest",
    "OriginResponse",
    "beside",
    "s3_objects",
]
