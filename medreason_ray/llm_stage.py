"""rows -> replies: what every stage that asks a model shares; asked first, parsed afterwards.

Two passes over the same rows. The first drives each row's conversation on actors that hold an engine, asks what the ledger
does not know and appends the replies as they come; it hands on nothing but counts. The second drives the conversations again
from the ledger alone and keeps what they return. So what is parsed is what the ledger holds, however often the first pass was
killed, and a mended parser asks nothing.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, Dataset
from ray.exceptions import RayActorError

from conf.config import EngineConfig
from medreason_ray.asker import BATCHES, REFUSALS, SUMS, Asker, OpenEngine
from medreason_ray.conversation import Converse
from medreason_ray.engines.choice import open_engine as choose_engine
from medreason_ray.engines.placement import resources
from medreason_ray.ledger import Known, Ledger
from medreason_ray.stopping import Pool, until_told

# Seconds that a pass waits for its engines to close; an actor killed from outside never says so.
_CLOSING_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the asking has come in this run."""

    rows: int
    """Rows whose conversations have ended, of those that were read."""
    of_rows: int
    """All rows; 0 where unknown."""
    asked: int
    failed: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    seconds: float
    errors: Mapping[str, int]
    """Failures by the class of the error."""

    def line(self) -> str:
        """For a person: done, speed, time left, failures."""
        share = f" of {self.of_rows:,}" if self.of_rows else ""
        rate = self.rows / self.seconds if self.seconds else 0.0
        parts = [f"{self.rows:,}{share} rows", f"{rate:,.1f} rows/s", f"{self.asked:,} requests"]
        if self.tokens_in + self.tokens_out:
            parts.append(f"{self.tokens_out / max(self.seconds, 1e-9):,.0f} tokens/s written")
            parts.append(f"{self.tokens_cached / max(self.tokens_in, 1):.0%} of prompt tokens cached")
        if rate and self.of_rows > self.rows:
            parts.append(f"{timedelta(seconds=int((self.of_rows - self.rows) / rate))} left")
        if self.failed:
            parts.append("failed " + ", ".join(f"{name} {count:,}" for name, count in sorted(self.errors.items())))
        return "; ".join(parts)


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the first pass did."""

    rows: int
    asked: int
    """Requests that the ledger did not hold before, or held as failed."""
    known: Known
    """The ledger behind it."""
    progress: Progress


def ask_missing(
    rows: Dataset,
    converse: Converse,
    *,
    stages: tuple[str, ...],
    ledger: Ledger,
    engine: EngineConfig,
    batch_rows: int,
    open_engine: OpenEngine = choose_engine,
    of_rows: int = 0,
    report: Report = silent,
    given: Sequence[Known] = (),
) -> Asked:
    """Ask what the ledger does not know; a kill at any point costs an actor `commit_rows` replies and those in flight.

    The engines are closed when it returns, for another pass or round opens others.

    Args:
        rows: carry all that `converse` needs.
        converse: the conversation about one row.
        stages: replies.stage of all its requests.
        ledger: where replies go.
        engine: who is asked, how many at once, by how many actors.
        batch_rows: rows begun at a time; some batches of an actor are in work at once.
        open_engine: makes the engine on each actor.
        of_rows: how many rows there are, for the time left.
        report: called with each batch that has ended.
        given: replies of another engine that the conversations hang on; it is never asked for them.

    Raises:
        TooManyFailures: more than engine.max_failed_share of an actor's requests failed; engine.retry=failed asks those again.
        EngineGone: the engine died more often than engine.restarts allows.
        ConfigError: the engine cannot be opened as configured.
        Stopped: SIGTERM came; what was in flight has ended and is in the ledger.
    """
    ledger.create()
    known = ledger.read(stages)
    needs = resources(engine)
    actors = _actors(engine, needs)
    pool = ray.remote(num_cpus=0)(Pool).remote()
    counted = rows.map_batches(
        Asker,
        batch_size=batch_rows,
        batch_format="pyarrow",
        zero_copy_batch=True,
        # No queue at an actor beside these: Ray Data's own, as long again, gave the one that opened its engine first all eight
        # blocks of a run, and the other actor was ended for want of work.
        compute=ActorPoolStrategy(
            size=actors, max_concurrent_calls_per_actor=BATCHES, max_tasks_in_flight_per_actor=BATCHES
        ),
        **needs,
        fn_constructor_kwargs={
            "converse": converse,
            "stages": stages,
            "ledger": ledger,
            "known": ray.put(known),
            "engine": engine,
            "batch_rows": batch_rows,
            "open_engine": open_engine,
            "pool": pool,
            "most_starts": actors + engine.restarts,
            "given": [ray.put(each) for each in given],
        },
    )
    try:
        progress = until_told(lambda: _watch(counted, pool, of_rows, report), lambda: ray.get(pool.finish.remote()))
    finally:
        pool.over.remote()
    _wait_closed(pool)
    # Counted in the ledger, as an actor that dies takes its own counts with it; by id, as a compaction moves old rows.
    since = ledger.read(stages, skip=known.files())
    asked = len(np.setdiff1d(since.ids, known.ids[~known.failed] if engine.retry == "failed" else known.ids))
    whole = ledger.read(stages) if len(since) else known
    return Asked(rows=progress.rows, asked=asked, known=whole, progress=progress)


@dataclass(slots=True)
class _Sums:
    """The batches' counts so far."""

    started: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    refusal: list[str] = field(default_factory=list)

    def add(self, batch: pa.Table) -> None:
        for row in batch.to_pylist():
            self.errors.update(row.pop("errors"))
            self.refusal = row.pop("refusal") or self.refusal
            self.counts.update(row)

    def progress(self, of_rows: int) -> Progress:
        sums = {name: self.counts[name] for name in SUMS}
        seconds = time.monotonic() - self.started
        return Progress(**sums, of_rows=of_rows, seconds=seconds, errors=dict(self.errors))


