"""CloudFront's error responses."""

from local.cloudfront import model


class ServiceError(Exception):
    """The HTTP status is the one that botocore's model gives the code, unless it is said."""

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or model.status_of(code)
