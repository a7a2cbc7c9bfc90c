"""The shell of every job: arguments -> Config, stores, MLflow, the last JSON line, exit codes.

Exit 0: done (or nothing to do). Exit 2: what the user can put right, in one line. Exit 1: anything else, with what
succeeded kept. Exit 143: told to end (SIGTERM), with what came kept.
"""

import errno
import json
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from conf.config import Config
from conf.flow import step
from conf.lake import Lake
from conf.loading import load
from conf.outcome import ConfigError, ContractError, Outcome, StageReport, Stopped
from jobs._help import help_text
from jobs._say import Show, say, working
from jobs.tracking import Tracker

if TYPE_CHECKING:
    from kg_spark.store import SparkStore


STOPPED = 128 + signal.SIGTERM
"""What a shell calls the exit of a process that SIGTERM ended."""
_STATUS = {1: "failed", 2: "refused", STOPPED: "stopped"}


class Told(Protocol):
    """How far a step has come, as medreason_ray.llm_stage.Progress."""

    def line(self) -> str:
        """For a person."""
        ...


class Run:
    """What a job works with: the configuration, the lake, a store an engine, the tracker."""

    def __init__(self, job: str, config: Config, tracker: Tracker) -> None:
        self.job = job
        self.config = config
        self.lake = Lake(config)
        self.tracker = tracker
        self.reports: list[StageReport] = []
        self.more: dict[str, Any] = {}
        """What a job adds to the last line."""
        self._show: Show = say

    @property
    def spark(self) -> "SparkStore":
        """The lake through Spark; imported here because a GPU node's environment need not hold pyspark."""
        from kg_spark.store import SparkStore

        return SparkStore(self.config, self.lake)

    def on_spark(self, name: str, stage: Callable[..., Outcome], **arguments: Any) -> StageReport:
        """Run a step of the flow in Spark and record it; arguments as `SparkStore.run`."""
        with working(name):
            report = self.spark.run(step(name), stage, **arguments)
        return self._record(report)

    def on_ray(self, name: str, stage: Callable[..., Outcome], **arguments: Any) -> StageReport:
        """Run a step of the flow in Ray and record it; arguments as `RayStore.run`."""
        from medreason_ray.store import RayStore

        with working(name) as self._show:
            report = RayStore(self.config, self.lake).run(step(name), stage, **arguments)
        return self._record(report)

    def show(self, progress: Told) -> None:
        """Say how far the step that runs has come."""
        self._show(progress.line())

    @contextmanager
    def child(self, job: str) -> Iterator["Run"]:
        """One job of the pipeline, in a child run of MLflow; its reports are this run's too."""
        with self.tracker.child(job).open() as tracker:
            run = Run(job, self.config, tracker)
            run.reports, run.more = self.reports, self.more
            yield run

    def configure(self, config: Config) -> None:
        """Go on under another configuration, such as that of a round."""
        self.config, self.lake = config, Lake(config)

    def _record(self, report: StageReport) -> StageReport:
        """Keep a step's report, say it in a line, and log it."""
        self.reports.append(report)
        say(_line(report))
        for notice in report.notices:
            say(f"  {notice}")
        self.tracker.record(report)
        return report


