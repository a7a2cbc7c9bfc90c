"""Ports and processes, for tests that start servers and jobs."""

import socket
from contextlib import ExitStack, suppress
from pathlib import Path


def free_ports(count: int) -> list[str]:
    """Ports of 127.0.0.1 that nobody listens to; the system gives none of 10002 to 19999, Ray's workers' own."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in sockets]


def descendants(pid: int) -> list[int]:
    """Processes that a process and its children started."""
    found = [pid]
    for each in found:
        for tasks in Path(f"/proc/{each}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(child) for child in tasks.read_text().split()]
    return found[1:]
