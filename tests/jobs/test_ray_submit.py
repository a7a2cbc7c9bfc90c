"""The Ray jobs of the demo on a real cluster: handed over as users do, with the result of a local run."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conf.outcome import ConfigError
from jobs import run_pipeline
from jobs._run import STOPPED
from medreason_ray.submission import connect
from tests.jobs.conftest import FROM_CASES, MADE_BY_RAY, copied, last_line, rows, run_here
from tests.jobs.ray_head import RAY, TOKEN, Head, node, ray_head
from tests.jobs.test_stopped_job import AT_ONCE, IN_FLIGHT, holding, kept, let_go, put_cases, settings_of, wait_until

pytestmark = pytest.mark.slow

WRITTEN = ("mentions", "links", "chains", "verdicts")


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with ray_head(cpus=4) as found:
        yield found


@pytest.fixture(scope="module")
def lake(demo, tmp_path_factory) -> Path:
    """The demo's lake as the Spark jobs left it: without what Ray writes, and what follows from that last."""
    to = tmp_path_factory.mktemp("shared") / "lake"
    return copied(demo[0].folder / "lake" / "demo", to, (*MADE_BY_RAY, *FROM_CASES))


@pytest.fixture(scope="module")
def submitted(head: Head, lake: Path) -> list[subprocess.CompletedProcess[str]]:
    found = []
    for job in ("link_entities", "generate_chains"):
        found.append(head.submit(f"job={job}", "profile=demo", f"lake.root={lake}", "tracking.enabled=false"))
        assert found[-1].returncode == 0, found[-1].stdout[-3000:] + found[-1].stderr[-3000:]
    return found


def test_the_log_is_shown_and_the_last_line_is_the_job_s(submitted):
    told = [last_line(done) for done in submitted]
    assert [each["status"] for each in told] == ["ok", "ok"]
    assert told[1]["steps"]["generate_chains"]["tables"]["chains"]["rows"] == 37
    assert "generate_chains: 37 questions in; 37 out" in submitted[1].stdout
    assert all(each["submission_id"] in done.stdout for each, done in zip(told, submitted, strict=True))


def test_the_dashboard_knows_the_jobs_as_succeeded(submitted, head):
    auth = {"Authorization": f"Bearer {TOKEN}"}
    jobs = httpx.get(f"{head.dashboard}/api/jobs/", headers=auth, trust_env=False).json()
    statuses = {job["submission_id"]: (job["status"], job["driver_exit_code"]) for job in jobs}
    assert [statuses[last_line(done)["submission_id"]] for done in submitted] == [("SUCCEEDED", 0)] * 2


@pytest.mark.parametrize("name", WRITTEN)
def test_each_table_is_that_of_a_local_run(submitted, demo, lake, name):
    assert rows(lake, name) == rows(demo[0].folder / "lake" / "demo", name)


def test_a_local_run_takes_them_for_its_own_and_releases_the_same(submitted, demo, lake, spark):
    done = run_here(run_pipeline, "profile=demo", f"lake.root={lake}", "tracking.enabled=false")
    steps = done["steps"]
    assert [name for name, each in steps.items() if not each["up_to_date"]] == ["verify_chains", "assemble_release"]
    digests = [run["steps"]["assemble_release"]["facts"]["release_digest"] for run in (done, last_line(demo[1]))]
    assert digests[0] == digests[1]


def test_what_the_driver_refuses_is_exit_code_2(submitted, head, lake):
    vllm = ["engine.name=vllm", "engine.model=gpt2", "engine.vllm.device=gpu", "verify.judge=writer"]
    done = head.submit("job=generate_chains", "profile=demo", f"lake.root={lake}", "tracking.enabled=false", *vllm)
    assert (done.returncode, last_line(done)["status"]) == (2, "refused")
    assert "engine.name=vllm asks for a GPU, and Ray has none: start a GPU node" in last_line(done)["error"]


def test_the_plain_command_of_the_docs_runs(submitted, head, lake):
    env = json.dumps({"excludes": [".[a-z]*", "/tests"], "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "300"}})
    command = [RAY, "job", "submit", "--address", head.dashboard, "--working-dir", ".", "--runtime-env-json", env, "--"]
    job = [sys.executable, "-m", "jobs.generate_chains", "profile=demo", "tracking.enabled=false", f"lake.root={lake}"]
    done = head.run(*command, *job)
    assert (done.returncode, "generate_chains: up to date" in done.stdout) == (0, True), done.stderr[-2000:]


def test_a_lake_that_one_node_does_not_see_is_refused(submitted, head, lake):
    """The second node has a mount namespace of its own, in which the lake's folder is empty."""
    hidden = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {lake} && exec "$@"', "sh"]
    if subprocess.run([*hidden, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no mount namespaces, so every node sees every folder")
    join = [*hidden, RAY, "start", f"--address={head.gcs}", "--node-ip-address=127.0.0.1", "--num-cpus=1"]
    with node(head, join):
        arguments = ["profile=demo", f"lake.root={lake}", "tracking.enabled=false", "chains.seed=1"]
        wait = "import ray, time; ray.init('auto', logging_level='ERROR')\nwhile len(ray.nodes()) < 2: time.sleep(0.1)"
        assert head.run(sys.executable, "-c", wait, RAY_ADDRESS=head.gcs).returncode == 0
        done = head.submit("job=generate_chains", *arguments)
    assert done.returncode == 2
    assert "is not seen by 1 of 2 Ray nodes (" in last_line(done)["error"]


def test_an_address_that_is_not_the_dashboard_s_or_lacks_the_token_is_one_line(head, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    said = {}
    for name, address in {"gcs": f"http://{head.gcs}", "client": "ray://head:10001", "token": head.dashboard}.items():
        with pytest.raises(ConfigError) as refused:
            connect(address, 5.0)
        said[name] = str(refused.value)
    assert "no dashboard of Ray's" in said["gcs"]
    assert "not of Ray Client (10001)" in said["client"]
    assert "set RAY_AUTH_MODE=token" in said["token"]


def test_a_job_that_ray_stops_ends_what_is_in_flight_and_is_143(head, tmp_path):
    """As SIGTERM ends a local one (test_stopped_job.py). Behind other jobs one actor starts late, and must still get its part."""
    put_cases(tmp_path)
    with holding() as endpoint:
        given = [f"lake.root={tmp_path}/lake", "env.OPENAI_API_KEY=none", *settings_of(endpoint)]
        with head.submitting("job=generate_chains", *given) as process:
            wait_until(lambda: len(endpoint.seen) == AT_ONCE + IN_FLIGHT, process)
            submission = process.stdout.readline().partition(":")[0]
            assert head.run(RAY, "job", "stop", "--no-wait", "--address", head.dashboard, submission).returncode == 0
            wait_until(lambda: kept(tmp_path) == AT_ONCE, process)
            let_go(endpoint, tmp_path, process)
            out, _ = process.communicate(timeout=120)
    told = json.loads(out.splitlines()[-1])
    assert (process.returncode, told["status"], told["submission_id"]) == (STOPPED, "stopped", submission)
    assert kept(tmp_path) == len(endpoint.answered) == AT_ONCE + IN_FLIGHT
