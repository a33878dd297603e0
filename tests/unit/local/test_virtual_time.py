"""Virtual time moves dates, and nothing that waits."""

import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from local.virtual_time import VirtualTime

START = datetime(2026, 1, 1, tzinfo=UTC)


class TestVirtualClock:
    def test_starts_where_told(self):
        """
        Every way to ask for the date gives the virtual one.
        """
        with VirtualTime(START, ticking=False) as virtual_time:
            seen = [
                virtual_time.now(),
                time.time(),
                time.time_ns() / 1e9,
                time.clock_gettime(time.CLOCK_REALTIME),
                datetime.now(UTC).timestamp(),
            ]

        assert seen == [START.timestamp()] * 5

    def test_jumps(self):
        """
        A jump lands exactly where it was set to.
        """
        with VirtualTime(START, ticking=False) as virtual_time:
            virtual_time.jump_to(START.timestamp() + 3600)

            assert virtual_time.now() == START.timestamp() + 3600

    def test_forward_only(self):
        """
        A jump to what has passed changes nothing.
        """
        with VirtualTime(START, ticking=False) as virtual_time:
            virtual_time.jump_to(START.timestamp() - 3600)

            assert virtual_time.now() == START.timestamp()

    def test_ticks(self):
        """
        Ticking time also moves by itself, before and after a jump.
        """
        with VirtualTime(START) as virtual_time:
            virtual_time.jump_to(START.timestamp() + 3600)
            outer = time.perf_counter()
            before = virtual_time.now()
            inner = time.perf_counter()
            threading.Event().wait(0.01)
            inner_s = time.perf_counter() - inner
            passed_s = virtual_time.now() - before
            outer_s = time.perf_counter() - outer

            assert 0.01 <= inner_s
            assert inner_s - 0.001 <= passed_s <= outer_s + 0.001

    def test_default_is_now(self):
        """
        Without a start it begins at the real time.
        """
        before = time.time()

        with VirtualTime() as virtual_time:
            now = virtual_time.now()

        assert before <= now <= time.time()

    def test_undone(self):
        """
        After it stops the real time is back.
        """
        began, real = time.perf_counter(), time.time()

        with VirtualTime(START):
            pass

        passed_s = time.time() - real
        assert 0 <= passed_s <= time.perf_counter() - began + 0.001

    def test_not_started(self):
        """
        Time that was not started refuses to move.
        """
        with pytest.raises(RuntimeError, match="started"):
            VirtualTime(START).advance(1)

    def test_sleep_jumps(self):
        """
        Where sleeping jumps, an hour's sleep takes no time and moves virtual time an hour.
        """
        real = time.perf_counter()

        with VirtualTime(START, ticking=False) as virtual_time, virtual_time.sleeping_jumps():
            time.sleep(3600)

            assert virtual_time.now() == START.timestamp() + 3600
        assert time.perf_counter() - real < 3600


class TestWaits:
    """What time-machine leaves alone, and we rely on."""

    def test_monotonic(self):
        """
        The clocks that waits are measured by do not jump.
        """
        with VirtualTime(START) as virtual_time:
            before = time.monotonic(), time.perf_counter()
            virtual_time.advance(86_400)

            assert time.monotonic() - before[0] < 86_400
            assert time.perf_counter() - before[1] < 86_400

    def test_thread(self):
        """
        A thread's wait is neither cut short nor prolonged by a jump.
        """
        with VirtualTime(START) as virtual_time:
            woken = threading.Event()
            waits: list[bool] = []
            thread = threading.Thread(target=lambda: waits.append(woken.wait(10)))
            thread.start()
            virtual_time.advance(86_400)
            woken.set()
            thread.join(5)

        assert waits == [True]

    def test_socket(self):
        """
        A socket's timeout does not pass by a jump.
        """
        ours, theirs = socket.socketpair()
        with VirtualTime(START) as virtual_time, ours, theirs:
            ours.settimeout(10)
            threading.Timer(0.02, theirs.sendall, [b"x"]).start()
            virtual_time.advance(86_400)

            assert ours.recv(1) == b"x"

    def test_subprocess(self):
        """
        A child's timeout does not pass by a jump.
        """
        with VirtualTime(START) as virtual_time:
            child = subprocess.Popen([sys.executable, "-S", "-c", ""])
            virtual_time.advance(86_400)

            assert child.wait(timeout=30) == 0
