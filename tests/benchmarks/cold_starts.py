"""Fresh processes that sign once: the handler, and boto3's example."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from local import sandboxes
from local.secrets_extension import PORT
from tests.benchmarks import material, signing
from tests.benchmarks.timing import Sampler

_SCRIPT = Path(__file__).with_name("first_signature.py")
_AWS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
}


SANDBOX = (
    material.ROOT / "functions" / "sign_access",
    material.ROOT / "layers" / "cloudfront",
)
"""Where the handler finds its modules."""


@dataclass(frozen=True, slots=True)
class First:
    """A process's first signature, and the *loaded* modules of boto3 and botocore."""

    cpu_s: float
    response: Any
    loaded: list[str]


@contextmanager
def samplers(pem_file: Path, *, bytecode: Path) -> Iterator[dict[str, Sampler]]:
    """Start processes of the functions' own Python, for which the first leave *bytecode*."""
    expires_at_s = int(time.time()) + 3600
    with (
        material.extension(material.secret("ECDSA-P256")) as ecdsa,
        material.extension(material.secret("RSA-2048")) as rsa,
        material.secrets_manager("RSA-2048") as secrets_manager,
    ):
        handler = partial(_handler_cpu_s, bytecode=bytecode)
        example = partial(_example_cpu_s, bytecode=bytecode)
        arguments = signing.URL, expires_at_s
        yield {
            "first: handler, ECDSA": lambda: handler(ecdsa),
            "first: handler, RSA": lambda: handler(rsa),
            "first: boto3's example": lambda: example("boto3_example", str(pem_file), *arguments),
            "first: boto3's example, in a function": lambda: example(
                "boto3_function", secrets_manager, *arguments
            ),
        }


def _handler_cpu_s(port: int, *, bytecode: Path) -> float:
    first = sign(
        "app",
        "lambda_handler",
        material.viewer().event([material.new_url()]),
        None,
        folders=SANDBOX,
        environment={**material.SETTINGS, PORT: str(port)},
        bytecode=bytecode,
    )
    if first.response["statusCode"] != 200 or first.loaded:
        raise RuntimeError(f"no signature without boto3: {first}")
    return first.cpu_s


def _example_cpu_s(module: str, *arguments: Any, bytecode: Path) -> float:
    name = f"tests.benchmarks.{module}"
    folders = [material.ROOT]
    first = sign(name, "sign", *arguments, folders=folders, environment=_AWS, bytecode=bytecode)
    return first.cpu_s


def sign(
    module: str,
    function: str,
    *arguments: Any,
    folders: Sequence[Path],
    environment: Mapping[str, str],
    bytecode: Path,
) -> First:
    """Call *function* in a new process that has *environment* alone."""
    done = subprocess.run(
        [sandboxes.functions_python(), _SCRIPT, module, function],
        env={
            **environment,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            # A layer's bytecode is made when it is built.
            "PYTHONPYCACHEPREFIX": str(bytecode),
        },
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} signs nothing: {done.stderr}")
    return First(**json.loads(done.stdout.splitlines()[-1]))
