"""A job's arguments -> what is handed to Ray, and Ray's answer -> an exit code; clusters are made up."""

import http.server
import os
import shlex
import socket
import threading
from types import SimpleNamespace

import pytest
from ray.job_submission import JobStatus

from conf.config_submit import SubmitConfig
from conf.outcome import ConfigError
from medreason_ray import submission
from medreason_ray.submission import ClusterLost, connect, entrypoint, follow, hand_over, requirements, runtime_env


def test_arguments_reach_the_job_as_they_were_given():
    given = ["lake.root=/a b", "kg.sources=[{name: 'x', nodes: $HOME/n.tsv}]", "engine.model=a;b"]
    command = entrypoint(SubmitConfig(job="generate_chains", python="/opt/e/python"), given)
    assert shlex.split(command) == ["exec", "/opt/e/python", "-m", "jobs.generate_chains", *given]


def test_the_environment_says_how_long_a_stopped_job_may_take_and_what_profiles_read(monkeypatch):
    monkeypatch.setenv("MEDREASON_LAKE", "s3://b/lake")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-sent")
    env = runtime_env(SubmitConfig(job="x", stop_wait_s=60, env={"A": "1"}), vllm=False)
    assert env["env_vars"] == {"RAY_JOB_STOP_WAIT_TIME_S": "60", "MEDREASON_LAKE": "s3://b/lake", "A": "1"}
    assert "sk-not-sent" not in str(env)


@pytest.mark.parametrize(("vllm", "there"), [(False, False), (True, True)])
def test_what_is_installed_is_what_the_project_says_it_needs_but_ray(vllm, there):
    packages = runtime_env(SubmitConfig(job="x", install="uv"), vllm=vllm)["uv"]["packages"]
    names = {each.split("=")[0].split(">")[0].split("<")[0] for each in packages}
    assert ({"deltalake", "mlflow"} <= names, "vllm" in names, "ray" in names) == (True, there, False)
    assert packages == requirements("vllm" if vllm else "")


class Client:
    """A job whose log breaks off once and begins again, as a lost connection makes it."""

    def __init__(self, log: str, status: JobStatus, code: int | None, broken: int = 0) -> None:
        self.log, self.status, self.code, self.broken = log, status, code, broken

    async def tail_job_logs(self, _):
        if self.broken:
            yield self.log[: self.broken]
            self.broken = 0
            raise RuntimeError("the connection is closed")
        yield self.log

    def get_job_status(self, _):
        return JobStatus.RUNNING if self.broken else self.status

    def get_job_logs(self, _):
        return self.log

    def get_job_info(self, _):
        return SimpleNamespace(status=self.status, driver_exit_code=self.code, message="the head is gone")


LINE = '{"job": "generate_chains", "status": "%s", "steps": {}}\n'
FAILED, STOPPED, DONE = JobStatus.FAILED, JobStatus.STOPPED, JobStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("log", "status", "driver", "code"),
    [
        (LINE % "ok", DONE, 0, 0),
        (LINE % "refused", FAILED, 2, 2),
        (LINE % "refused", FAILED, None, 2),
        (LINE % "failed", FAILED, None, 1),
        ("killed\n", FAILED, None, 1),
        ("killed\n", FAILED, -9, 137),
        (LINE % "stopped", STOPPED, None, 143),
        ("killed\n", STOPPED, None, 143),
        ("killed\n", DONE, 0, 0),
    ],
)
def test_the_driver_s_exit_code_comes_through(log, status, driver, code):
    ended = follow(Client(log, status, driver), "generate_chains", "raysubmit_1", lambda _: None)
    told = ended.summary
    assert (ended.code, told["submission_id"], told["job"]) == (code, "raysubmit_1", "generate_chains")
    assert told.get("error") == ("the head is gone" if log == "killed\n" and status == FAILED else None)
    if log == "killed\n":
        assert told["status"] == {DONE: "ok", STOPPED: "stopped", FAILED: "failed"}[status]


def test_a_cluster_that_answers_no_more_is_said_with_the_job_s_id(monkeypatch):
    client = Client("one\n", DONE, 0)
    monkeypatch.setattr(submission, "_RECONNECT_S", 0)
    monkeypatch.setattr(client, "get_job_status", lambda _: (_ for _ in ()).throw(ConnectionError("refused")))
    monkeypatch.setattr(submission, "_TRIES", 0)
    with pytest.raises(ClusterLost, match=r"\(refused\); the job may run on: raysubmit_1"):
        follow(client, "generate_chains", "raysubmit_1", lambda _: None)


def test_each_line_is_shown_once_though_the_connection_breaks_and_the_last_is_held_back(monkeypatch):
    shown = []
    monkeypatch.setattr(submission, "_RECONNECT_S", 0)
    follow(Client("one\ntwo\nthree\n" + LINE % "ok" + "behind\n", DONE, 0, broken=6), "j", "id", shown.append)
    assert shown == ["one", "two", "three", "behind"]


@pytest.fixture
def elsewhere():
    """Servers that are no dashboard: one that speaks HTTP, one that says nothing."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as web, socket.socket() as mute:
        threading.Thread(target=web.serve_forever, args=(0.005,)).start()
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        yield {"web": web.server_address[1], "mute": mute.getsockname()[1], "closed": 1}
        web.shutdown()


@pytest.mark.parametrize(
    ("which", "said"),
    [("web", "no dashboard of Ray's"), ("mute", "nothing answers in time"), ("closed", "nothing answers (")],
)
def test_an_address_where_no_dashboard_is_is_one_line(elsewhere, which, said, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ConfigError) as refused:
        connect(f"http://127.0.0.1:{elsewhere[which]}", 0.3)
    assert said in str(refused.value)
    assert "http://HEAD:8265" in str(refused.value)


def test_a_named_interpreter_has_its_own_packages():
    with pytest.raises(ConfigError, match="install and python exclude each other"):
        runtime_env(SubmitConfig(job="x", install="uv", python="/opt/e/python"), vllm=False)


class Dashboard(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = b'{"version": "4", "ray_version": "2.60.0", "ray_commit": "x", "session_name": "s"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """Keep quiet."""


def test_the_address_that_is_given_counts_and_not_the_environment_s(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:2")
    with http.server.HTTPServer(("127.0.0.1", 0), Dashboard) as web:
        threading.Thread(target=web.serve_forever, args=(0.005,)).start()
        url = f"http://127.0.0.1:{web.server_address[1]}"
        client = connect(url, 5.0)
        web.shutdown()
    assert client.get_address() == url
    assert os.environ["RAY_API_SERVER_ADDRESS"] == "http://127.0.0.1:2"


def test_a_cluster_that_does_not_take_the_job_is_one_line():
    def refuse(**_):
        raise RuntimeError("Request failed with status code 500:\n no room")

    with pytest.raises(ClusterLost, match=r"did not take the job \(Request failed with status code 500: no room\)"):
        hand_over(SimpleNamespace(submit_job=refuse), SubmitConfig(job="x"), "exec python", {})
