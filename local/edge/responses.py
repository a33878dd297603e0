"""What a viewer gets."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EdgeResponse:
    """Names of headers are in lower case; of Set-Cookie there may be many, in *cookies*."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()
