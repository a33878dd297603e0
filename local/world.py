"""A running stack and everything outside of it that it meets, driven by whoever holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from local.authorization import Authorization
from local.cloudformation import Physical
from local.cloudfront import CloudFront
from local.cloudwatch import CloudWatch
from local.custom_resources import Call, CustomResources
from local.edge import Edge
from local.faults import Faults
from local.function import Function, Outcome
from local.http_api import HttpApis
from local.loopback import Answer
from local.pollers import Delivery, Invoke, Pollers
from local.s3_events import Expire
from local.template import Deployment
from local.virtual_time import VirtualTime

# SQS shows a message after its moment, not at it.
_JUST_AFTER_S = 0.001
_THROTTLED = Outcome(error="TooManyRequestsException: Rate Exceeded.", throttled=True)


class UnknownFunctionError(Exception):
    """The template has no function of this name."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of a function that has ended."""

    function: str
    began_at: float
    event: Mapping[str, Any]
    outcome: Outcome


@dataclass(slots=True, kw_only=True)
class World:
    """
    What runs, and what is outside of it.

    Attributes:
        client:
            Makes boto3 clients of the world outside, by the service's name.
        expire:
            Deletes an object of a bucket as a lifecycle rule does.
        logs:
            Gives what a function wrote, by its name.
        cloudwatch:
            The metrics of what happens, and the states of the template's alarms.
        invocations:
            Since the deployment, in the order of their ends.
        stopped:
            The names of functions whose reserved concurrency somebody has set to 0: Lambda
            throttles all of their invocations.
        call:
            Runs a function once, and notes it.
        custom_resources:
            Those of the template.
        authorization:
            Refuses what the functions' roles do not allow, and notes what they did.
        apis:
            Answers requests to the stack's HTTP APIs, each at once and in the caller's thread.
        hosts:
            Who answers, beside the distributions, for other hosts: the HTTP APIs, and whatever is
            added to them. A distribution may have each as a custom origin.
        edge_url:
            Where the edge listens, and is the proxy to every https host; empty for an inline
            stack, whose edge is asked directly.
        edge_authority:
            The file of what a viewer must trust to speak https with the edge.
        edge_pin:
            The same for Chromium (`--ignore-certificate-errors-spki-list=PIN`).
        aws_url:
            Where AWS listens; empty for an inline stack.
        api_urls:
            Where each HTTP API listens, by its logical id; empty for an inline stack.
        processes:
            Names the functions' processes that run now, by their ids.

    """

    virtual_time: VirtualTime
    cloudfront: CloudFront
    edge: Edge
    hosts: MutableMapping[str, Answer]
    faults: Faults
    authorization: Authorization
    deployment: Deployment
    pollers: Pollers
    apis: HttpApis
    call: Call
    custom_resources: CustomResources
    invocations: list[Invocation]
    stopped: set[str]
    client: Callable[[str], Any]
    expire: Expire
    logs: Callable[[str], list[str]]
    cloudwatch: CloudWatch
    edge_url: str = ""
    edge_authority: Path | None = None
    edge_pin: str = ""
    aws_url: str = ""
    api_urls: Mapping[str, str] = field(default_factory=dict)
    processes: Callable[[], list[int]] = list

    @property
    def outputs(self) -> Mapping[str, str]:
        return self.deployment.outputs

    @property
    def delivery(self) -> Delivery:
        return self.pollers.delivery

    @delivery.setter
    def delivery(self, delivery: Delivery) -> None:
        self.pollers.delivery = delivery

    def run(self, *, until: Callable[[], bool] | None = None, limit_s: float = 300) -> bool:
        """
        Drive the stack until *until* holds or *limit_s* virtual seconds have passed.

        Returns whether it holds. Only here is anything delivered, and does virtual time jump: when
        nothing can be received and no function runs. On return no function runs, but for what
        somebody asks an HTTP API meanwhile.

        Raises:
            BrokenFunctionError: A function cannot start; said once for each.

        """
        deadline = self.virtual_time.now() + limit_s
        while True:
            if until is not None and until():
                self._await_running()
                return True
            if self.virtual_time.now() >= deadline:
                self._await_running()
                return until is not None and until()
            self.pollers.start()
            running = [*self.pollers.in_flight, *self.apis.in_flight]
            if running:
                self._finish(wait(running, return_when=FIRST_COMPLETED).done)
            else:
                self._jump(deadline)

    def settle(self, *, limit_s: float = 3600) -> bool:
        """Drive the stack until no message is left in its queues; False if that takes longer."""
        return self.run(until=self.pollers.idle, limit_s=limit_s)

    def invoke(self, name: str, event: Mapping[str, Any]) -> Outcome:
        """
        Run the function *name* with *event* and wait for its end, as a synchronous Invoke does.

        It is tried once, whatever it answers.

        Raises:
            UnknownFunctionError: The template has none of that name.
            BrokenFunctionError: It cannot start.
        """
        for function in self.deployment.functions:
            if function.name == name:
                return self.call(function, event)
        raise UnknownFunctionError(name)

    def custom(
        self,
        logical_id: str,
        request_type: Literal["Create", "Update", "Delete"],
        **properties: Any,
    ) -> Physical:
        """
        Create a custom resource again, update or delete it, as a later deployment does.

        *properties* take the place of those that it had; one that is None is left out. What
        refers to the resource learns nothing of it.

        Raises:
            CustomResourceError: It failed.
        """
        return self.custom_resources.send(logical_id, request_type, properties)

    def _jump(self, deadline: float) -> None:
        moments = [self.pollers.next_due_at(), self.cloudfront.next_change_at(), deadline]
        due_at = min(moment for moment in moments if moment is not None)
        until = max(due_at, self.virtual_time.now()) + _JUST_AFTER_S
        self.cloudwatch.sample_before(until)
        self.virtual_time.jump_to(until)

    def _await_running(self) -> None:
        while running := [*self.pollers.in_flight, *self.apis.in_flight]:
            self._finish(wait(running).done)

    def _finish(self, done: set[Future[Outcome]]) -> None:
        # In the order of their beginning, which does not depend on threads.
        for future in [future for future in self.pollers.in_flight if future in done]:
            self.pollers.finish(future)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """
    Notes how invocations end.

    Attributes:
        invocations: All that have ended.
        stopped: See `World.stopped`.
    """

    virtual_time: VirtualTime
    cloudwatch: CloudWatch
    invocations: list[Invocation] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)

    def noted(self, call: Call) -> Call:
        """Do as *call*, and note each end."""

        def run(function: Function, event: Mapping[str, Any]) -> Outcome:
            began_at = self.virtual_time.now()
            outcome = _THROTTLED if function.name in self.stopped else call(function, event)
            self._note(function, began_at, event, outcome)
            return outcome

        return run

    def recorded(self, invoke: Invoke) -> Invoke:
        """Do as *invoke*, and note each end."""

        def begin(function: Function, event: Mapping[str, Any]) -> Future[Outcome]:
            began_at = self.virtual_time.now()
            if function.name in self.stopped:
                future: Future[Outcome] = Future()
                future.set_result(_THROTTLED)
            else:
                future = invoke(function, event)

            def note(done: Future[Outcome]) -> None:
                if not done.cancelled() and done.exception() is None:
                    self._note(function, began_at, event, done.result())

            future.add_done_callback(note)
            return future

        return begin

    def _note(
        self, function: Function, began_at: float, event: Mapping[str, Any], outcome: Outcome
    ) -> None:
        if not outcome.throttled:
            self.invocations.append(Invocation(function.name, began_at, event, outcome))
        self.cloudwatch.ended(function, outcome, began_at=began_at)
