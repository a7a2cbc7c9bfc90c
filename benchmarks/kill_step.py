"""The step generate_chains over a lake with a slow engine that writes down what it is asked: what benchmarks/kills.py kills.

python -m benchmarks.kill_step lake
"""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from conf.config import EngineConfig
from medreason_ray.engines.request import ModelReply, Request
from medreason_ray.engines.template import TemplateEngine
from medreason_ray.llm_stage import Progress

ACTORS, COMMIT_ROWS, CONCURRENCY = 2, 50, 8
_DELAY_S = 0.1


class SlowEngine(TemplateEngine):
    """The template engine, later; each request is a line of the log before it is answered."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def ask(self, request: Request) -> ModelReply:
        """The rule's reply, later."""
        append(self._log, request.request_id)
        await asyncio.sleep(_DELAY_S)
        return await super().ask(request)


def append(log: Path, line: str) -> None:
    """A line of a log: one write, so that lines of several processes do not mix."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


def _open(_: EngineConfig, log: Path) -> SlowEngine:
    return SlowEngine(log)


def run(root: str) -> None:
    from benchmarks.generate_lake import config_of, run_step

    config = config_of(root, f"engine={{actors: {ACTORS}, commit_rows: {COMMIT_ROWS}, concurrency: {CONCURRENCY}}}")
    ended = Path(root) / "ended"
    ended.unlink(missing_ok=True)

    def report(progress: Progress) -> None:
        ended.write_text(str(progress.rows), encoding="ascii")

    run_step(config, open_engine=partial(_open, log=Path(root) / "asked"), report=report)


if __name__ == "__main__":
    run(sys.argv[1])
