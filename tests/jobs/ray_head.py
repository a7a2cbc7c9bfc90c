"""A Ray cluster of the test's own: its ports and its temp folder are free of other Rays', it asks for a token, it ends by id."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.jobs.conftest import ROOT
from tests.processes import descendants, free_ports

TOKEN = "a-token-of-this-test-run-0123456789abcdef"
RAY = Path(sys.executable).parent / "ray"


@dataclass(frozen=True)
class Head:
    """What its clients need."""

    dashboard: str
    gcs: str
    temp: str

    def environment(self, **more: str) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
        return {**keep, **auth, "NO_PROXY": "127.0.0.1", "RAY_USAGE_STATS_ENABLED": "0", **more}

    def run(self, *command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=cwd, env=self.environment(**environment), capture_output=True, text=True, check=False
        )

    @contextmanager
    def submitting(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """submit_job as a user calls it, ended with the block; the nodes run this interpreter."""
        given = [f"address={self.dashboard}", f"python={sys.executable}", *arguments]
        command = [sys.executable, "-u", "-m", "jobs.submit_job", *given]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stdout=pipe, stderr=pipe, text=True)
        with process:
            try:
                yield process
            finally:
                process.kill()  # else a block that failed would wait here for a job that waits for the block

    def submit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.submitting(*arguments) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextmanager
def node(head: Head, command: list[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
    """`ray start --block` for the block, then it and what it started, no other Ray of the machine."""
    agent, grpc, metrics, environments = free_ports(4)
    ports = [
        f"--dashboard-agent-listen-port={agent}", f"--dashboard-agent-grpc-port={grpc}",
        f"--metrics-export-port={metrics}", f"--runtime-env-agent-port={environments}",
    ]  # fmt: skip
    environment = head.environment(RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S="0")
    log = Path(head.temp) / "start.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, *ports, "--block"], cwd=head.temp, env=environment, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            children = descendants(process.pid)
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            for child in [process.pid, *children]:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            process.wait()


@contextmanager
def ray_head(cpus: int) -> Iterator[Head]:
    """A head that answers."""
    gcs, dashboard, client = free_ports(3)
    temp = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # sockets lie there, whose paths may have 107 characters
    head = Head(f"http://127.0.0.1:{dashboard}", f"127.0.0.1:{gcs}", temp)
    command = [
        RAY, "start", "--head", f"--port={gcs}", f"--ray-client-server-port={client}", "--node-ip-address=127.0.0.1",
        "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", f"--temp-dir={temp}", f"--num-cpus={cpus}",
        "--object-store-memory=200000000",
    ]  # fmt: skip
    try:
        with node(head, command) as process:
            wait_for(head, process)
            yield head
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def wait_for(head: Head, process: subprocess.Popen[bytes]) -> None:
    """Until the dashboard answers, if only that it wants the token."""
    deadline = time.monotonic() + 120
    while True:
        with suppress(httpx.TransportError):
            if httpx.get(f"{head.dashboard}/api/version", timeout=5, trust_env=False).status_code in {200, 401}:
                return
        said = (Path(head.temp) / "start.log").read_text()
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