def run_job(job: str, main: Callable[[Run], None], arguments: Sequence[str] | None = None) -> None:
    """Run a job from the command line and exit the process."""
    code = execute(job, main, sys.argv[1:] if arguments is None else arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    # A Databricks task ends well only where nothing is raised, not even SystemExit(0).
    if code:
        sys.exit(code)


def execute(job: str, main: Callable[[Run], None], arguments: Sequence[str]) -> int:
    """Run a job and return its exit code."""
    if any(argument in {"-h", "--help", "help"} for argument in arguments):
        print(help_text(job))
        return 0
    started = time.monotonic()
    # A notebook's cells may run beside the main thread, where no signal can be caught.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    run: Run | None = None
    try:
        config = load(arguments)
        lake = Lake(config)
        lake.check_writable()
        with Tracker(job, config, arguments).open() as tracker:
            run = Run(job, config, tracker)
            main(run)
    except (ConfigError, ContractError) as error:
        return _fail(job, 2, str(error), run, started)
    except Stopped as told:
        return _fail(job, STOPPED, str(told), run, started)
    except Exception as error:  # noqa: BLE001  the last place: what failed is said, what succeeded stays
        full = _disk_full(error)
        if full:
            return _fail(job, 2, f"the disk of the lake is full ({full}): make room and run again", run, started)
        traceback.print_exc()
        return _fail(job, 1, f"{type(error).__name__}: {_first_line(error)}", run, started)
    print(_summary(job, "ok", run, started, **run.more))
    return 0


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no text")[:300]


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped("told to end (SIGTERM); the tables are as they were, run again to go on")


def _fail(job: str, code: int, text: str, run: Run | None, started: float) -> int:
    print(f"{job}: {' '.join(text.split())}", file=sys.stderr)
    print(_summary(job, _STATUS[code], run, started, error=" ".join(text.split())))
    return code


def _disk_full(error: BaseException | None) -> str:
    """The message of a full disk anywhere in the chain of causes, the JVM's and delta-rs' included."""
    while error is not None:
        text = str(error)
        if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or "No space left on device" in text:
            return "No space left on device"
        error = error.__cause__ or error.__context__
    return ""


def _line(report: StageReport) -> str:
    tables = ", ".join(f"{name} {table.rows:,} (v{table.version})" for name, table in report.tables.items())
    if report.up_to_date:
        return f"{report.step}: up to date; {tables}"
    parts = [f"{report.units_in:,} {report.unit}s in", f"{report.units_out:,} out"]
    if report.rejected:
        parts.append("rejected " + ", ".join(f"{name} {count:,}" for name, count in report.rejected.items()))
    if any(report.merged.values()):
        parts.append("merged " + ", ".join(f"{name} {count:,}" for name, count in report.merged.items() if count))
    if spent := _spent(report.metrics):
        parts.append(spent)
    return f"{report.step}: {'; '.join(parts)}; {tables}; {report.seconds:.1f} s"


def _spent(metrics: Mapping[str, float]) -> str:
    """What asking a model took, where one was asked."""
    shown = {
        "requests": "{:,.0f} requests",
        "tokens_in": "{:,.0f} tokens read",
        "tokens_out": "{:,.0f} written",
        "cost": "cost {:,.2f}",
    }
    return ", ".join(form.format(metrics[name]) for name, form in shown.items() if metrics.get(name))


def _summary(job: str, status: str, run: Run | None, started: float, **more: Any) -> str:
    # Of a step that ran in several rounds the last one stands for the lake as it is.
    reports = {report.step: report for report in (run.reports if run else [])}.values()
    rejected: dict[str, int] = {}
    for report in reports:
        for reason, count in report.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
    content = {
        "job": job,
        "status": status,
        "steps": {
            report.step: {
                "up_to_date": report.up_to_date,
                "unit": report.unit,
                "in": report.units_in,
                "out": report.units_out,
                "tables": {n: {"rows": t.rows, "version": t.version} for n, t in report.tables.items()},
                "inputs": {n: {"rows": t.rows, "version": t.version} for n, t in report.inputs.items()},
                **({"facts": dict(report.facts)} if report.facts else {}),
                **({"metrics": dict(report.metrics)} if report.metrics else {}),
            }
            for report in reports
        },
        "rejects": rejected,
        "seconds": round(time.monotonic() - started, 1),
        "mlflow_run_id": (run.tracker.run_id if run else None) or os.environ.get("MLFLOW_RUN_ID"),
        **more,
    }
    return json.dumps(_finite(content), allow_nan=False)


def _finite(value: Any) -> Any:
    """The value with null for what JSON has no number for: NaN and the infinities."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
