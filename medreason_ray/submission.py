"""A job's name and arguments -> a job of a Ray cluster, its log and its exit code, through Ray's job API.

The driver runs on the head, so nothing of the client counts there: not its folder, its environment nor its Ray. The recipe for
`ray job submit` itself, which makes every failure a 1, stands in docs/clusters.md.
"""

import asyncio
import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

import aiohttp
import httpx
from packaging.requirements import Requirement
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from conf.config_submit import SubmitConfig
from conf.outcome import ConfigError

# What the configuration of a profile may follow from, beside the command line.
_PASSED = ("MEDREASON_LAKE", "MLFLOW_TRACKING_URI")
_WRONG = (
    "the address is that of the head's dashboard, such as http://HEAD:8265, not of Ray Client (10001) or the GCS (6379)"
)
_RECONNECT_S, _TRIES = 1.0, 60
_STOPPED = 143
_CODES = {"ok": 0, "failed": 1, "refused": 2, "stopped": _STOPPED}
_SAID = {JobStatus.SUCCEEDED: "ok", JobStatus.STOPPED: "stopped"}
_ADDRESS = "RAY_API_SERVER_ADDRESS"


class ClusterLost(Exception):
    """The cluster answered and does no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended."""

    code: int
    """The driver's exit code; 143 where it was stopped."""
    summary: Mapping[str, Any]
    """The job's last line, or what Ray says where the driver left none."""


def runtime_env(submit: SubmitConfig, *, vllm: bool) -> dict[str, Any]:
    """What Ray prepares for the job's driver and workers.

    Args:
        submit: what is sent, and what is installed.
        vllm: the engine is vLLM, which stands in an extra.

    Raises:
        ConfigError: packages are to be installed for an interpreter that is named, or the project's own are not known.
    """
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    # Ray kills a job that is stopped after 3 s, and what is in flight with it.
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(submit.stop_wait_s), **passed, **submit.env}
    env: dict[str, Any] = {
        "working_dir": submit.working_dir,
        "excludes": list(submit.excludes),
        "env_vars": variables,
    }
    if submit.python:
        env["py_executable"] = submit.python
    if submit.install != "none" and submit.python:
        raise ConfigError("install and python exclude each other: an interpreter that is named has its own packages")
    if submit.install != "none":
        packages = requirements("vllm") if vllm else requirements()
        env[submit.install] = {"packages": packages} if submit.install == "uv" else packages
    return env


def requirements(extra: str = "") -> list[str]:
    """What the project needs, as its own metadata says, without Ray: a job runs with the cluster's."""
    try:
        found = [Requirement(each) for each in requires("medreason-ray") or []]
    except PackageNotFoundError as error:
        raise ConfigError("install needs to know what the project requires: install it here (make setup)") from error
    wanted = [each for each in found if each.marker is None or each.marker.evaluate({"extra": extra})]
    return sorted(f"{each.name}{each.specifier}" for each in wanted if each.name != "ray")


def entrypoint(submit: SubmitConfig, arguments: Sequence[str]) -> str:
    """The driver's command. `exec`, so that the shell in between does not die of the signal meant for the driver."""
    return "exec " + shlex.join([submit.python or "python", "-m", f"jobs.{submit.job}", *arguments])


