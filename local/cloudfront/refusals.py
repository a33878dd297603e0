"""What CloudFront answers when it will not do what was asked."""

from local.cloudfront import model


class Refusal(Exception):  # noqa: N818 - an answer of the service, not a fault of ours
    """The HTTP status is the one that botocore's model gives the code, unless it is said."""

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or model.status_of(code)
