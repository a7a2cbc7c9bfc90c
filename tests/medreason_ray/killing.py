"""kill -9 of a step that runs in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.medreason_ray.generating import ROOT
from tests.processes import descendants


def kill_all(process: subprocess.Popen) -> None:
    """kill -9 of the driver, then of the Ray processes it had started."""
    children = descendants(process.pid)
    process.kill()
    process.wait()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def start_and_kill(step: Callable[..., None], *arguments: Path, until: Callable[[], bool]) -> None:
    """Call a function of a test module in a process of its own, and kill it as soon as `until` holds."""
    run = f"import sys; from {step.__module__} import {step.__name__} as g; g(*sys.argv[1:])"
    command = [sys.executable, "-W", "ignore", "-c", run, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not until() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    kill_all(process)
