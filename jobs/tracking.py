"""MLflow on the driver: one parent run a pipeline, one child a job, tables with their versions, metrics named with units.

A run that is active already (a notebook's, MLFLOW_RUN_ID's) is respected: the job logs into a child of it. MLflow is
imported when tracking is on, never in a worker.
"""

import contextlib
import json
import math
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conf.config import Config
from conf.lake import Lake
from conf.outcome import ConfigError, StageReport

_MAX_VALUE = 6000


class Tracker:
    """Logs steps of one job into one run; silent where tracking is off."""

    def __init__(self, job: str, config: Config, arguments: Sequence[str] = (), *, nested: bool = False) -> None:
        self._job = job
        self._config = config
        self._arguments = list(arguments)
        self._nested = nested
        self._on = config.tracking.enabled
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
        import mlflow

        self._connect()
        active = mlflow.active_run()
        with mlflow.start_run(run_name=self._job, nested=self._nested or active is not None) as run:
            self.run_id = run.info.run_id
            mlflow.set_tags({**_tags(self._job), "medreason.arguments": " ".join(self._arguments)})
            mlflow.log_params(flat(self._config))
            mlflow.log_dict(asdict(self._config), "config.json")
            yield self

    def child(self, job: str) -> "Tracker":
        """The tracker of one job of the pipeline, its run nested in this one."""
        return Tracker(job, self._config, self._arguments, nested=True)

    def record(self, report: StageReport) -> None:
        """Inputs, counts and seconds of one step."""
        if not self._on:
            return
        import mlflow

        lake = Lake(self._config)
        for name, table in report.inputs.items():
            mlflow.log_input(_dataset(lake, name, table.version, report.fingerprint), context=report.step)
        numbers: dict[str, float] = {
            f"{report.step}/up_to_date": float(report.up_to_date),
            **{f"{report.step}/{name}_rows": table.rows for name, table in report.tables.items()},
        }
        if not report.up_to_date:
            numbers |= {
                f"{report.step}/seconds": report.seconds,
                f"{report.step}/{report.unit}s_in": report.units_in,
                f"{report.step}/{report.unit}s_out": report.units_out,
                **{f"{report.step}/rejected_{name}": count for name, count in report.rejected.items()},
                **{f"{report.step}/merged_{name}": count for name, count in report.merged.items()},
                **{f"{report.step}/{name}": number for name, number in report.metrics.items()},
            }
        mlflow.log_metrics(numbers)
        versions = {f"{report.step}.{name}.version": str(table.version) for name, table in report.tables.items()}
        mlflow.set_tags({**versions, f"{report.step}.fingerprint": report.fingerprint, **report.facts})

    def metrics(self, numbers: dict[str, float]) -> None:
        """Numbers that belong to no step; those that are not finite are left out."""
        if self._on:
            import mlflow

            mlflow.log_metrics({name: value for name, value in numbers.items() if math.isfinite(value)})

    def sample(self, rows: dict[str, list[Any]], name: str) -> None:
        """A small table as an artifact, for the side-by-side view."""
        if self._on and any(rows.values()):
            import mlflow

            mlflow.log_table(rows, f"{name}.json")

    def text(self, content: str, name: str) -> None:
        """A text artifact."""
        if self._on:
            import mlflow

            mlflow.log_text(content, name)

    def _connect(self) -> None:
        import mlflow
        from mlflow.exceptions import MlflowException

        uri = self._config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI", "")
        # Without these a server that is down is asked again for minutes before the job says so.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        try:
            mlflow.set_tracking_uri(uri or "sqlite:///mlflow.db")
            if mlflow.active_run() is None and not os.environ.get("MLFLOW_RUN_ID"):
                mlflow.set_experiment(self._config.tracking.experiment)
        except (MlflowException, OSError) as error:
            first = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"tracking.uri '{uri}' cannot be used: {first}; tracking.enabled=false logs nothing"
            ) from error


def flat(config: Config) -> dict[str, str]:
    """The configuration as MLflow parameters: dotted keys, values as text of at most 6,000 characters."""
    found: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{prefix}{key}.", inner)
            return
        text = value if isinstance(value, str) else json.dumps(value)
        found[prefix.removesuffix(".")] = text[:_MAX_VALUE]

    walk("", asdict(config))
    return found


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


def _dataset(lake: Lake, name: str, version: int, fingerprint: str) -> Any:
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = DeltaDatasetSource(path=lake.uri(name), delta_table_version=version)
    return MetaDataset(source, name=name, digest=f"{fingerprint}v{version}"[:36])
