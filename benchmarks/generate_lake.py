"""A lake of many cases drawn from a few, and the step generate_chains over it with what it takes."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from benchmarks.measure import apart
from benchmarks.processes import Held, watched
from conf.config import Config
from conf.flow import step
from conf.identity import SEPARATOR, digest
from conf.lake import Lake, user_metadata
from conf.loading import load
from conf.outcome import StageReport
from conf.tables import CASES

# At least so many files, that some workers read and parse at once, and at most so many cases in one, as Spark bounds its files
# by size: who reads a file holds more of a larger one.
_FILES, _FILE_CASES = 30, 10_000


def config_of(root: str, *more: str) -> Config:
    return load(["profile=demo", f"lake.root={root}", "tracking.enabled=false", *more])


@contextmanager
def sources(given: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """A lake that cases are drawn from, and a folder for those drawn, of a benchmark that is told lake= and work=.

    Without lake= the demo is run first; without work= the folder goes with the block.
    """
    with tempfile.TemporaryDirectory(prefix="medreason-bench-") as folder:
        work = Path(given.get("work") or folder).absolute()
        source = given.get("lake") or str(work / "demo")
        if not Path(f"{source}/cases").is_dir():
            apart(run_demo, source)
        yield source, work


def lake_of(source: str, work: Path, rows: int) -> str:
    """The lake of so many cases, written unless it is there."""
    root = str(work / f"cases-{rows}")
    if not Path(f"{root}/cases").is_dir():
        apart(write_cases, source, root, rows)
    return root


def write_cases(source: str, root: str, rows: int) -> None:
    """As many cases as asked, each one of the source's with an id and a text of its own, and the source's graph."""
    from medreason_ray.store import arrow_table

    for name in step("build_kg").writes:
        shutil.copytree(f"{source}/{name}", f"{root}/{name}", dirs_exist_ok=True)
    drawn = arrow_table(DeltaTable(f"{source}/cases"), CASES.schema)
    metadata = user_metadata(step("build_cases"), CASES, digest("drawn", str(rows)), {})
    texts = drawn["question"].to_pylist()
    file_rows = min(_FILE_CASES, -(-rows // _FILES))
    for first in range(0, rows, file_rows):
        numbers = range(first, min(first + file_rows, rows))
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
        judge=config.judging,
        links=config.links,
        batch_rows=config.ray.batch_rows,
        **more,
    )


def remove_written(config: Config) -> None:
    """What an earlier run of the step wrote."""
    for name in (*step("generate_chains").writes, "replies", "rejects"):
        shutil.rmtree(Lake(config).uri(name), ignore_errors=True)


def generate(root: str, actors: int) -> tuple[dict[str, float], Held]:
    """The whole step, from joining Ray to the last commit, and what it took; what an earlier run wrote is gone before."""
    config = config_of(root, f"engine.actors={actors}")
    remove_written(config)
    with watched() as held:
        started = time.monotonic()
        report = run_step(config, report=lambda progress: print(progress.line(), file=sys.stderr))
        seconds = time.monotonic() - started
    files = sum(1 for _ in Path(Lake(config).uri("chains")).glob("*.parquet"))
    return {"seconds": seconds, "questions": report.units_out, "files": files}, held


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


def run_demo(root: str) -> None:
    """The demo's lake, which the cases are drawn from."""
    from jobs import run_pipeline
    from jobs._run import execute

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = nowhere
        if execute("run_pipeline", run_pipeline.main, ["profile=demo", f"lake.root={root}", "tracking.enabled=false"]):
            raise RuntimeError("the demo failed")
