"""CreateInvalidation, so that a repeated request is never paid for twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cdn.aws import retryable
from cdn.errors import TargetGoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_cloudfront import CloudFrontClient

    from cdn.cloudfront.targets import Target


def create(
    client: CloudFrontClient, *, target: Target, items: Sequence[str], caller_reference: str
) -> str:
    """
    Create an invalidation of *items*, and return its id.

    Args:
        caller_reference:
            The CallerReference, stored with *items* before this call. Made again with both
            unchanged, the call returns the first invalidation instead of buying another.

    Raises:
        TargetGoneError: The target does not exist.
        RetryLaterError: CloudFront is throttling, or has too many invalidations in progress.
    """
    with retryable.retry_later():
        try:
            response = client.create_invalidation(
                DistributionId=target.id,
                InvalidationBatch={
                    "Paths": {"Quantity": len(items), "Items": list(items)},
                    "CallerReference": caller_reference,
                },
            )
        except ClientError as exc:
            if _is_reference_conflict(exc.response) and (
                invalidation_id := _by_reference(client, target, caller_reference)
            ):
                return invalidation_id
            if retryable.error_code(exc.response) == "NoSuchDistribution":
                raise TargetGoneError(target.kind, target.id) from exc
            raise
    return response["Invalidation"]["Id"]


def may_refuse_one_item(response: Any) -> bool:  # noqa: ANN401  # botocore's response shape
    """
    Return whether CloudFront may have refused a request for one of its items; it never says which.

    >>> refused = {"Error": {"Code": "InvalidArgument", "Message": "invalid invalidation paths"}}
    >>> may_refuse_one_item(refused)
    True
    """
    code = retryable.error_code(response)
    return code in {"BatchTooLarge", "InvalidArgument"} and not _is_reference_conflict(response)


def _is_reference_conflict(response: Any) -> bool:  # noqa: ANN401  # botocore's response shape
    # The documented InvalidationBatchAlreadyExists is no modelled error; in the field the
    # code is InvalidArgument with a sentence: https://github.com/aws/aws-cdk/issues/3878
    code, message = retryable.error_code(response), response["Error"].get("Message", "")
    return code == "InvalidationBatchAlreadyExists" or (
        code == "InvalidArgument" and "caller reference" in message.lower()
    )


def _by_reference(client: CloudFrontClient, target: Target, caller_reference: str) -> str | None:
    # Summaries carry no reference. The one sought is recent and the list is newest first.
    page = client.list_invalidations(DistributionId=target.id)
    for summary in page["InvalidationList"].get("Items", ()):
        response = client.get_invalidation(DistributionId=target.id, Id=summary["Id"])
        if response["Invalidation"]["InvalidationBatch"]["CallerReference"] == caller_reference:
            return summary["Id"]
    return None
