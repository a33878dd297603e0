"""Functions in processes of their own, under AWS's runtime client, as Lambda runs them."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import os
import queue
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import IO, Any, Self, cast

from local import aws, secrets_extension
from local.function import REGION, Function, Outcome
from local.runtime_api import Invocation, RuntimeApi, Sign
from local.secrets_extension import SecretsExtension

_INSTALLED = Path(__file__).parents[1] / ".venv" / "functions" / "bin" / "python"
_RUNTIME = Path(__file__).parent / "runtime"
# Lambda gives an initialisation 10 s; here several may share a slow machine.
_INIT_S = 60.0
_MAX_LINES = 20_000
_MAX_LINES_SHOWN = 15


class FunctionsPythonError(Exception):
    """The functions' own Python is not there."""


class BrokenFunctionError(Exception):
    """A function cannot even start; said once, with the last lines of its log."""

    def __init__(self, name: str, reason: str, lines: list[str]) -> None:
        super().__init__(
            "\n  ".join([f"{name} does not start: {reason}", *lines[-_MAX_LINES_SHOWN:]])
        )
        self.name = name
        self.lines = lines


def functions_python() -> Path:
    """
    Find the Python that runs functions.

    It is what FUNCTIONS_PYTHON names; else the environment that `make` installs for them; else
    this one, if it has awslambdaric.

    Raises:
        FunctionsPythonError: None of these is there.

    """
    named = os.environ.get("FUNCTIONS_PYTHON")
    # Not resolved: a virtual environment's Python is a link to another.
    for python in [Path(named).absolute()] if named else [_INSTALLED]:
        if python.exists():
            return python
    if not named and importlib.util.find_spec("awslambdaric"):
        return Path(sys.executable)
    raise FunctionsPythonError(f"no Python for the functions at {named or _INSTALLED}; see `make`")


def lambda_environment(function: Function, *, access_key: str) -> dict[str, str]:
    """Return what a function finds in its environment: the template's variables, and Lambda's."""
    return {
        **function.environment,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.physical_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.physical_name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "LAMBDA_TASK_ROOT": str(function.folder),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": function.handler,
    }


@dataclass(slots=True)
class _Log:
    """The lines that one function's sandboxes wrote; *read* also takes each."""

    read: Callable[[list[str]], object]
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_MAX_LINES))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, text: str) -> None:
        # awslambdaric ends the lines of a traceback with a carriage return.
        lines = text.replace("\r", "\n").rstrip("\n").split("\n")
        self.lines.extend(lines)
        self.read(lines)


