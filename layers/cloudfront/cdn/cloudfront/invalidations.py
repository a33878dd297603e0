"""CreateInvalidation, so that a repeated request is never paid for twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cdn.aws import busy, retryable
from cdn.errors import TargetGoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_cloudfront import CloudFrontClient


def create(
    client: CloudFrontClient, *, distribution_id: str, items: Sequence[str], reference: str
) -> str:
    """
    Ask CloudFront to forget *items*, and name the invalidation that does it.

    Args:
        reference:
            The CallerReference, stored with *items* before this call. Made again with both
            unchanged, the call returns the first invalidation instead of buying another.

    Raises:
        TargetGoneError: The distribution does not exist.
        RetryLaterError: CloudFront is busy, or has too many invalidations in progress.
    """
    with busy.told():
        try:
            answer = client.create_invalidation(
                DistributionId=distribution_id,
                InvalidationBatch={
                    "Paths": {"Quantity": len(items), "Items": list(items)},
                    "CallerReference": reference,
                },
            )
        except ClientError as exc:
            if _reference_was_used(exc.response) and (
                found := _by_reference(client, distribution_id, reference)
            ):
                return found
            if retryable.code(exc.response) == "NoSuchDistribution":
                raise TargetGoneError(distribution_id) from exc
            raise
    return answer["Invalidation"]["Id"]


def _reference_was_used(refusal: Any) -> bool:  # noqa: ANN401  # botocore's response shape
    # The documented InvalidationBatchAlreadyExists is no modelled error; in the field the
    # code is InvalidArgument with a sentence: https://github.com/aws/aws-cdk/issues/3878
    name, message = retryable.code(refusal), refusal["Error"].get("Message", "")
    return name == "InvalidationBatchAlreadyExists" or (
        name == "InvalidArgument" and "caller reference" in message.lower()
    )


def _by_reference(client: CloudFrontClient, distribution_id: str, reference: str) -> str | None:
    # Summaries carry no reference. The one sought is recent and the list is newest first.
    page = client.list_invalidations(DistributionId=distribution_id)
    for summary in page["InvalidationList"].get("Items", ()):
        found = client.get_invalidation(DistributionId=distribution_id, Id=summary["Id"])
        if found["Invalidation"]["InvalidationBatch"]["CallerReference"] == reference:
            return summary["Id"]
    return None
