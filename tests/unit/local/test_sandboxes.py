"""Functions run as on Lambda: their own processes, environment, time and end."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from local import sandboxes
from local.function import Function, QueueTrigger
from local.sandboxes import BrokenFunctionError, FunctionsPythonError, Sandboxes
from local.virtual_time import VirtualTime

START = 1_800_000_000.0
T = TypeVar("T")


def function(folder: Path, code: str, **about: Any) -> Function:
    """Make a function of *code*."""
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(textwrap.dedent(code))
    concurrency = about.pop("concurrency", 5)
    trigger = QueueTrigger(
        url="", arn="", batch_size=1, report_batch_item_failures=True, concurrency=concurrency
    )
    settings: dict[str, Any] = {
        "name": folder.name,
        "logical_id": "Logical",
        "physical_name": "stack-Logical",
        "folder": folder,
        "handler": "app.lambda_handler",
        "timeout_s": 20,
        "memory_mb": 256,
        "environment": {"OWN": "value"},
        "queues": (trigger,),
    }
    return Function(**settings | about)


@contextmanager
def running(*, pure: bool = False, outside: dict[str, str] | None = None) -> Iterator[Sandboxes]:
    with (
        VirtualTime(START) as virtual_time,
        Sandboxes(
            python=sandboxes.functions_python(),
            endpoint_url="http://127.0.0.1:9",
            now=virtual_time.now,
            random=random.Random(0),
            outside=outside,
            pure_client=pure,
        ) as started,
    ):
        yield started


@pytest.fixture
def run(tmp_path):
    """Run *code* once, and give its answer."""

    def once(code: str, *, pure: bool = False, event: Any = None, **about: Any) -> Any:
        made = function(tmp_path / "toy", code, **about)
        with running(pure=pure) as started:
            outcome = started.invoke(made, event or {})
            assert outcome.error is None, (outcome.error, started.logs("toy"))
            return outcome.answer

    return once


class TestHandler:
    @pytest.mark.parametrize("pure", [False, True])
    def test_answer(self, run, pure):
        """
        A handler gets the event and its answer comes back, through AWS's client or our own.
        """
        code = """
            def lambda_handler(event, context):
                return {"seen": event, "id": context.aws_request_id}
        """

        answer = run(code, pure=pure, event={"Records": ["ä"]})

        assert answer["seen"] == {"Records": ["ä"]}
        assert len(answer["id"]) == 36

    def test_context(self, run):
        """
        The context tells name, ARN, memory, and the time that is left.
        """
        code = """
            import time
            def lambda_handler(event, context):
                return [
                    context.function_name,
                    context.invoked_function_arn,
                    context.memory_limit_in_mb,
                    time.time(),
                    context.get_remaining_time_in_millis(),
                    time.time(),
                ]
        """

        began = time.perf_counter()
        name, arn, memory, before, left_ms, after = run(code)
        passed_s = time.perf_counter() - began

        assert name == "stack-Logical"
        assert arn.endswith(":function:stack-Logical")
        assert memory == "256"
        assert 0 < left_ms <= 20_000
        # The invocation began between START and now.
        assert START + 20 - after <= left_ms / 1000 + 0.001
        assert left_ms / 1000 <= START + passed_s + 20 - before + 0.001

    def test_folder(self, run):
        """
        The handler is found in its own folder, where the process also works.
        """
        code = """
            import os
            def lambda_handler(event, context):
                return [os.getcwd(), os.path.dirname(os.path.abspath(__file__))]
        """

        cwd, folder = run(code)

        assert os.path.realpath(cwd) == os.path.realpath(folder)

    @pytest.mark.parametrize("pure", [False, True])
    def test_error(self, tmp_path, pure):
        """
        What a handler raises is its outcome, and in its log.
        """
        made = function(tmp_path / "toy", "def lambda_handler(e, c): raise ValueError('no')")

        with running(pure=pure) as started:
            outcome = started.invoke(made, {})

            assert outcome.error == "ValueError: no"
            assert any("[ERROR] ValueError: no" in line for line in started.logs("toy"))


class TestEnvironment:
    CODE = """
        import os, sys
        def lambda_handler(event, context):
            return {"variables": dict(os.environ), "path": sys.path}
    """

    def test_exact(self, run, monkeypatch):
        """
        A function finds the template's variables and Lambda's, and nothing of this machine's.
        """
        monkeypatch.setenv("AWS_PROFILE", "developer")
        monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1")

        variables = run(self.CODE)["variables"]

        assert variables["OWN"] == "value"
        assert variables.keys() - {"_X_AMZN_TRACE_ID", "LC_CTYPE"} == {
            "AWS_ACCESS_KEY_ID",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_EXECUTION_ENV",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "HOME",
            "LAMBDA_TASK_ROOT",
            "LANG",
            "OWN",
            "PATH",
            "PYTHONPATH",
            "TZ",
            "_HANDLER",
        }

    def test_outside(self, tmp_path):
        """
        It finds what it is given of the world beside AWS, which does not hide AWS itself.
        """
        made = function(tmp_path / "toy", self.CODE)
        outside = {"HTTPS_PROXY": "http://192.0.2.2", "AWS_ENDPOINT_URL": "http://192.0.2.3"}
        with running(outside=outside) as started:
            variables = started.invoke(made, {}).answer["variables"]

        assert variables["HTTPS_PROXY"] == "http://192.0.2.2"
        assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"

    def test_no_settings(self, run):
        """
        Its home has no file of the user's: no ~/.aws, no ~/.netrc.
        """
        code = """
            import os
            def lambda_handler(event, context):
                return os.listdir(os.path.expanduser("~"))
        """

        assert run(code) == []

    def test_layers(self, run, tmp_path):
        """
        Layers' folders are on the path.
        """
        layer = tmp_path / "layer"
        layer.mkdir()
        (layer / "shared_by_all.py").write_text("WORD = 'here'")
        code = """
            import shared_by_all
            def lambda_handler(event, context):
                return shared_by_all.WORD
        """

        assert run(code, layers=(layer,)) == "here"

    def test_loopback(self, run):
        """
        What would leave this machine is refused, by name and by address.
        """
        code = """
            import socket
            def lambda_handler(event, context):
                refused = []
                for attempt in (
                    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
                    lambda: socket.getaddrinfo("sqs.us-east-1.amazonaws.com", 443),
                ):
                    try:
                        attempt()
                    except PermissionError as error:
                        refused.append(str(error).split()[0])
                return refused
        """

        assert run(code) == ["192.0.2.1", "sqs.us-east-1.amazonaws.com"]


class TestTime:
    CODE = """
        import time
        from datetime import UTC, datetime
        STARTED = time.time()
        def lambda_handler(event, context):
            return [STARTED, time.time(), datetime.now(UTC).timestamp()]
    """

    @pytest.mark.parametrize("pure", [False, True])
    def test_stack(self, run, pure):
        """
        A function's time is the stack's, from its first line on.
        """
        began = time.perf_counter()
        moments = run(self.CODE, pure=pure)
        passed_s = time.perf_counter() - began

        for moment in moments:
            assert START <= moment < START + passed_s + 0.001

    def test_jump(self, tmp_path):
        """
        Each invocation has the time of its own beginning, in the same warm process.
        """
        made = function(tmp_path / "toy", self.CODE)

        with running() as started:
            first = started.invoke(made, {}).answer
            now = started._now()
            started._now = lambda: now + 3600
            began = time.perf_counter()
            second = started.invoke(made, {}).answer
            passed_s = time.perf_counter() - began

        assert first[0] == second[0]
        assert 3600 <= second[1] - first[1]
        assert now + 3600 <= second[1] < now + 3600 + passed_s + 0.002


class TestLifetime:
    COUNT = """
        import os
        count = 0
        def lambda_handler(event, context):
            global count
            count += 1
            if event.get("exit"):
                os._exit(3)
            return [count, os.getpid()]
    """

    def test_warm(self, tmp_path):
        """
        One sandbox after another invocation serves the next.
        """
        made = function(tmp_path / "toy", self.COUNT)

        with running() as started:
            answers = [started.invoke(made, {}).answer for _ in range(3)]

        assert [count for count, _ in answers] == [1, 2, 3]
        assert len({pid for _, pid in answers}) == 1

    def test_crash(self, tmp_path):
        """
        A process that ends fails its invocation, and the next one gets a new process.
        """
        made = function(tmp_path / "toy", self.COUNT)

        with running() as started:
            crashed = started.invoke(made, {"exit": True})
            after = started.invoke(made, {})

        assert "exit status 3" in str(crashed.error)
        assert after.answer[0] == 1

    def test_ended_idle(self, tmp_path):
        """
        A process that ended while it was idle is replaced without a word.
        """
        made = function(tmp_path / "toy", self.COUNT)

        with running() as started:
            first = started.invoke(made, {}).answer
            os.kill(first[1], signal.SIGKILL)
            # The signal takes effect when the machine comes to it.
            eventually(lambda: not started.processes())
            after = started.invoke(made, {})

        assert after.error is None
        assert after.answer[1] != first[1]

    def test_timeout(self, tmp_path):
        """
        A function that runs too long is ended, and its log says so.
        """
        code = """
            import time
            def lambda_handler(event, context):
                time.sleep(event["s"])
        """
        made = function(tmp_path / "toy", code, timeout_s=1)

        with running() as started:
            outcome = started.invoke(made, {"s": 30})
            alive = started.processes()
            after = started.invoke(made, {"s": 0})
            lines = started.logs("toy")

        assert "Task timed out after 1.00 seconds" in str(outcome.error)
        assert alive == []
        assert after.error is None
        assert any("Task timed out" in line for line in lines)

    @pytest.mark.parametrize(("concurrency", "processes"), [(3, 3), (1, 1)])
    def test_at_once(self, tmp_path, concurrency, processes):
        """
        Invocations at the same time run in processes of their own, as many as allowed.
        """
        code = """
            import os, time
            def lambda_handler(event, context):
                time.sleep(0.3)
                return os.getpid()
        """
        made = function(tmp_path / "toy", code, concurrency=concurrency)
        pids: list[int] = []

        with running() as started:
            threads = [
                threading.Thread(target=lambda: pids.append(started.invoke(made, {}).answer))
                for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert len(pids) == 3
        assert len(set(pids)) == processes

    def test_killed(self, tmp_path):
        """
        The sandbox that has an access key can be ended, and its invocation fails.
        """
        code = """
            import os, time
            def lambda_handler(event, context):
                print(os.environ["AWS_ACCESS_KEY_ID"], flush=True)
                time.sleep(30)
        """
        made = function(tmp_path / "toy", code)
        outcomes: list[Any] = []

        with running() as started:
            thread = threading.Thread(target=lambda: outcomes.append(started.invoke(made, {})))
            thread.start()
            key = eventually(lambda: "".join(started.logs("toy")))
            assert started.owner(key) == made
            started.kill(key)
            thread.join()

        assert "SIGKILL" in outcomes[0].error

    def test_no_process_left(self, tmp_path):
        """
        After the stack none of its processes is left, nor what they started.
        """
        code = """
            import os, subprocess, sys
            def lambda_handler(event, context):
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
                return [os.getpid(), child.pid]
        """
        made = function(tmp_path / "toy", code)

        with running() as started:
            pids = started.invoke(made, {}).answer

        eventually(lambda: not any(map(alive, pids)))


class TestStart:
    def test_broken(self, tmp_path):
        """
        A function that cannot be imported is said so once, with the end of its log.
        """
        made = function(tmp_path / "toy", "print('here')\nimport no_such_module")

        with running() as started:
            with pytest.raises(BrokenFunctionError, match="no_such_module") as broken:
                started.invoke(made, {})
            again = started.invoke(made, {})

        assert "toy does not start" in str(broken.value)
        assert "here" in broken.value.lines
        assert "does not start" in str(again.error)

    def test_exits(self, tmp_path):
        """
        So is one whose process ends before it begins.
        """
        made = function(tmp_path / "toy", "import os; os._exit(7)")

        with running() as started, pytest.raises(BrokenFunctionError, match="exit status 7"):
            started.invoke(made, {})

    def test_no_handler(self, tmp_path):
        """
        So is one without the handler that the template names.
        """
        made = function(tmp_path / "toy", "other = 1")

        with running() as started, pytest.raises(BrokenFunctionError, match="lambda_handler"):
            started.invoke(made, {})

    def test_no_python(self, tmp_path):
        """
        Without the functions' Python the stack does not begin.
        """
        with pytest.raises(FunctionsPythonError, match="nowhere"):
            Sandboxes(
                python=tmp_path / "nowhere",
                endpoint_url="",
                now=time.time,
                random=random.Random(0),
            )

    def test_named_python(self, monkeypatch, tmp_path):
        """
        FUNCTIONS_PYTHON is believed, or refused by its name.
        """
        monkeypatch.setenv("FUNCTIONS_PYTHON", sys.executable)
        assert sandboxes.functions_python() == Path(sys.executable)

        monkeypatch.setenv("FUNCTIONS_PYTHON", str(tmp_path / "nowhere"))
        with pytest.raises(FunctionsPythonError, match="nowhere"):
            sandboxes.functions_python()


class TestLogs:
    def test_complete(self, tmp_path):
        """
        When an invocation has ended, its log has every line of it, in order.
        """
        code = """
            import sys
            def lambda_handler(event, context):
                for number in range(500):
                    print("line", number, file=sys.stderr if number % 2 else sys.stdout)
        """
        made = function(tmp_path / "toy", code)

        with running() as started:
            started.invoke(made, {})

            assert started.logs("toy") == [f"line {number}" for number in range(500)]

    def test_terminal(self, tmp_path, capfd):
        """
        Nothing of it is written to the terminal.
        """
        made = function(tmp_path / "toy", "def lambda_handler(e, c): print('secret')")

        with running() as started:
            started.invoke(made, {})

        assert capfd.readouterr() == ("", "")


class TestParentGone:
    """However the stack's process ends, its functions' processes end."""

    SCRIPT = """
        import random, sys, time
        from pathlib import Path
        from local import sandboxes
        from local.function import Function
        made = Function(
            name="toy", logical_id="T", physical_name="T", folder=Path(sys.argv[1]),
            handler="app.lambda_handler", timeout_s=60, memory_mb=128, environment={},
        )
        with sandboxes.Sandboxes(
            python=sandboxes.functions_python(), endpoint_url="", now=time.time,
            random=random.Random(0),
        ) as started:
            print(started.invoke(made, {}).answer, flush=True)
            if sys.argv[2] == "busy":
                started.invoke(made, {"busy": True})
            time.sleep(60)
    """
    CODE = """
        import os, time
        def lambda_handler(event, context):
            if event.get("busy"):
                time.sleep(60)
            return os.getpid()
    """

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    @pytest.mark.parametrize("state", ["idle", "busy"])
    def test_signal(self, tmp_path, how, state):
        """
        Interrupted, terminated or killed, idle or at work.
        """
        folder = function(tmp_path / "toy", self.CODE).folder
        root = Path(__file__).parents[3]
        command = [sys.executable, "-c", textwrap.dedent(self.SCRIPT), str(folder), state]
        with subprocess.Popen(
            command,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as parent:
            assert parent.stdout is not None
            pid = json.loads(parent.stdout.readline())
            assert alive(pid)

            parent.send_signal(how)

            eventually(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Tell whether the process runs; one that nobody has waited for yet does not."""
    try:
        os.kill(pid, 0)
        # It may go between any two looks; without /proc the first look has to do.
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    return state.rsplit(")", 1)[1].split()[0] != "Z"


def eventually(look: Callable[[], T]) -> T:
    """Look until there is something to see."""
    for _ in range(2000):
        seen = look()
        if seen:
            return seen
        time.sleep(0.01)
    raise AssertionError("it did not come")
