"""The step generate_chains over drawn cases, with an engine that writes down what it is asked."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import ray
from deltalake import CommitProperties, write_deltalake

from conf.config import ChainsConfig, EngineConfig, VerifyConfig
from conf.flow import step
from conf.lake import user_metadata
from conf.outcome import Outcome
from conf.table import Table
from conf.tables import CASES, REPLIES, TABLES
from medreason_ray.engines.choice import open_engine
from medreason_ray.engines.request import EngineDead, ModelReply
from medreason_ray.engines.template import TemplateEngine
from medreason_ray.ledger import Ledger
from medreason_ray.stages import generate_chains, write_chains

CHAINS_CONFIG = ChainsConfig(max_edges=12)
VERIFY = VerifyConfig()
ENGINE = EngineConfig(actors=1, commit_rows=50)
KILLED = EngineConfig(actors=2, commit_rows=50, concurrency=8)
MANY = 2000
ROOT = Path(__file__).parents[2]


class LoggedEngine(TemplateEngine):
    """Writes down what it is asked, then answers; some questions may fail or be answered badly."""

    def __init__(self, log: Path, delay_s: float, bad: dict[str, str]) -> None:
        self._log, self._delay_s, self._bad = log, delay_s, bad

    async def ask(self, request) -> ModelReply:
        handle = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{request.request_id}\n".encode())
        os.close(handle)
        await asyncio.sleep(self._delay_s)
        reply = self._bad.get(request.question_id)
        if reply == "raise":
            raise ConnectionError("the endpoint is gone")
        if reply == "die always" or (reply == "die once" and asked(self._log)[request.request_id] == 1):
            raise EngineDead("CUDA went away")
        is_text = reply and reply != "die once"
        return ModelReply(reply=reply, finish_reason="stop") if is_text else await super().ask(request)


def logged(config: EngineConfig, *, log: Path, delay_s: float = 0.0, bad: dict[str, str] | None = None) -> LoggedEngine:
    return LoggedEngine(log, delay_s, bad or {})


def asked(log: Path) -> Counter:
    return Counter(log.read_text().split()) if log.exists() else Counter()


def generate(
    cases: Path,
    lake: Path,
    opener=open_engine,
    engine: EngineConfig = ENGINE,
    judge: EngineConfig | None = None,
    chains: ChainsConfig = CHAINS_CONFIG,
) -> Outcome:
    return generate_chains.run(
        ray.data.read_delta(str(cases)),
        ledger=Ledger(str(lake / "replies")),
        engine=engine,
        chains=chains,
        verify=VERIFY,
        batch_rows=128,
        judge=judge,
        open_engine=opener,
    )


def put_graph(root: str, options: dict[str, str] | None = None) -> None:
    """A graph without nodes, as build_kg leaves one: a chain's steps are read beside it."""
    for name in step("build_kg").writes:
        metadata = user_metadata(step("build_kg"), TABLES[name], "one", {"kg_version": "drawn"})
        write_deltalake(
            f"{root}/{name}",
            TABLES[name].schema.empty_table(),
            storage_options=options,
            commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
        )


def put_cases(path: Path, rows: list[dict], files: int = 1) -> Path:
    for number in range(files):
        write_deltalake(str(path), pa.Table.from_pylist(rows[number::files], CASES.schema), mode="append")
    return path


def rows_of(outcome: Outcome, table: Table) -> list[dict]:
    """A table of the outcome in the order of its key."""
    return sorted(outcome.tables[table.name].to_pylist(), key=lambda row: [row[name] for name in table.key])


def rejected(outcome: Outcome) -> dict[str, str]:
    return {row["key"]: row["reason"] for row in outcome.rejects.to_pylist()}


def stable_replies(lake: Path) -> list[dict]:
    """What the ledger says of every request, volatile columns aside."""
    known = Ledger(str(lake / "replies")).read([write_chains.STAGE])
    rows = known.replies([each.hex() for each in known.ids.astype("V32").tolist()])
    return rows.select(list(REPLIES.stable_columns)).to_pylist()


class Run(NamedTuple):
    """One step from end to end."""

    lake: Path
    log: Path
    outcome: Outcome
