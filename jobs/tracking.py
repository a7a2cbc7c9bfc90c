"""MLflow on the driver: one parent run a pipeline, one child a job, tables with their versions, metrics named with units.

A run that is active already (a notebook's, MLFLOW_RUN_ID's) is respected: the job logs into a child of it. What a job logs
goes to its own run and to the pipeline's, so that two pipelines are compared by two runs; the names are in
docs/comparing.md. Runs are addressed by their ids, never by MLflow's active run: that is the caller's. MLflow is imported
when tracking is on, never in a worker; where it stops answering the job goes on (jobs/_journal.py).
"""

import contextlib
import json
import math
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from conf.config import Config
from conf.flow import step
from conf.lake import Lake
from conf.outcome import StageReport
from jobs._journal import Journal
from jobs._mlflow import UNUSABLE, client, connect, dataset, log_batch, now_ms, shown, shown_arguments, unusable
from jobs._prompts import prompts_of, register

_MAX_VALUE = 6000
_PER_BATCH = 100


class Tracker:
    """Logs steps of one job into one run; silent where tracking is off."""

    def __init__(
        self, job: str, config: Config, arguments: Sequence[str] = (), *, parent: "Tracker | None" = None
    ) -> None:
        self._job = job
        self._config = config
        self._arguments = list(arguments)
        self._parent = parent
        self.journal: Journal = parent.journal if parent else Journal()
        self._on = config.tracking.enabled
        self.experiment: str = parent.experiment if parent else ""
        self._above: str | None = None
        """The caller's own run, where there is one."""
        self.run_id: str | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator["Tracker"]:
        """A started run for the block; it ends FAILED where the block raises.

        Raises:
            ConfigError: the tracking store cannot be reached.
        """
        if not self._on:
            yield self
            return
        if self._parent is None:
            self._connect()
        self._start(now_ms())
        status = "FAILED"
        try:
            yield self
            status = "FINISHED"
        finally:
            ended = now_ms()
            self._log("how it ended", lambda run_id: client().set_terminated(run_id, status, ended))
            if self._parent is None:
                self.journal.close()

    def child(self, job: str) -> "Tracker":
        """The tracker of one job of the pipeline, its run nested in this one."""
        return Tracker(job, self._config, self._arguments, parent=self)

    def record(self, report: StageReport) -> None:
        """Inputs, counts and seconds of one step, and the prompts that it may have asked with."""
        if not self._on:
            return
        self._inputs(report)
        self._batch(f"the counts of {report.step}", metrics=_numbers(report), tags=_facts(report))
        if not report.up_to_date:
            self._prompts(report.step)

    def metrics(self, numbers: dict[str, float]) -> None:
        """Numbers that belong to no step; those that are not finite are left out."""
        if self._on:
            self._batch("numbers", metrics={name: value for name, value in numbers.items() if math.isfinite(value)})

    def tags(self, tags: dict[str, str]) -> None:
        """Facts that belong to no step."""
        if self._on:
            self._batch("tags", tags=tags)

    def sample(self, rows: dict[str, list[Any]], name: str) -> None:
        """A small table as an artifact, for the side-by-side view."""
        if self._on and any(rows.values()):
            self._log(f"{name}.json", lambda run_id: client().log_table(run_id, rows, f"{name}.json"))

    def text(self, content: str, name: str) -> None:
        """A text artifact."""
        if self._on:
            self._log(name, lambda run_id: client().log_text(run_id, content, name))

    def _start(self, started: int) -> None:
        """Create the run, once MLflow answers, with everything that is known at its start."""
        from mlflow.tracking.context.registry import resolve_tags

        tags = resolve_tags({**_tags(self._job), "medreason.arguments": shown_arguments(self._arguments)})

        def create() -> None:
            above = self._parent.run_id if self._parent else self._above
            nested = {"mlflow.parentRunId": above} if above else {}
            run = client().create_run(self.experiment, started, {**tags, **nested}, self._job)
            self.run_id = run.info.run_id

        self.journal.log(f"the run of {self._job}", create)
        params = list(flat(self._config).items())
        for first in range(0, len(params), _PER_BATCH):
            some = dict(params[first : first + _PER_BATCH])
            self._log("parameters", partial(log_batch, params=some))
        self._log("config.json", lambda run_id: client().log_dict(run_id, shown(self._config), "config.json"))

    def _inputs(self, report: StageReport) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        lake, context = Lake(self._config), [InputTag("mlflow.data.context", report.step)]
        found = [dataset(lake, name, table.version, report.fingerprint) for name, table in report.inputs.items()]
        inputs = [DatasetInput(Dataset(**each.to_dict()), context) for each in found]
        if inputs:
            self.log_all(f"the inputs of {report.step}", lambda run_id: client().log_inputs(run_id, inputs))

    def _prompts(self, name: str) -> None:
        """Register the step's prompts where their hashes are new, and name their versions on the run."""
        for prompt in prompts_of(step(name), self._config):

            def put(run_id: str, prompt: Any = prompt) -> None:
                version = register(client(), prompt)
                log_batch(run_id, tags={f"prompt.{prompt.stem}": f"{version.name}/{version.version} {prompt.hash}"})
                client().link_prompt_version_to_run(run_id, version)

            self.log_all(f"the prompt {prompt.stem}", put)

    def _batch(
        self, what: str, *, metrics: Mapping[str, float] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        now = now_ms()
        self.log_all(what, lambda run_id: log_batch(run_id, metrics=metrics, tags=tags, at_ms=now))

    def log_all(self, what: str, call: Callable[[str], object]) -> None:
        """Into this run and the pipeline's."""
        self._log(what, call)
        if self._parent is not None:
            self._parent.log_all(what, call)

    def _log(self, what: str, call: Callable[[str], object]) -> None:
        def made() -> None:
            if self.run_id is not None:
                call(self.run_id)

        self.journal.log(f"{what} ({self._job})", made)

    def _connect(self) -> None:
        """Find the experiment and the caller's own run.

        Raises:
            ConfigError: the tracking store cannot be reached.
        """
        import mlflow
        from mlflow.exceptions import MlflowException

        uri = connect(self._config)
        try:
            active = mlflow.active_run()
            self._above = active.info.run_id if active else os.environ.get("MLFLOW_RUN_ID") or None
            if self._above:
                self.experiment = client().get_run(self._above).info.experiment_id
            else:
                self.experiment = mlflow.set_experiment(self._config.tracking.experiment).experiment_id
        except (*UNUSABLE, MlflowException) as error:
            raise unusable(uri, error) from error


def flat(config: Config) -> dict[str, str]:
    """The configuration as MLflow parameters: dotted keys, values as text of at most 6,000 characters, no secrets."""
    found: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{prefix}{key}.", inner)
            return
        text = value if isinstance(value, str) else json.dumps(value)
        found[prefix.removesuffix(".")] = text[:_MAX_VALUE]

    walk("", shown(config))
    return found


def _numbers(report: StageReport) -> dict[str, float]:
    """The step's metrics; a run that found it up to date has its tables' rows alone."""
    numbers: dict[str, float] = {
        f"{report.step}/up_to_date": float(report.up_to_date),
        **{f"{report.step}/{name}_rows": table.rows for name, table in report.tables.items()},
    }
    if report.up_to_date:
        return numbers
    return numbers | {
        f"{report.step}/seconds": report.seconds,
        f"{report.step}/{report.unit}s_in": report.units_in,
        f"{report.step}/{report.unit}s_out": report.units_out,
        **{f"{report.step}/rejected_{name}": count for name, count in report.rejected.items()},
        **{f"{report.step}/merged_{name}": count for name, count in report.merged.items()},
        **{f"{report.step}/{name}": number for name, number in report.metrics.items()},
    }


def _facts(report: StageReport) -> dict[str, str]:
    versions = {f"{report.step}.{name}.version": str(table.version) for name, table in report.tables.items()}
    return {**versions, f"{report.step}.fingerprint": report.fingerprint, **report.facts}


def _tags(job: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    tags = {"medreason.job": job, "medreason.pipeline" if job == "run_pipeline" else "medreason.step": "true"}
    with contextlib.suppress(PackageNotFoundError):
        tags["medreason.version"] = version("medreason-ray")
    sha = _git_sha()
    if sha:
        tags["mlflow.source.git.commit"] = sha
    if submission := os.environ.get("RAY_JOB_SUBMISSION_ID"):
        tags["ray.submission_id"] = submission
    return tags


def _git_sha() -> str:
    """The commit of the source tree, where this runs from one; empty from a wheel."""
    tree = Path(__file__).resolve().parent.parent
    if not (tree / ".git").exists():
        return os.environ.get("GIT_COMMIT", "")
    found = subprocess.run(  # noqa: S603  a fixed command
        ["git", "-C", str(tree), "rev-parse", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()
