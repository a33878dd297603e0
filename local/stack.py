"""The stack of template.yaml on this machine: whole and in processes, or inline for tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from moto import mock_aws

from local import aws, inprocess, template
from local.alarms import Change
from local.authorization import Authorization
from local.cloudfront import CloudFront, Lags, Quotas, doors
from local.cloudwatch import CloudWatch
from local.custom_resources import CustomResources
from local.edge import Edge, EdgeServer, beside, s3_objects
from local.faults import Faults
from local.function import Function, Outcome
from local.http_api import Fetch, HttpApis
from local.loopback import Answer, Server
from local.pollers import Delivery, Pollers
from local.sandboxes import Sandboxes, functions_python
from local.template import Deployment
from local.virtual_time import VirtualTime
from local.world import Recorder, World

# Requests beyond that wait for each other.
_MAX_REQUESTS_PER_ROUTE = 5
# An inline stack starts at the same moment each time.
_INLINE_START = datetime(2026, 11, 22, 8, tzinfo=UTC)


def _nothing(_url: str) -> None:
    """Know no issuer of tokens."""


@contextmanager
def embedded(
    path: Path,
    *,
    parameters: Mapping[str, str],
    python: Path | None = None,
    delivery: Delivery | None = None,
    lags: Lags | None = None,
    quotas: Quotas | None = None,
    fetch: Fetch = _nothing,
    start: datetime | None = None,
    seed: int = 0,
) -> Iterator[World]:
    """
    Run the template at *path* whole: AWS behind HTTP, each function in processes of its own.

    *fetch* gives the documents of those who issue tokens for HTTP APIs, by their URLs.
    *python* runs the functions: by default what FUNCTIONS_PYTHON names, or the environment that
    `make` installs for them. Everything listens on 127.0.0.1, and ends with this process.

    Raises:
        MissingPermissionsError: At the end, if roles did not allow what their functions asked for.
    """
    with ExitStack() as stack:
        virtual_time = stack.enter_context(VirtualTime(start))
        expire = stack.enter_context(aws.mended(seed=seed))
        faults, callers, authorization = Faults(), _Callers(), Authorization()
        chance = random.Random(seed)
        cloudfront = CloudFront(now=virtual_time.now, random=chance, lags=lags, quotas=quotas)
        stack.callback(doors.mount_on_moto(cloudfront))
        server = stack.enter_context(
            aws.Server(
                through=lambda moto: faults.wsgi(
                    authorization.wsgi(moto, function_of=callers.function),
                    caller_of=callers.name,
                    kill=callers.kill,
                )
            )
        )
        outside = aws.session(access_key=aws.OUTSIDE)

        @cache
        def client(service: str) -> Any:  # noqa: ANN401
            return aws.client(outside, service, endpoint_url=server.url)

        hosts: dict[str, Answer] = {}
        origin = beside(s3_objects(client("s3")), hosts)
        edge = Edge(cloudfront, origin=origin, now=virtual_time.now)
        edge_server = stack.enter_context(EdgeServer(edge, hosts=hosts))
        cloudwatch = _cloudwatch(virtual_time, client)
        sandboxes = stack.enter_context(
            Sandboxes(
                python=python or functions_python(),
                endpoint_url=server.url,
                now=virtual_time.now,
                random=chance,
                wrote=cloudwatch.wrote,
                # Every https host is the edge.
                outside={
                    "HTTPS_PROXY": edge_server.url,
                    "SSL_CERT_FILE": str(edge_server.authority_path),
                },
            )
        )
        callers.sandboxes = sandboxes
        recorder = Recorder(virtual_time=virtual_time, cloudwatch=cloudwatch)
        call = recorder.noted(sandboxes.invoke)
        custom = CustomResources(call=call, wait=virtual_time.advance, random=chance)
        deployment = template.deploy(path, parameters=parameters, client=client, custom=custom)
        authorization.check_lambda(deployment.functions)
        faults.restart()
        recorder.invocations.clear()
        cloudwatch.watch(deployment)
        threads = ThreadPoolExecutor(max_workers=_max_concurrency(deployment))
        stack.callback(threads.shutdown)

        def invoke(function: Function, event: Mapping[str, Any]) -> Future[Outcome]:
            return threads.submit(sandboxes.invoke, function, event)

        apis = HttpApis(
            deployment.apis,
            invoke=recorder.recorded(invoke),
            now=virtual_time.now,
            fetch=fetch,
            random=chance,
        )
        hosts |= {api.host: partial(apis.handle, host=api.host) for api in deployment.apis}
        yield World(
            virtual_time=virtual_time,
            cloudfront=cloudfront,
            edge=edge,
            hosts=hosts,
            apis=apis,
            api_urls={
                api.logical_id: stack.enter_context(Server(partial(apis.handle, host=api.host))).url
                for api in deployment.apis
            },
            faults=faults,
            authorization=authorization,
            deployment=deployment,
            pollers=Pollers(
                deployment.functions,
                queues=aws.queues_of_account(),
                invoke=recorder.recorded(invoke),
                now=virtual_time.now,
                delivery=delivery,
                random=chance,
            ),
            call=call,
            custom_resources=custom,
            invocations=recorder.invocations,
            stopped=recorder.stopped,
            client=client,
            expire=expire,
            logs=sandboxes.logs,
            cloudwatch=cloudwatch,
            aws_url=server.url,
            edge_url=edge_server.url,
            edge_authority=edge_server.authority_path,
            edge_pin=edge_server.issuer_pin,
            processes=sandboxes.processes,
        )
        authorization.check_refused()


@contextmanager
def inline(
    path: Path,
    *,
    parameters: Mapping[str, str],
    handlers: Mapping[str, inprocess.Handler],
    delivery: Delivery | None = None,
    lags: Lags | None = None,
    quotas: Quotas | None = None,
    fetch: Fetch = _nothing,
    start: datetime = _INLINE_START,
    seed: int = 0,
) -> Iterator[World]:
    """
    Run the template at *path* in this thread alone: *handlers* by the functions' names.

    *fetch* gives the documents of those who issue tokens for HTTP APIs, by their URLs.

    Everything is the same at each run with the same *seed*: time moves a millisecond with
    each call to AWS, by what is slept, and by the jumps of `run`, but not by itself.

    Raises:
        MissingPermissionsError: At the end, if roles did not allow what their functions asked for.
    """
    with ExitStack() as stack:
        virtual_time = stack.enter_context(VirtualTime(start, ticking=False))
        stack.enter_context(virtual_time.sleeping_jumps())
        stack.enter_context(mock_aws())
        expire = stack.enter_context(aws.mended(seed=seed))
        faults, authorization = Faults(), Authorization()
        chance = random.Random(seed)
        cloudfront = CloudFront(now=virtual_time.now, random=chance, lags=lags, quotas=quotas)
        stack.enter_context(
            inprocess.connected(
                faults=faults,
                cloudfront=cloudfront,
                virtual_time=virtual_time,
                authorization=authorization,
            )
        )
        client = inprocess.client
        cloudwatch = _cloudwatch(virtual_time, client)
        functions = inprocess.InProcess(
            handlers, virtual_time=virtual_time, random=chance, wrote=cloudwatch.wrote
        )
        stack.enter_context(functions.extended())
        recorder = Recorder(virtual_time=virtual_time, cloudwatch=cloudwatch)
        call = recorder.noted(functions.call)
        custom = CustomResources(call=call, wait=virtual_time.advance, random=chance)
        deployment = template.deploy(path, parameters=parameters, client=client, custom=custom)
        functions.check(deployment.functions)
        authorization.check_lambda(deployment.functions)
        faults.restart()
        recorder.invocations.clear()
        cloudwatch.watch(deployment)
        apis = HttpApis(
            deployment.apis,
            invoke=recorder.recorded(functions.invoke),
            now=virtual_time.now,
            fetch=fetch,
            random=chance,
        )
        hosts: dict[str, Answer] = {
            api.host: partial(apis.handle, host=api.host) for api in deployment.apis
        }
        origin = beside(s3_objects(client("s3")), hosts)
        yield World(
            virtual_time=virtual_time,
            cloudfront=cloudfront,
            apis=apis,
            edge=Edge(cloudfront, origin=origin, now=virtual_time.now),
            hosts=hosts,
            faults=faults,
            authorization=authorization,
            deployment=deployment,
            pollers=Pollers(
                deployment.functions,
                queues=aws.queues_of_account(),
                invoke=recorder.recorded(functions.invoke),
                now=virtual_time.now,
                delivery=delivery,
                random=chance,
            ),
            call=call,
            custom_resources=custom,
            invocations=recorder.invocations,
            stopped=recorder.stopped,
            client=client,
            expire=expire,
            logs=functions.logs,
            cloudwatch=cloudwatch,
        )
        authorization.check_refused()


def _cloudwatch(virtual_time: VirtualTime, client: Callable[[str], Any]) -> CloudWatch:
    def tell(change: Change, topic: str) -> None:
        client("sns").publish(TopicArn=topic, Subject=change.subject, Message=change.message)

    return CloudWatch(queues=aws.queues_of_account(), now=virtual_time.now, tell=tell)


@dataclass(slots=True)
class _Callers:
    """Who calls, by the access key; the requests of the deployment come before any function."""

    sandboxes: Sandboxes | None = None

    def name(self, access_key: str) -> str:
        function = self.function(access_key)
        return function.name if function else "outside"

    def function(self, access_key: str) -> Function | None:
        return self.sandboxes.owner(access_key) if self.sandboxes else None

    def kill(self, access_key: str) -> None:
        if self.sandboxes:
            self.sandboxes.kill(access_key)


def _max_concurrency(deployment: Deployment) -> int:
    """Count the pollers, one scheduled invocation for each function, and requests to each route."""
    requests = sum(_MAX_REQUESTS_PER_ROUTE * len(api.routes) for api in deployment.apis)
    return requests + sum(1 + sum(q.concurrency for q in f.queues) for f in deployment.functions)
