"""The step generate_chains over a lake with an engine that answers after a while: what benchmarks/busy.py measures."""

import asyncio
import random
import time
from functools import partial
from pathlib import Path

from benchmarks import generate_lake
from benchmarks.kill_step import append
from conf.config import EngineConfig
from medreason_ray.engines.request import ModelReply, Request
from medreason_ray.engines.template import TemplateEngine

_LEAST_S, _MOST_S = 0.1, 1.0


class UnevenEngine(TemplateEngine):
    """The template engine, later; a line of the log for each request when it is answered: when it came and when it went."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def ask(self, request: Request) -> ModelReply:
        """The rule's reply, later."""
        began = time.time()
        await asyncio.sleep(random.Random(request.request_id).uniform(_LEAST_S, _MOST_S))
        append(self._log, f"{began} {time.time()}")
        return await super().ask(request)


def ask(root: str, concurrency: int, commit_rows: int) -> tuple[int, float, float, int]:
    """Requests, seconds from the first to the last, the share of the places taken, commits."""
    log = Path(root) / "asked"
    log.unlink(missing_ok=True)
    engine = f"engine={{name: http, model: rule, concurrency: {concurrency}, commit_rows: {commit_rows}}}"
    config = generate_lake.config_of(root, engine, "verify.arms=[]", "verify.judge=writer")
    generate_lake.remove_written(config)
    generate_lake.run_step(config, open_engine=partial(_open, log=log))
    times = [tuple(map(float, line.split())) for line in log.read_text().splitlines()]
    seconds = max(end for _, end in times) - min(began for began, _ in times)
    taken = sum(end - began for began, end in times)
    commits = len(list(Path(root).glob("replies/_delta_log/*.json"))) - 1  # the first makes the table
    return len(times), seconds, taken / (seconds * concurrency), commits


def _open(_: EngineConfig, log: Path) -> UnevenEngine:
    return UnevenEngine(log)
