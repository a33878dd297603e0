"""The Parameters and Secrets Lambda extension: secrets and parameters over HTTP, without boto3.

It runs beside the function and answers on localhost, once the function has been started:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from cdn.errors import UnavailableError

_TIMEOUT_S = 4
_OK = 200
_CURRENT = "AWSCURRENT"


@dataclass(frozen=True, slots=True)
class Extension:
    """
    Where it listens, and the token that it wants to see: the function's own session token.

    Attributes:
        port: 2773, unless PARAMETERS_SECRETS_EXTENSION_HTTP_PORT says otherwise.
    """

    port: int
    token: str

    def secret(self, secret_id: str) -> str:
        """
        Read the current version of a secret.

        Raises:
            UnavailableError: It cannot be read now, or what was read is not the current version.
        """
        path = "/secretsmanager/get"
        response = self._get(path, {"secretId": secret_id, "versionStage": _CURRENT})
        if _CURRENT not in response.get("VersionStages", ()) or "SecretString" not in response:
            raise UnavailableError("the secret", "no current version")
        text: str = response["SecretString"]
        return text

    def parameter(self, name: str) -> str:
        """
        Read a parameter of the Parameter Store.

        Raises:
            UnavailableError: It cannot be read now.
        """
        response = self._get("/systemsmanager/parameters/get", {"name": name})
        text: str = response["Parameter"]["Value"]
        return text

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        connection = HTTPConnection("localhost", self.port, timeout=_TIMEOUT_S)
        try:
            connection.request(
                "GET",
                f"{path}?{urlencode(query)}",
                headers={"X-Aws-Parameters-Secrets-Token": self.token},
            )
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as exc:
            raise UnavailableError(path, type(exc).__name__) from exc
        finally:
            connection.close()
        if response.status != _OK:
            # The body may tell of the caller's permissions: nobody's business.
            raise UnavailableError(path, f"status {response.status}")
        document: dict[str, Any] = json.loads(body)
        return document