def _watch(counted: Dataset, pool: "ray.actor.ActorHandle[Pool]", of_rows: int, report: Report) -> Progress:
    """The counts of all batches, told as they come.

    When an actor has given up, the others end what they have in flight; until then batches are taken of which nothing is asked.

    Raises:
        TooManyFailures: an actor has given up.
        EngineGone: the engine died too often.
        ConfigError: the engine cannot be opened as configured.
    """
    sums = _Sums()
    finishing: list[ray.ObjectRef[None]] = []
    for batch in counted.iter_batches(batch_format="pyarrow", batch_size=None, prefetch_batches=0):
        sums.add(batch)
        if not sums.refusal:
            report(sums.progress(of_rows))
            continue
        finishing = finishing or [pool.finish.remote()]
        if ray.wait(finishing, timeout=0)[0]:
            break
    if sums.refusal:
        kind, why = sums.refusal
        raise REFUSALS[kind](f"{why}; the replies that came are kept" if kind != "ConfigError" else why)
    return sums.progress(of_rows)


def _wait_closed(pool: "ray.actor.ActorHandle[Pool]") -> None:
    """Until no engine of the pass is open, so that two models are never in memory at once."""
    deadline = time.monotonic() + _CLOSING_S
    # A pool that is gone has no more to say: the pass has ended, and all of it is in the ledger.
    with suppress(RayActorError):
        while ray.get(pool.open.remote()) > 0 and time.monotonic() < deadline:
            time.sleep(0.05)


def _actors(engine: EngineConfig, needs: Mapping[str, Any]) -> int:
    """Actors that the cluster has room for, one CPU left to those who read: with none left both wait for ever.

    Where GPU nodes start on demand there is room for all: those that wait are what the cluster starts nodes for.
    """
    if needs.get("num_gpus") and engine.vllm.gpu_wait_s:
        return engine.actors
    there = ray.cluster_resources()
    room = [engine.actors, (int(there.get("CPU", 1)) - 1) // max(needs.get("num_cpus", 1), 1)]
    if needs.get("num_gpus"):
        room.append(int(there.get("GPU", 0)) // needs["num_gpus"])
    return int(max(1, min(room)))
