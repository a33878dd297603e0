"""What the toy's functions share, to show that a layer's folder is found."""

import os

import boto3


def add(name: str, number: int) -> None:
    boto3.client("dynamodb").update_item(
        TableName=os.environ["TABLE"],
        Key={"pk": {"S": name}},
        UpdateExpression="ADD n :n",
        ExpressionAttributeValues={":n": {"N": str(number)}},
    )
