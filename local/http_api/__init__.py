"""API Gateway's HTTP APIs: requests become events, and answers of functions responses."""

from local.http_api.front import HttpApis
from local.http_api.tokens import Fetch

__all__ = ["Fetch", "HttpApis"]
