"""The job against an endpoint, from end to end: chains come back, and the key stays where it was."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake

from conf.flow import step
from conf.lake import user_metadata
from conf.tables import CASES
from tests.jobs.conftest import ROOT, last_line
from tests.medreason_ray.drawn import case
from tests.medreason_ray.generating import put_graph

pytestmark = pytest.mark.slow

KEY = "sk-proj-Wq7Xk2LmV03xTtRw77Zq81"


def smallest(schema: dict[str, Any]) -> Any:
    """The first legal value of a schema."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return smallest(schema["anyOf"][0])
    if schema["type"] == "array":
        return [smallest(schema["items"])]
    if schema["type"] == "object":
        return {name: smallest(inner) for name, inner in schema["properties"].items()}
    return {"string": "So it is.", "boolean": True}[schema["type"]]


class Endpoint(BaseHTTPRequestHandler):
    """Refuses the first requests with the key in the text, then answers under the schema that it is sent."""

    refusals = 2
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Endpoint.lock:
            Endpoint.refusals -= 1
            refused = Endpoint.refusals >= 0
        if refused:
            return self.send(
                401, {"error": {"message": f"Incorrect API key provided: {self.headers['Authorization']}"}}
            )
        content = json.dumps(smallest(body["response_format"]["json_schema"]["schema"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        return self.send(200, {"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}})

    def send(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, args=(0.005,)).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@pytest.fixture(scope="module")
def run(address: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A lake of eight cases, and the job's one run over it."""
    folder = tmp_path_factory.mktemp("endpoint")
    metadata = user_metadata(step("build_cases"), CASES, "one", {})
    rows = [case(number) for number in range(8)]
    write_deltalake(
        str(folder / "lake" / "cases"),
        pa.Table.from_pylist(rows, CASES.schema),
        commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
    )
    put_graph(str(folder / "lake"))
    settings = [
        "lake.root=lake", "ray.num_cpus=4", "engine.name=http", "engine.model=tiny", "engine.actors=1", "verify.judge=writer",
        f"engine.http.base_url={address}", "engine.price_in=1", "engine.price_out=10",
    ]  # fmt: skip
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "jobs.generate_chains", *settings],
        cwd=folder,
        env={**keep, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": KEY, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder, done


def test_every_case_is_a_chain_or_a_reject_of_the_endpoint_s_making(run) -> None:
    told = last_line(run[1])
    assert (told["steps"]["generate_chains"]["out"], told["rejects"]) == (6, {"REQUEST_FAILED": 2})


def test_verdicts_of_all_arms_stand_beside_each_chain(run) -> None:
    table = DeltaTable(str(run[0] / "lake" / "verdicts"))
    query = "select arm, count(*) n from verdicts where method = 'match' group by arm order by arm"
    found = QueryBuilder().register("verdicts", table).execute(query).read_all()
    # No wrong option has a path, so there is no foil.
    assert pa.table(found).to_pylist() == [{"arm": arm, "n": 6} for arm in ("chain", "closed_book", "masked")]


def test_the_job_says_that_the_writer_judged_itself(run) -> None:
    assert "same_model" in run[1].stdout


def test_tokens_and_their_price_are_counted(run) -> None:
    metrics = last_line(run[1])["steps"]["generate_chains"]["metrics"]
    told = [metrics[name] for name in ("requests", "tokens_in", "tokens_out", "cost")]
    # Eight times which paths, of which two are refused; then a chain and two answers of six cases, whose chains name no answer,
    # so that with it masked they read the same.
    assert told == [26.0, 2400.0, 240.0, pytest.approx((2400 + 10 * 240) / 1e6)]


def test_the_key_is_in_no_output(run) -> None:
    folder, done = run
    texts = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    texts |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(texts) > 10
    assert [name for name, text in texts.items() if KEY.encode() in text or KEY[8:20].encode() in text] == []
