"""What holds of chains whoever writes them, and how much of the prompts is read once. One JSON line a measurement.

    python -m benchmarks.model_chains lake=FOLDER [model=FOLDER] [cases=N] [samples=2]

Takes the cases of a lake (`make real DATA=…` makes MedBullets') through the whole conversation with a language model in vLLM on
this machine. Without `model` it is a tiny one of random weights, which writes what the schema allows and nothing sensible: what
it writes must still parse and cite only what was shown. The replies go to a ledger of the benchmark's own.

`prefix_hits` is the share of the prompt tokens that could have been read from the cache which were: of all full blocks of all
prompts those that are not the first with their beginning.
"""

import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
from deltalake import DeltaTable

from benchmarks.measure import say
from conf.config import ChainsConfig, EngineConfig, RayConfig, VerifyConfig, VllmConfig
from conf.outcome import Reason, Rejected
from conf.tables import CASES
from medreason_ray.conversation import Talk, advance, look_up_in
from medreason_ray.engines.small_model import write_tiny_model
from medreason_ray.ledger import Ledger
from medreason_ray.session import start_ray
from medreason_ray.stages import generate_chains
from medreason_ray.store import arrow_table

_BLOCK = 128
"""Tokens of a block of vLLM's cache on a CPU."""


def main(arguments: Iterable[str]) -> int:
    given = dict(argument.split("=", 1) for argument in arguments)
    lake, model = given.pop("lake", ""), given.pop("model", "")
    most, samples = int(given.pop("cases", "0")), int(given.pop("samples", "2"))
    if not lake or given or not DeltaTable.is_deltatable(f"{lake}/cases"):
        print("see the head of benchmarks/model_chains.py; lake=FOLDER must hold the table cases", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        settings = _engine(model, Path(folder))
        chains = ChainsConfig(samples=samples, prune=bool(model), max_steps=4, step_chars=80)
        cases = arrow_table(DeltaTable(f"{lake}/cases"), CASES.schema).sort_by("question_id")
        _measure(cases.slice(0, most or None), settings, chains, Ledger(f"{folder}/replies"))
    return 0


def _engine(model: str, folder: Path) -> EngineConfig:
    vllm = VllmConfig(max_num_seqs=32, eager=True, cpus=2, kv_cache_gib=2)
    engine = EngineConfig(name="vllm", model=model, max_model_len=8192, concurrency=32, actors=1, vllm=vllm)
    if model:
        return engine
    write_tiny_model(folder / "tiny")
    return replace(engine, model=str(folder / "tiny"), vllm=replace(vllm, load="dummy"))


def _measure(cases: pa.Table, engine: EngineConfig, chains: ChainsConfig, ledger: Ledger) -> None:
    start_ray(RayConfig(num_cpus=6))
    [whole] = generate_chains.passes(engine, chains, VerifyConfig())
    started = time.monotonic()
    asked = generate_chains.ask(ray.data.from_arrow(cases), whole, ledger=ledger, batch_rows=64, report=_tell)
    seconds = time.monotonic() - started
    look_up, seen = look_up_in(asked.known), _Prompts(engine)
    talks = [Talk(row, whole.converse) for row in cases.to_pylist()]
    advance(talks, seen.noting(talks, look_up))
    found = [talk.result for talk in talks if not isinstance(talk.result, Rejected)]
    rejected = [talk.result for talk in talks if isinstance(talk.result, Rejected)]
    lost = [why for each in found for _, why in each.lost] + rejected
    unread = [why for why in lost if why.reason is not Reason.NO_RELEVANT_PATH]
    written = [chain for each in found for chain in each.chains]
    cited = [edge for chain in written for step in chain["steps"] for edge in step["edges"]]
    say("chains.written", len(written), "chains", n=len(talks))
    say("chains.that_parse", len(written) / max(len(written) + len(unread), 1), "share", n=len(written) + len(unread))
    unshown = sum(why.reason is Reason.UNSHOWN_EDGE for why in unread)
    say("chains.citations_not_shown", unshown, "chains", n=len(cited))
    say("chains.requests_per_s", asked.asked / seconds, "requests/s", n=asked.asked)
    for chain in written[:3]:
        print(chain["reasoning"], [s["support"] for s in chain["steps"]], file=sys.stderr)
    for why in unread[:5]:
        print(f"  {why}", file=sys.stderr)
    seen.report(asked.progress.tokens_cached)
    ray.shutdown()


def _tell(progress: Any) -> None:
    print(progress.line(), file=sys.stderr, flush=True)


class _Prompts:
    """The prompts that were asked, as tokens."""

    def __init__(self, engine: EngineConfig) -> None:
        from transformers import AutoTokenizer

        from medreason_ray.engines.chat import Chat

        self._chat = Chat(AutoTokenizer.from_pretrained(engine.model), thinking=False)
        self._blocks: set[tuple[int, int]] = set()
        self._asked: set[str] = set()
        self._full, self._tokens = 0, 0

    def noting(self, talks: list[Talk], look_up: Any) -> Any:
        """The look-up, which notes the requests that talks wait for."""

        def noted(request_ids: list[str]) -> Any:
            for request in (request for talk in talks for request in talk.requests):
                if request.request_id not in self._asked:
                    self._asked.add(request.request_id)
                    self._add(self._chat.encode(request.prompt))
            return look_up(request_ids)

        return noted

    def _add(self, ids: list[int]) -> None:
        self._tokens += len(ids)
        before = 0
        # The last token is always read, so that there is something to go on from.
        for start in range(0, (len(ids) - 1) // _BLOCK * _BLOCK, _BLOCK):
            before = hash((before, tuple(ids[start : start + _BLOCK])))
            self._blocks.add((start, before))
            self._full += 1

    def report(self, cached: int) -> None:
        shareable = (self._full - len(self._blocks)) * _BLOCK
        say("prefix.tokens", self._tokens, "tokens", n=len(self._asked))
        say("prefix.shareable", shareable / max(self._tokens, 1), "share", n=len(self._asked))
        say("prefix_hits", cached / max(shareable, 1), "share", n=len(self._asked))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
