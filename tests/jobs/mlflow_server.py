"""A real `mlflow server`, which a test may kill and start again at the same address."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.processes import free_ports


class Server:
    """On a port of its own, its log in `folder`, and its store and artifacts where nothing else is said."""

    def __init__(
        self, folder: Path, *, store: str = "", artifacts: str = "", environment: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        self._store = store or f"sqlite:///{folder}/mlflow.db"
        self._artifacts = artifacts or str(folder / "artifacts")
        self._environment = dict(os.environ) if environment is None else environment
        [self.port] = free_ports(1)
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", self.port]
        command += ["--workers", "1", "--backend-store-uri", self._store, "--artifacts-destination", self._artifacts]
        # Seven processes of 270 MB that wait for jobs of its user interface, which nobody gives here.
        environment = self._environment | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        deadline = time.monotonic() + 120
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the server does not come up"
            time.sleep(0.2)

    def stop(self) -> None:
        """Kill it with its workers, as a lost machine would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False
