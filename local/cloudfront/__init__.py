"""A stand-in for one account's CloudFront: control plane only, statuses that take time, no I/O."""

from local.cloudfront.account import InvalidationRecord, Lags, Quotas
from local.cloudfront.core import CloudFront, DistributionView
from local.cloudfront.errors import ServiceError

__all__ = [
    "CloudFront",
    "DistributionView",
    "InvalidationRecord",
    "Lags",
    "Quotas",
    "ServiceError",
]
