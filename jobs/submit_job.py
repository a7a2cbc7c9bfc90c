"""Hand a Ray job to a cluster, show its log, end with its exit code: submit_job job=NAME address=URL [key=value …]."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

from conf.config import Config
from conf.config_submit import SubmitConfig
from conf.flow import jobs
from conf.loading import keys, load, load_section
from conf.outcome import ConfigError
from jobs._mlflow import shown_arguments, without_password
from jobs._say import say
from medreason_ray.submission import ClusterLost, Ended, connect, entrypoint, follow, hand_over, runtime_env
from medreason_ray.upload import check

_OWN = {each.name for each in fields(SubmitConfig)}


def main(arguments: Sequence[str]) -> int:
    """Submit and return the exit code: the job's own, or 2 where it was not submitted."""
    if any(argument in {"-h", "--help", "help"} for argument in arguments):
        print(_help())
        return 0
    own = [each for each in arguments if each.partition("=")[0].partition(".")[0] in _OWN]
    others = [each for each in arguments if each not in own]
    job = ""
    try:
        submit = load_section(SubmitConfig, own)
        job = submit.job
        ended = _submit(submit, load(others), others)
    except ConfigError as error:
        ended = _not_ended(job, 2, "refused", error)
    except ClusterLost as error:
        ended = _not_ended(job, 1, "lost", error)
    print(json.dumps(ended.summary))
    return ended.code


def _not_ended(job: str, code: int, status: str, error: Exception) -> Ended:
    text = " ".join(str(error).split())
    print(f"submit_job: {text}", file=sys.stderr)
    return Ended(code=code, summary={"job": job, "status": status, "error": text})


def _submit(submit: SubmitConfig, config: Config, arguments: list[str]) -> Ended:
    _check_job(submit.job)
    _check_secrets(submit, arguments)
    _check_places(config)
    upload = check(Path(submit.working_dir).absolute(), list(submit.excludes))
    client = connect(submit.address or os.environ.get("RAY_API_SERVER_ADDRESS", ""), submit.timeout_s)
    env = runtime_env(submit, vllm=any(each.name == "vllm" for each in config.asked))
    submission = hand_over(client, submit, entrypoint(submit, arguments), env)
    say(f"{submission}: {submit.job} handed over with {upload.line()}; `ray job stop {submission}` ends it")
    if not submit.wait:
        return Ended(code=0, summary={"job": submit.job, "status": "submitted", "submission_id": submission})
    return follow(client, submit.job, submission, lambda line: print(line, flush=True))


def _check_job(job: str) -> None:
    """A job that Ray runs, and no other.

    Raises:
        ConfigError: it is none.
    """
    if not job.isidentifier() or job.startswith("_") or job == "submit_job" or find_spec(f"jobs.{job}") is None:
        raise ConfigError(f"job='{job}' is no job; Ray's are {', '.join(_on('ray'))}")
    if job in _on("spark") or job == "run_pipeline":
        raise ConfigError(
            f"job='{job}' needs Spark: use spark-submit (docs/clusters.md); Ray's are {', '.join(_on('ray'))}"
        )


def _check_secrets(submit: SubmitConfig, arguments: Sequence[str]) -> None:
    """Ray shows a job's command and environment to all who see its dashboard, and keeps them.

    Raises:
        ConfigError: a password or a key is among them.
    """
    tracked = {"MLFLOW_TRACKING_URI": os.environ.get("MLFLOW_TRACKING_URI", "")} | submit.env
    shown = [name for name, value in tracked.items() if without_password(value) != value]
    shown += [each.partition("=")[0] for each in arguments if shown_arguments([each]) != each]
    if shown:
        raise ConfigError(
            f"{shown[0]} holds a secret, which Ray's dashboard would show: set it in the environment of the cluster's nodes"
        )


def _check_places(config: Config) -> None:
    """Nothing may lie beside the code: Ray runs the job in a copy of the folder and removes it afterwards.

    Raises:
        ConfigError: lake.root does.
    """
    if "://" not in config.lake.root and not Path(config.lake.root).is_absolute():
        raise ConfigError(
            f"lake.root '{config.lake.root}' lies in the job's own folder, which Ray removes: give a URI, or the absolute path of"
            " a folder that every node sees"
        )
    tracked = config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if config.tracking.enabled and not tracked:
        say(
            "MLflow's file will lie in the job's own folder, which Ray removes: give tracking.uri or MLFLOW_TRACKING_URI"
        )


def _on(engine: str) -> list[str]:
    return [name for name, steps in jobs().items() if steps[0].engine == engine]


def _help() -> str:
    lines = [
        "usage: python -m jobs.submit_job job=NAME address=URL [key=value …] [the job's own keys]",
        "",
        "keys (default):",
    ]
    lines += [f"  {key} ({default or repr('')}): {' '.join(doc.split())}" for key, default, doc in keys(SubmitConfig)]
    return "\n".join(lines)


def cli() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    cli()
