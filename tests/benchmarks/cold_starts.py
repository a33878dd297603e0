"""Fresh processes that sign once: the handler, and boto3's example."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class First:
    """A process's first signature; *loaded* is what it had of boto3 and botocore then."""

    cpu_s: float
    answer: Any
    loaded: list[str]


@contextmanager
def samplers(pem_file: Path) -> Iterator[dict[str, Sampler]]:
    """Start processes of the functions' own Python, whose bytecode the first one compiles."""
    expires_at_s = int(time.time()) + 3600
    with (
        material.extension("ECDSA-P256") as ecdsa,
        material.extension("RSA-2048") as rsa,
        material.secrets_manager("RSA-2048") as secrets_manager,
    ):
        yield {
            "first: handler, ECDSA": lambda: _handler_cpu_s(ecdsa),
            "first: handler, RSA": lambda: _handler_cpu_s(rsa),
            "first: boto3's example": lambda: (
                example("boto3_example", str(pem_file), signing.URL, expires_at_s).cpu_s
            ),
            "first: boto3's example, in a function": lambda: (
                example("boto3_function", secrets_manager, signing.URL, expires_at_s).cpu_s
            ),
        }


def handler(port: int) -> First:
    """Let the handler sign once, with what the extension at *port* gives it."""
    event = material.viewer().asks([material.new_url()])
    folders = [material.ROOT / "functions" / "sign_access", material.ROOT / "layers" / "cloudfront"]
    environment = {**material.SETTINGS, PORT: str(port)}
    return _first("app", "lambda_handler", event, None, folders=folders, environment=environment)


def example(module: str, *arguments: Any) -> First:
    """Let *module*, one of boto3's examples here, sign once."""
    name = f"tests.benchmarks.{module}"
    return _first(name, "sign", *arguments, folders=[material.ROOT], environment=_AWS)


def _handler_cpu_s(port: int) -> float:
    first = handler(port)
    if first.answer["statusCode"] != 200 or first.loaded:
        raise RuntimeError(f"no signature without boto3: {first}")
    return first.cpu_s


def _first(
    module: str,
    function: str,
    *arguments: Any,
    folders: list[Path],
    environment: dict[str, str],
) -> First:
    done = subprocess.run(
        [sandboxes.functions_python(), _SCRIPT, module, function],
        env={
            **{name: text for name, text in os.environ.items() if not name.startswith("AWS_")},
            **environment,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
        },
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} signs nothing: {done.stderr}")
    return First(**json.loads(done.stdout.splitlines()[-1]))
