"""The AWS services that are not CloudFront: moto, with the gaps mended that this suite meets."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, Self
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from moto.core.base_backend import BackendDict
from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser
from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sqs.models import sqs_backends
from werkzeug.serving import make_server

from local import dynamodb, function, kms_keys, queues, s3_events, secrets_manager
from local.patching import replaced

ACCOUNT, REGION = function.ACCOUNT, function.REGION
# The access key of whoever is not a function.
OUTSIDE = "AKIAOUTSIDE000000000"

# Moto is one process's memory and takes requests in threads: one at a time, or conditional writes
# to DynamoDB are no longer atomic and SQS loses what is sent while something is deleted.
LOCK = threading.RLock()


def session(*, access_key: str, region: str = REGION) -> boto3.Session:
    """
    Make a session that knows no setting of the machine: no profile, no variable, no file.

    Its clients speak to whatever endpoint they are given, and to no proxy.
    """
    unset = {
        name: (None, None, default, conversion)
        for name, (_, _, default, conversion) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
        if name not in {"config_file", "credentials_file", "s3", "proxies_config"}
    }
    nowhere = (None, None, os.devnull, None)
    core = botocore.session.Session(
        session_vars={**unset, "config_file": nowhere, "credentials_file": nowhere}
    )
    core.set_default_client_config(
        # botocore's stubs do not know that it can overlook AWS_ENDPOINT_URL.
        Config(proxies={}, ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]
    )
    return boto3.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key="local",
        region_name=region,
        botocore_session=core,
    )


def client(
    session: boto3.Session,
    service: str,
    *,
    endpoint_url: str | None = None,
    attempts: int | None = None,
) -> Any:  # noqa: ANN401
    """
    Make a client whose service is known only at run time, for which boto3 has no type.

    It tries each call as often as boto3 does, or *attempts* times.
    """
    make: Callable[..., Any] = session.client
    config = Config(retries={"total_max_attempts": attempts}) if attempts else None
    return make(service, endpoint_url=endpoint_url, config=config)


def _send_to_targets(rule: Rule, event: dict[str, Any], *_: Any, **__: Any) -> None:
    """
    Send *event* to the queues that *rule* names.

    Moto also sends from rules that are disabled or have only a schedule, leaves the account out,
    gives the time as a number, and parses eight JSONPaths an event.
    """
    # A rule without a pattern has a schedule, and matches nothing.
    if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
        return
    if not rule.event_pattern.matches_event(event):  # type: ignore[arg-type]
        return
    for target in rule.targets:
        service, queue_name = target["Arn"].split(":")[2], target["Arn"].rsplit(":", 1)[-1]
        # The suite's rules lead to queues. Other targets (a log group, a function) see nothing.
        if service == "sqs":
            sqs_backends[rule.account_id][rule.region_name].send_message(
                queue_name=queue_name,
                message_body=_input_for(target, event),
                group_id=target.get("SqsParameters", {}).get("MessageGroupId"),
            )


def _input_for(target: dict[str, Any], event: dict[str, Any]) -> str:
    if "Input" in target:
        return str(target["Input"])
    seen = {name: value for name, value in event.items() if name != "ingestion-time"}
    if isinstance(seen["time"], int | float):
        seen["time"] = f"{datetime.fromtimestamp(seen['time'], UTC):%Y-%m-%dT%H:%M:%SZ}"
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        seen["ingestion-time"] = seen["time"]
        seen = EventTemplateParser.parse(
            transformer.get("InputTemplate"),
            transformer.get("InputPathsMap", {}),
            seen,  # type: ignore[arg-type]
        )
    return json.dumps(seen, separators=(",", ":"))


def put_on_default_bus(event: dict[str, Any]) -> None:
    """Take *event* as AWS's own services give theirs: to the default bus of their region."""
    backend = events_backends[event["account"]][event["region"]]
    for rule in backend.event_buses["default"].rules.values():
        rule.send_to_targets(event)  # type: ignore[arg-type]


@contextmanager
def _unconfigured() -> Iterator[None]:
    """Hide the user's settings from moto, which makes sessions of its own to list regions."""
    before = dict(os.environ)
    for name in before:
        if name.upper().startswith(("AWS_", "BOTO_")) or name.upper().endswith("_PROXY"):
            del os.environ[name]
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    os.environ.update(nowhere)
    try:
        yield
    finally:
        for name in nowhere:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextmanager
def mended(*, seed: int = 0) -> Iterator[s3_events.Expire]:
    """
    Empty moto, mend it, and leave it as it was; *seed* decides its ids.

    Yields what lets an object of S3 expire.
    """
    BackendDict.reset()
    state = mock_random.getstate()
    mock_random.seed(seed)
    events = s3_events.Events(now=time.time, random=random.Random(seed))
    with ExitStack() as stack:
        stack.enter_context(_unconfigured())
        stack.enter_context(queues.mended())
        stack.enter_context(kms_keys.mended())
        stack.enter_context(dynamodb.mended())
        stack.enter_context(secrets_manager.mended())
        expire = stack.enter_context(s3_events.reported(events, report=put_on_default_bus))
        stack.enter_context(replaced(Rule, "send_to_targets", _send_to_targets))
        try:
            yield expire
        finally:
            mock_random.setstate(state)
            BackendDict.reset()


def queues_of_account() -> queues.Queues:
    return queues.Queues(account=ACCOUNT, region=REGION, lock=LOCK)


class _Handler(MotoRequestHandler):
    def connection_dropped(
        self, error: BaseException, environ: WSGIEnvironment | None = None
    ) -> None:
        # Raised by the fault layer, too: the caller then sees its connection end.
        del error, environ
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        # Nothing of the services is written to the terminal; what broke is kept.
        if type == "error":
            complaints: list[str] = getattr(self.server, "complaints", [])
            complaints.append(message % args if args else message)


class _Dispatcher(DomainDispatcherApplication):
    """Moto looks at 180 folders to learn whose each request is."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._backends: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:  # noqa: ANN401
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]


class Server:
    """moto behind HTTP on 127.0.0.1, at a port of its own."""

    def __init__(self, *, through: Callable[[WSGIApplication], WSGIApplication]) -> None:
        """Serve moto *through* a layer that may look at, refuse or cut off each request."""
        moto = _Dispatcher()

        def one_at_a_time(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            with LOCK:
                answer = moto(environ, start_response)
                try:
                    return list(answer)
                finally:
                    # Flask's answer lets go of the request's context when it is closed.
                    getattr(answer, "close", lambda: None)()

        self.complaints: list[str] = []
        self._http = make_server(
            "127.0.0.1", 0, through(one_at_a_time), threaded=True, request_handler=_Handler
        )
        self._http.complaints = self.complaints  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
