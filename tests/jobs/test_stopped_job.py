"""SIGTERM while an endpoint is asked: what had come and what was in flight is kept, and nothing of it is asked again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from conf.flow import step
from conf.lake import user_metadata
from conf.tables import CASES
from jobs._run import STOPPED
from medreason_ray.ledger import Ledger
from medreason_ray.stages.generate_chains import STAGES
from tests.jobs.conftest import ROOT, last_line
from tests.jobs.test_endpoint_job import smallest
from tests.medreason_ray.drawn import case
from tests.medreason_ray.generating import put_graph

pytestmark = pytest.mark.slow

FILES, FILE_CASES, AT_ONCE = 20, 4, 30
"""A file of cases is a batch, so that no actor has them all."""
ACTORS, CONCURRENCY = 2, 6
IN_FLIGHT = ACTORS * CONCURRENCY


class Endpoint(ThreadingHTTPServer):
    """Answers the first requests at once and holds the others until the door is opened, the first of them at a door of its own.

    So one actor has a request in flight when batches of both have ended.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.door, self.last_door = threading.Event(), threading.Event()
        self.seen: list[str] = []
        self.answered: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = json.dumps([body["messages"], body["seed"]])
        with self.server.lock:
            self.server.seen.append(prompt)
            number = len(self.server.seen)
        if number > AT_ONCE:
            (self.server.last_door if number == AT_ONCE + 1 else self.server.door).wait()
        content = json.dumps(smallest(body["response_format"]["json_schema"]["schema"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        text = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 5}}).encode()
        with self.server.lock:
            self.server.answered.append(prompt)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def wait_until(true: Callable[[], bool], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 240
    while not true():
        assert process.poll() is None, process.returncode
        assert time.monotonic() < deadline
        time.sleep(0.05)


def settings_of(endpoint: Endpoint) -> list[str]:
    return [
        "tracking.enabled=false", "ray.num_cpus=4", "engine.name=http", "engine.model=tiny", "verify.judge=writer",
        f"engine.actors={ACTORS}", f"engine.concurrency={CONCURRENCY}", f"engine.http.base_url=http://127.0.0.1:{endpoint.server_address[1]}/v1",
    ]  # fmt: skip


def start(folder: Path, endpoint: Endpoint) -> subprocess.Popen:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.generate_chains", "lake.root=lake", *settings_of(endpoint)],
        cwd=folder,
        env={**keep, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "none", "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def kept(folder: Path) -> int:
    return len(Ledger(str(folder / "lake" / "replies")).read(STAGES))


@contextmanager
def holding() -> Iterator[Endpoint]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, args=(0.005,)).start()
        try:
            yield server
        finally:  # else a test that failed would keep the process from ending
            server.door.set()
            server.last_door.set()
            server.shutdown()


def let_go(endpoint: Endpoint, folder: Path, process: subprocess.Popen) -> None:
    """Answer all that is in flight but one, and that when the others are kept."""
    endpoint.door.set()
    wait_until(lambda: kept(folder) == AT_ONCE + IN_FLIGHT - 1, process)
    endpoint.last_door.set()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with holding() as server:
        yield server


def put_cases(folder: Path) -> Path:
    metadata = user_metadata(step("build_cases"), CASES, "one", {})
    for first in range(0, FILES * FILE_CASES, FILE_CASES):
        write_deltalake(
            str(folder / "lake" / "cases"),
            pa.Table.from_pylist([case(number) for number in range(first, first + FILE_CASES)], CASES.schema),
            mode="append",
            commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
        )
    put_graph(str(folder / "lake"))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_cases(tmp_path_factory.mktemp("stopped"))


@pytest.fixture(scope="module")
def stopped(folder: Path, endpoint: Endpoint) -> tuple[subprocess.CompletedProcess[str], int, list[str]]:
    """A run that SIGTERM met with requests in flight: its end, the replies kept before any of these came, those answered."""
    process = start(folder, endpoint)
    try:
        wait_until(lambda: len(endpoint.seen) == AT_ONCE + IN_FLIGHT, process)
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: kept(folder) >= AT_ONCE, process)
        before = kept(folder)
        let_go(endpoint, folder, process)
        return end(process), before, list(endpoint.answered)
    finally:
        process.kill()


def test_it_ends_with_143_and_says_that_it_was_stopped(stopped) -> None:
    done = stopped[0]
    told = last_line(done)
    assert (done.returncode, told["status"]) == (STOPPED, "stopped")
    assert "the replies that came are kept" in told["error"]


def test_what_had_come_is_committed_while_others_are_in_flight(stopped) -> None:
    assert stopped[1] == AT_ONCE


def test_every_reply_is_kept_and_nothing_is_asked_beyond_what_was_in_flight(stopped, folder) -> None:
    answered = stopped[2]
    assert (kept(folder), len(answered)) == (AT_ONCE + IN_FLIGHT, AT_ONCE + IN_FLIGHT)


def test_the_next_run_asks_none_of_it_again(stopped, folder, endpoint) -> None:
    done = end(start(folder, endpoint))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(endpoint.seen) == len(set(endpoint.seen)) == kept(folder)
    assert len(endpoint.seen) > len(stopped[2])