class _Sandbox:
    """One process, and its one invocation at a time."""

    def __init__(
        self,
        function: Function,
        *,
        command: list[str],
        environment: Mapping[str, str],
        api: RuntimeApi,
        extension: SecretsExtension | None,
        stack_fd: int,
        log: _Log,
    ) -> None:
        self.function = function
        self._api = api
        self._extension = extension
        self._log = log
        self.process = subprocess.Popen(
            command,
            cwd=function.folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(stack_fd,),
            # Ctrl-C on the terminal is the stack's business; it ends its sandboxes itself.
            start_new_session=True,
        )
        self._stdout = cast("IO[bytes]", self.process.stdout)
        self._reader = threading.Thread(target=self._read, args=(self._stdout,), daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def invoke(self, event: str, *, request_id: str, now: Callable[[], float]) -> Outcome:
        """
        Wait for the process to ask, hand it *event*, and wait for what it makes of it.

        Raises:
            _InitError: It never asked.
        """
        self._await_ready()
        if self._extension:
            self._extension.ready = True
        timeout_s = self.function.timeout_s
        self._api.hand_out(
            Invocation(
                request_id=request_id,
                function_arn=self.function.arn,
                # Rounded up: the function's clock never shows less than the stack's did.
                deadline_ms=math.ceil((now() + timeout_s) * 1000),
                event=event,
            )
        )
        try:
            sign, content = self._api.signs.get(timeout=timeout_s)
        except queue.Empty:
            self.kill()
            text = f"{request_id} Task timed out after {timeout_s:.2f} seconds"
            self._log.add(text)
            return Outcome(error=text, timed_out=True)
        match sign:
            case Sign.ANSWER:
                return Outcome(answer=content)
            case Sign.ERROR:
                return Outcome(error=f"{content.get('errorType')}: {content.get('errorMessage')}")
            case _:
                return Outcome(error=f"{request_id} Runtime exited: {self._end()}")

    def kill(self) -> None:
        """End the process and what it started, and return when it is gone."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """Kill it, and let go of what it held here."""
        self.kill()
        self._api.close()
        if self._extension:
            self._extension.stop()
        self._reader.join()

    def unread(self) -> bool:
        """Return whether it has written what its log does not hold yet."""
        with suppress(ValueError):  # The reader came to the end and closed it.
            return bool(select.select([self._stdout], [], [], 0)[0])
        return False

    def _await_ready(self) -> None:
        try:
            sign, error = self._api.signs.get(timeout=_INIT_S)
        except queue.Empty:
            self.kill()
            raise _InitError(f"no sign of life for {_INIT_S:.0f} s") from None
        match sign:
            case Sign.READY:
                return
            case Sign.INIT_ERROR:
                self.kill()
                raise _InitError(f"{error.get('errorType')}: {error.get('errorMessage')}")
            case _:
                raise _InitError(self._end())

    def _end(self) -> str:
        code = self.process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"

    def _read(self, stdout: IO[bytes]) -> None:
        rest = b""
        with stdout:
            while select.select([stdout], [], []):
                # Taken and kept under the lock, so that `unread` never misses what is between.
                with self._log.lock:
                    chunk = os.read(stdout.fileno(), 65_536)
                    *lines, rest = (rest + chunk).split(b"\n")
                    if not chunk and rest:
                        lines.append(rest)
                    for line in lines:
                        self._log.add(line.decode(errors="replace"))
                if not chunk:
                    break
        self.process.wait()
        self._api.signs.put((Sign.GONE, None))


class _InitError(Exception):
    """A sandbox ended before it asked for its first invocation."""


@dataclass(slots=True)
class _Pool:
    """The sandboxes of one function."""

    places: threading.Semaphore
    log: _Log
    idle: list[_Sandbox] = field(default_factory=list)


class Sandboxes:
    """All sandboxes of a stack: started on demand, kept warm, gone with the stack."""

    def __init__(
        self,
        *,
        python: Path,
        endpoint_url: str,
        now: Callable[[], float],
        random: random.Random,
        outside: Mapping[str, str] | None = None,
        pure_client: bool = False,
        wrote: Callable[[str, list[str]], object] = lambda *_: None,
    ) -> None:
        """
        Run functions by *python*, which has awslambdaric and what the layers install.

        *outside* is what their environment says of the world beside AWS, such as a proxy.
        *pure_client* has the stand-in for awslambdaric's C client used everywhere.
        *wrote* takes a function's name, and lines that it has written.
        """
        if not python.exists():
            raise FunctionsPythonError(f"no Python for the functions at {python}")
        self._python = python
        self._endpoint_url = endpoint_url
        self._now = now
        self._random = random
        self._outside = outside or {}
        self._pure_client = pure_client
        self._wrote = wrote
        self._pools: dict[str, _Pool] = {}
        self._started: dict[str, _Sandbox] = {}
        self._owners: dict[str, Function] = {}
        self._numbers = itertools.count(1)
        self._broken: set[str] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory(prefix="local-functions-")
        # What children hold ends when this end closes: in `close`, or with this process.
        self._stack_fd, self._own_fd = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            started = list(self._started.values())
        for sandbox in started:
            sandbox.kill()
        for sandbox in started:
            self._discard(sandbox)
        os.close(self._own_fd)
        os.close(self._stack_fd)
        self._home.cleanup()

    def invoke(self, function: Function, event: Mapping[str, Any]) -> Outcome:
        """
        Run *function* once, in a warm sandbox or a new one, and wait for its end.

        Raises:
            BrokenFunctionError: It cannot start, and that was not yet said.
        """
        with self._lock:
            if function.name not in self._pools:
                max_concurrency = max((q.concurrency for q in function.queues), default=5)
                self._pools[function.name] = _Pool(
                    threading.Semaphore(max_concurrency), _Log(partial(self._wrote, function.name))
                )
            pool = self._pools[function.name]
        with pool.places:
            while sandbox := self._take(pool):
                # One that ended while it was idle is no reason to complain.
                with suppress(_InitError):
                    return self._invoke(sandbox, pool, event)
            try:
                return self._invoke(self._start(function, pool), pool, event)
            except _InitError as error:
                return self._not_started(function, pool, str(error))

    def logs(self, name: str) -> list[str]:
        """Return the lines that the function wrote, once all that it has written is read."""
        with self._lock:
            pool = self._pools.get(name)
            own = [s for s in self._started.values() if s.function.name == name]
        if pool is None:
            return []
        while any(sandbox.unread() for sandbox in own):
            time.sleep(0.001)
        with pool.log.lock:
            return list(pool.log.lines)

    def owner(self, access_key: str) -> Function | None:
        """Return the function whose sandbox has, or had, *access_key*."""
        return self._owners.get(access_key)

    def kill(self, access_key: str) -> None:
        """End the sandbox that has *access_key*, as if its machine had failed."""
        sandbox = self._started.get(access_key)
        if sandbox:
            sandbox.kill()

    def processes(self) -> list[int]:
        """Return the ids of the processes that run."""
        with self._lock:
            return [s.process.pid for s in self._started.values() if s.alive]

    def _invoke(self, sandbox: _Sandbox, pool: _Pool, event: Mapping[str, Any]) -> Outcome:
        try:
            return sandbox.invoke(json.dumps(event), request_id=self._request_id(), now=self._now)
        finally:
            if sandbox.alive:
                with self._lock:
                    pool.idle.append(sandbox)
            else:
                self._discard(sandbox)

    def _request_id(self) -> str:
        with self._lock:
            return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _take(self, pool: _Pool) -> _Sandbox | None:
        while True:
            with self._lock:
                sandbox = pool.idle.pop() if pool.idle else None
            if sandbox is None or sandbox.alive:
                return sandbox
            self._discard(sandbox)

    def _start(self, function: Function, pool: _Pool) -> _Sandbox:
        with self._lock:
            if self._closed:
                raise RuntimeError("the stack is closed")
            access_key = f"ASIALOCAL{next(self._numbers):011d}"
            api = RuntimeApi()
            environment = self._environment(function, access_key, api.address)
            extension = self._extension(function, access_key, environment)
            sandbox = _Sandbox(
                function,
                # -s: no packages of the user's. -u: nothing written is lost in a crash.
                command=[str(self._python), "-s", "-u", "-m", "awslambdaric", function.handler],
                environment=environment,
                api=api,
                extension=extension,
                stack_fd=self._stack_fd,
                log=pool.log,
            )
            self._started[access_key] = sandbox
            self._owners[access_key] = function
            return sandbox

    def _discard(self, sandbox: _Sandbox) -> None:
        with self._lock:
            keys = [key for key, started in self._started.items() if started is sandbox]
            for key in keys:
                del self._started[key]
        # By whoever comes first: the stack may be closing while its invocations end.
        if keys:
            sandbox.close()

    def _extension(
        self, function: Function, access_key: str, environment: dict[str, str]
    ) -> SecretsExtension | None:
        """Start the function's extension, if it has one, and tell it where."""
        if not function.secrets_extension:
            return None
        session = aws.session(access_key=access_key)

        @cache
        def client(service: str) -> Any:  # noqa: ANN401
            return aws.client(session, service, endpoint_url=self._endpoint_url, attempts=1)

        extension = SecretsExtension(environment, client=client, now=self._now)
        environment[secrets_extension.PORT] = str(extension.start())
        return extension

    def _environment(self, function: Function, access_key: str, api: str) -> dict[str, str]:
        orders = {
            "stack_fd": self._stack_fd,
            "now": self._now(),
            "timeout_s": function.timeout_s,
            "pure_client": self._pure_client,
        }
        return {
            **lambda_environment(function, access_key=access_key),
            **self._outside,
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_LAMBDA_RUNTIME_API": api,
            # Where no settings of the user's lie, such as ~/.aws.
            "HOME": self._home.name,
            "LOCAL_RUNTIME": json.dumps(orders),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, (_RUNTIME, *function.layers))),
        }

    def _not_started(self, function: Function, pool: _Pool, reason: str) -> Outcome:
        with self._lock:
            reported, closed = function.name in self._broken, self._closed
            self._broken.add(function.name)
        if reported or closed:
            return Outcome(error=f"{function.name} does not start: {reason}")
        raise BrokenFunctionError(function.name, reason, list(pool.log.lines))