def connect(address: str, timeout_s: float) -> JobSubmissionClient:
    """The cluster's job API.

    Raises:
        ConfigError: nothing answers, what answers is no dashboard of Ray's, or it asks for a token.
    """
    if not address:
        raise ConfigError(f"address must be given, or RAY_API_SERVER_ADDRESS set: {_WRONG}")
    url = (address if "://" in address else f"http://{address}").rstrip("/")
    try:
        answer = httpx.get(f"{url}/api/version", timeout=timeout_s)
    except (httpx.ConnectError, httpx.TimeoutException) as error:
        why = "in time" if isinstance(error, httpx.TimeoutException) else f"({error})"
        raise ConfigError(f"address '{address}': nothing answers {why}: is the head running? {_WRONG}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConfigError(f"address '{address}': no dashboard of Ray's ({error}): {_WRONG}") from error
    if answer.status_code not in {401, 403} and "ray_version" not in _object(answer.text):
        raise ConfigError(f"address '{address}': what answers is no dashboard of Ray's: {_WRONG}")
    try:
        with _only(url):
            return JobSubmissionClient(url)
    except AuthenticationError as error:
        raise ConfigError(
            f"address '{address}': the cluster asks for a token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's"
        ) from error
    except (RuntimeError, OSError) as error:
        raise ConfigError(f"address '{address}': Ray's job API does not answer ({_first(error)}): {_WRONG}") from error


@contextmanager
def _only(url: str) -> Iterator[None]:
    """Ray's client goes by the environment, RAY_API_SERVER_ADDRESS before RAY_ADDRESS, and only then by its argument."""
    before = os.environ.get(_ADDRESS)
    os.environ[_ADDRESS] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ[_ADDRESS]
        else:
            os.environ[_ADDRESS] = before


def hand_over(client: JobSubmissionClient, submit: SubmitConfig, command: str, env: dict[str, Any]) -> str:
    """Upload what the job needs and start it; its submission_id.

    Raises:
        ClusterLost: the cluster took neither, or stopped answering.
    """
    try:
        submission: str = client.submit_job(entrypoint=command, runtime_env=env, metadata={"job": submit.job})
    except (RuntimeError, OSError) as error:
        raise ClusterLost(f"the cluster did not take the job ({_first(error)})") from error
    return submission


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def follow(client: JobSubmissionClient, job: str, submission: str, show: Callable[[str], None]) -> Ended:
    """Show a job's log while it runs, all but its last JSON line, and how it ended.

    Raises:
        ClusterLost: the cluster answered no more for a minute.
    """
    asyncio.run(_tail(client, submission, lambda line: None if _is_summary(line) else show(line)))
    try:
        details = client.get_job_info(submission)
        lines = [line for line in client.get_job_logs(submission).splitlines() if _is_summary(line)]
    except (RuntimeError, OSError) as error:
        raise ClusterLost(f"the cluster answers no more ({_first(error)}); the job has ended: {submission}") from error
    said = {"job": job, "status": _SAID.get(details.status, "failed")}
    if said["status"] == "failed":
        said["error"] = details.message
    summary: dict[str, Any] = _object(lines[-1]) if lines else said
    return Ended(
        code=_code(details.status, details.driver_exit_code, str(summary.get("status"))),
        summary={**summary, "submission_id": submission},
    )


async def _tail(client: JobSubmissionClient, submission: str, show: Callable[[str], None]) -> None:
    """Every line once, though the connection may break in a night's run and then begins at the first line again."""
    shown = broken = 0
    while True:
        number, rest = 0, ""
        try:
            async for chunk in client.tail_job_logs(submission):
                *lines, rest = (rest + chunk).split("\n")
                for line in lines[max(0, shown - number) :]:
                    show(line)
                number += len(lines)
                broken, shown = 0, max(shown, number)
            ended = client.get_job_status(submission).is_terminal()
        except (RuntimeError, OSError, aiohttp.ClientError) as error:
            ended, broken = False, broken + 1
            if broken > _TRIES:
                raise ClusterLost(f"the cluster answers no more ({error}); the job may run on: {submission}") from error
        if ended:
            if rest:
                show(rest)
            return
        await asyncio.sleep(_RECONNECT_S)


def _code(status: JobStatus, driver: int | None, said: str) -> int:
    if status == JobStatus.SUCCEEDED:
        return 0
    if status == JobStatus.STOPPED:
        return _STOPPED
    if driver:
        return driver if driver > 0 else 128 - driver
    return _CODES.get(said, 1) or 1


def _is_summary(line: str) -> bool:
    return line.startswith('{"job": ') and "status" in _object(line)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
