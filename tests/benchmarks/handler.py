"""The whole handler: verified claims, grants, keys, an audit line and a metric line a request."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from awslambdaric.bootstrap import Unbuffered

from cdn.access import claims, http, issuing
from functions.sign_access import app
from tests.benchmarks import material
from tests.benchmarks.timing import Sampler, each

BATCH = 100

Event = dict[str, Any]


@contextmanager
def samplers() -> Iterator[dict[str, Sampler]]:
    """Call the handler as a warm sandbox does; each URL is new unless the name says again."""
    viewer = material.viewer()
    again = material.new_url()
    with material.extension(material.secret("ECDSA-P256")) as port, material.settings(port), _log():
        yield {
            "handler: 1 URL": each(
                _open, _parsed(lambda: viewer.event([material.new_url()])), times=200
            ),
            "handler: 100 URLs": each(
                _open,
                _parsed(lambda: viewer.event([material.new_url() for _ in range(BATCH)])),
                times=4,
            ),
            "handler: 1 URL again": each(_open, _parsed(lambda: viewer.event([again])), times=400),
            "access: 1 URL again": _again(viewer, again),
        }


def _again(viewer: material.Viewer, url: str) -> Sampler:
    """Decide and sign as the handler does, without reading a request and writing what was done."""
    event = viewer.event([url])
    _open(event)
    context = app._sandbox().context(refresh=False)
    caller = issuing.Caller(
        claims.read(http.authorization(event), verified=http.verified_claims(event)),
        None,
        by_cloudfront=True,
    )
    return each(
        lambda request: issuing.sign_urls(context, caller, request),
        lambda: issuing.SigningRequest(json.loads(json.dumps([url]))),
        times=1000,
    )


def _open(event: Event) -> None:
    response = app.lambda_handler(event, None)
    if response["statusCode"] != 200:
        raise RuntimeError(f"nothing was signed: {response['body']}")


def _parsed(new_event: Callable[[], Event]) -> Callable[[], Event]:
    # As the runtime hands it over: no text in it has been hashed, or seen, before.
    return lambda: json.loads(json.dumps(new_event()))


@contextmanager
def _log() -> Iterator[None]:
    """Let what the handler prints go where it costs a system call and nothing more."""
    # Lambda's runtime writes all that is printed at once.
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(Unbuffered(nowhere)),
    ):
        yield
