"""
What makes a function's process local: Python imports this before awslambdaric and the handler.

The stack's orders lie in one variable, which is gone before the handler's module is imported.
"""

import ipaddress
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any


def _begin() -> None:
    orders = json.loads(os.environ.pop("LOCAL_RUNTIME", "null"))
    # A Python that the function itself starts has no orders.
    if orders is not None:
        _end_with_the_stack(orders["stack_fd"])
        sys.addaudithook(_only_loopback)
        _take_time_from_invocations(
            _runtime_client(pure=orders["pure_client"]),
            now=orders["now"],
            timeout_s=orders["timeout_s"],
        )


def _end_with_the_stack(fd: int) -> None:
    """Die when the stack's process does, however it does: its end of this pipe closes then."""

    def watch() -> None:
        os.read(fd, 1)
        os._exit(1)

    threading.Thread(target=watch, name="local-stack", daemon=True).start()


def _only_loopback(event: str, args: tuple[Any, ...]) -> None:
    """Refuse what would leave this machine: it was meant for AWS, and would go there."""
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host not in {None, "", "localhost"} and not _is_loopback(host):
        raise PermissionError(f"{host} is not on this machine, and local functions stay on it")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.endswith(".localhost")


def _runtime_client(*, pure: bool) -> Any:  # noqa: ANN401  (a module, and C's has no types)
    """Find awslambdaric's C client, or stand in for it: its sdist has none outside of Linux."""
    if not pure:
        try:
            import runtime_client  # noqa: PLC0415
        except ImportError:
            pass
        else:
            return runtime_client
    import pure_runtime_client  # noqa: PLC0415

    sys.modules["runtime_client"] = pure_runtime_client
    return pure_runtime_client


def _take_time_from_invocations(client: Any, *, now: float, timeout_s: float) -> None:  # noqa: ANN401
    """Begin at the stack's *now*; then each invocation begins a timeout before its deadline."""
    import time_machine  # noqa: PLC0415

    traveller = time_machine.travel(now, tick=True).start()
    wait: Callable[[], tuple[bytes, Mapping[str, str]]] = client.next

    def next_invocation() -> tuple[bytes, Mapping[str, str]]:
        body, headers = wait()
        began_at = int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - timeout_s
        # A microsecond later, because as a float it may lie just before its millisecond.
        traveller.move_to(began_at + 1e-6)
        return body, headers

    client.next = next_invocation


_begin()
