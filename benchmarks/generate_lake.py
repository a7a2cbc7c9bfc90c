"""A lake of many cases drawn from a few, and the step generate_chains over it with what it takes."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from conf.config import Config
from conf.flow import step
from conf.identity import SEPARATOR, digest
from conf.lake import Lake, user_metadata
from conf.loading import load
from conf.outcome import StageReport
from conf.tables import CASES

_FILE_ROWS = 10_000
_EVERY_S = 2.0


def config_of(root: str, *more: str) -> Config:
    return load(["profile=demo", f"lake.root={root}", "tracking.enabled=false", *more])


def write_cases(source: str, root: str, rows: int) -> None:
    """As many cases as asked, each one of the source's with an id and a text of its own."""
    from medreason_ray.store import arrow_table

    drawn = arrow_table(DeltaTable(f"{source}/cases"), CASES.schema)
    metadata = user_metadata(step("build_cases"), CASES, digest("drawn", str(rows)), {})
    texts = drawn["question"].to_pylist()
    for first in range(0, rows, _FILE_ROWS):
        numbers = range(first, min(first + _FILE_ROWS, rows))
        table = drawn.take([number % len(drawn) for number in numbers])
        new = {
            "question_id": [digest("drawn", str(number)) for number in numbers],
            "question": [f"Patient {number}. {texts[number % len(texts)]}" for number in numbers],
        }
        for name, values in new.items():
            table = table.set_column(CASES.schema.get_field_index(name), name, pa.array(values, pa.string()))
        write_deltalake(
            f"{root}/cases",
            table,
            mode="append",
            commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
        )


def run_step(config: Config, **more: Any) -> StageReport:
    """The step over its lake, as jobs.generate_chains runs it; `more` as generate_chains.run."""
    from medreason_ray.ledger import Ledger
    from medreason_ray.stages import generate_chains
    from medreason_ray.store import RayStore

    lake = Lake(config)
    return RayStore(config, lake).run(
        step("generate_chains"),
        generate_chains.run,
        ledger=Ledger(lake.uri("replies")),
        engine=config.engine,
        chains=config.chains,
        verify=config.verify,
        batch_rows=config.ray.batch_rows,
        **more,
    )


def generate(root: str, actors: int) -> dict[str, float]:
    """The whole step, from joining Ray to the last commit, and the most memory held, object store apart."""
    config = config_of(root, f"engine.actors={actors}")
    lake = Lake(config)
    with _watched() as most:
        started = time.monotonic()
        report = run_step(config, report=lambda progress: print(progress.line(), file=sys.stderr))
        seconds = time.monotonic() - started
    files = sum(1 for _ in Path(lake.uri("chains")).glob("*.parquet"))
    return {"seconds": seconds, "questions": report.units_out, "files": files, **most}


def digests(root: str) -> dict[str, str]:
    """A digest of each table that the step writes, rows in the order of its key, volatile columns aside."""
    from conf.tables import TABLES
    from medreason_ray.store import arrow_table

    found = {}
    for name in ("chains", "verdicts", "rejects"):
        table = TABLES[name]
        rows = arrow_table(DeltaTable(f"{root}/{name}"), table.schema).select(list(table.stable_columns)).to_pylist()
        ordered = sorted(rows, key=lambda row: [str(row[each]) for each in table.key])
        found[name] = digest(SEPARATOR.join(map(str, ordered)))
    return found


@contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """What this process and all below it took: the most MB held at once, of the object store, and CPU seconds."""
    most = {"peak_mb": 0.0, "store_mb": 0.0, "cpu_s": 0.0}
    cpu_s: dict[int, float] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY_S):
            private = shared = 0.0
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                with suppress(psutil.NoSuchProcess, OSError):
                    times = process.cpu_times()
                    cpu_s[process.pid] = times.user + times.system
                    held = _held_mb(process.pid)
                    private, shared = private + held[0], shared + held[1]
            most["peak_mb"], most["store_mb"] = max(most["peak_mb"], private), max(most["store_mb"], shared)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        done.set()
        watching.join()
        most["cpu_s"] = sum(cpu_s.values())


def _held_mb(pid: int) -> tuple[float, float]:
    """MB of proportional set size: memory and files, and apart from them what lies in shared memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return (kib["Pss_Anon"] + kib["Pss_File"]) * 1024 / 1e6, kib["Pss_Shmem"] * 1024 / 1e6


def run_demo(root: str) -> None:
    """The demo's lake, which the cases are drawn from."""
    from jobs import run_pipeline
    from jobs._run import execute

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = nowhere
        if execute("run_pipeline", run_pipeline.main, ["profile=demo", f"lake.root={root}", "tracking.enabled=false"]):
            raise RuntimeError("the demo failed")
