"""The path search on a graph of PrimeKG's shape, beside its peers. One JSON line a measurement.

    python -m benchmarks.paths data=../shared/data [only=kernel,peers,index,spark,growth,graphframes] [quick=true]

kernel: pairs a second from node numbers to arrays of paths (top 50, edge choice and cost, semantics any), one core, and
what the pairs are like. peers: igraph, rustworkx, networkx and GraphFrames' bfs on the same pairs, fewer of them, and
the share of pairs for which the paths are the same. index: from the Delta table `edges` through Spark, its size, and
how fast it opens. spark: the step find_paths over 400,000 pairs, Delta to Delta. growth: with pairs, slack and size of
the graph. graphframes: the step with the other engine, on Hetionet and on the drawn graph, and the share of pairs for
which it gives what csr gives.

What runs on one core is timed by that process's CPU clock (unit pairs/CPU s), ours and the peers' alike: beside other
work the wall clock of the same 20,000 pairs swung between 8,490 and 16,280 pairs/s. Spark and GraphFrames are timed by the
wall clock. Time it on an idle machine.

Each part runs in a process of its own, so that peak_mb is its own; `ratio` is ours over the peer's. quick=true draws a
graph a fiftieth of the size. work=folder keeps the graphs and the lake, which are otherwise removed.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks import path_peers, path_search
from benchmarks.arguments import run_parts
from benchmarks.measure import apart, say

_PAIRS = 400_000
_QUICK = 0.02


class Bench:
    """Where the graphs lie, and how much is asked."""

    def __init__(self, data: str, work: str, *, quick: bool) -> None:
        self.data = data
        self.work = work
        self.scale = _QUICK if quick else 1.0
        self.few = 100 if quick else 1
        """Measurements take so many times fewer pairs."""
        self._kernel: tuple[dict[str, float], float] | None = None

    def graph(self, scale: float | None = None) -> str:
        """The folder of the drawn arrays and pairs, made where it lacks."""
        scale = self.scale * (scale or 1.0)
        folder = f"{self.work}/graph-{scale:g}"
        if not Path(f"{folder}/pairs.npy").is_file():
            apart(path_search.prepare, self.data, folder, scale)
            apart(path_search.keep_pairs, self.data, folder, scale, _PAIRS // self.few)
        return folder

    def lake(self) -> str:
        """A lake with the drawn graph."""
        from benchmarks import path_lake

        lake = f"{self.work}/lake-{self.scale:g}"
        if not Path(f"{lake}/graph_profile").is_dir():
            apart(path_lake.write_graph, self.data, lake, self.scale)
        return lake

    def kernel(self) -> tuple[dict[str, float], float, int]:
        """The rate at slack 0, the middle of three processes; peak_mb and how many pairs."""
        size = 100_000 // self.few
        if self._kernel is None:
            runs = [apart(path_search.rate, self.graph(), size, 0, one_core=True) for _ in range(3)]
            self._kernel = sorted(runs, key=lambda run: run[0]["pairs_s"])[1]
        return *self._kernel, size


def kernel(bench: Bench) -> None:
    found, peak, size = bench.kernel()
    say("kernel", found["pairs_s"], "pairs/CPU s", n=size, peak_mb=peak)
    for name in ("hops", "ways", "ways_p99", "paths"):
        say(f"kernel.{name}", found[name], "a pair", n=size)


def peers(bench: Bench) -> None:
    ours, _, _ = bench.kernel()
    expected, _ = apart(path_search.answers, bench.graph())
    for name, (peer, size) in path_peers.PEERS.items():
        one_core = name != "graphframes bfs"
        (build_s, pairs_s, paths), peak = apart(peer, bench.graph(), size, one_core=one_core)
        ratio = ours["pairs_s"] / pairs_s
        unit = "pairs/CPU s" if one_core else "pairs/s"
        say("all_shortest_paths", pairs_s, unit, n=size, peak_mb=peak, peer=name, ratio=ratio)
        say("all_shortest_paths.build", build_s, "s", n=size, peer=name)
        same = sum(_agree(ways, best, theirs) for (ways, best), theirs in zip(expected, paths, strict=False))
        say("all_shortest_paths.same", same / size, "share of pairs", n=size, peer=name)


def _agree(ways: int, best: set[tuple[int, ...]], theirs: set[tuple[int, ...]]) -> bool:
    """As many paths, and the same ones; ours among theirs where there are more than we list."""
    return len(theirs) == ways and best <= theirs and len(best) == min(ways, path_search.TOP_K)


def index(bench: Bench) -> None:
    from benchmarks import path_lake

    lake = bench.lake()
    built, peak = apart(path_lake.build_index, lake)
    n = int(built["entries"])
    say("index.build", built["seconds"], "s", n=n, peak_mb=peak)
    say("index.size", built["mb"], "MB", n=n)
    say("index.first_open", apart(path_lake.open_index, lake)[0], "s", n=n)
    seconds, peak = apart(path_lake.open_index, lake)
    say("index.open", seconds, "s", n=n, peak_mb=peak)


def spark(bench: Bench) -> None:
    from benchmarks import path_lake

    lake, pairs = bench.lake(), _PAIRS // bench.few
    if not Path(f"{lake}/_index").is_dir():
        apart(path_lake.build_index, lake)
    for slack in (0, 1):
        apart(path_lake.write_drawn_links, bench.data, lake, bench.scale, pairs)
        _found(f"find_paths.slack_{slack}", lake, slack, "csr")


def _found(name: str, lake: str, slack: int, engine: str) -> None:
    from benchmarks import path_lake

    found, peak = apart(path_lake.find, lake, slack, engine)
    n = int(found["pairs"])
    say(name, found["seconds"], "s", n=n, peak_mb=peak)
    say(f"{name}.table", found["mb"], "MB", n=n)


def growth(bench: Bench) -> None:
    for size in (100, 1_000, 10_000, 100_000, _PAIRS):
        if size <= _PAIRS // bench.few:
            _rate(f"growth.pairs_{size}", bench.graph(), size, 0)
    for slack in (0, 1, 2):
        _rate(f"growth.slack_{slack}", bench.graph(), 10_000 // bench.few, slack)
    for scale in (0.1, 1, 4):
        _rate(f"growth.graph_{scale:g}x", bench.graph(scale), 10_000 // bench.few, 0)


def _rate(name: str, folder: str, size: int, slack: int) -> None:
    found, peak = apart(path_search.rate, folder, size, slack, one_core=True)
    say(name, found["pairs_s"], "pairs/CPU s", n=size, peak_mb=peak)
    if found["truncated"]:
        say(f"{name}.truncated", found["truncated"], "share of pairs", n=size)


def graphframes(bench: Bench) -> None:
    from benchmarks import path_lake

    hetionet = f"{bench.work}/hetionet"
    if Path(f"{bench.data}/hetionet").is_dir():
        apart(path_lake.write_hetionet, bench.data, hetionet, 500 // min(bench.few, 50))
        _both("graphframes.hetionet", hetionet)
    lake = bench.lake()
    apart(path_lake.write_drawn_links, bench.data, lake, bench.scale, 20)
    _both("graphframes.primekg_shape", lake)


def _both(name: str, lake: str) -> None:
    """The engine, then csr on the same pairs; the engine does not count as a reason to search again, so tables go."""
    import shutil

    from benchmarks import path_lake

    _found(name, lake, 0, "graphframes")
    kept = f"{lake}-graphframes"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.move(f"{lake}/paths", f"{kept}/paths")
    again, _ = apart(path_lake.find, lake, 0, "csr")
    same, _ = apart(path_lake.same_paths, kept, lake)
    say(f"{name}.same", same, "share of pairs", n=int(again["pairs"]), peer="csr")


PARTS: dict[str, Callable[[Bench], None]] = {
    "kernel": kernel,
    "peers": peers,
    "index": index,
    "spark": spark,
    "growth": growth,
    "graphframes": graphframes,
}


def main(arguments: Iterable[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="medreason-bench-") as folder:

        def bench(data: str, work: str, *, quick: bool) -> Bench:
            return Bench(data, str(Path(work or folder).absolute()), quick=quick)

        return run_parts(arguments, "benchmarks/paths.py", "work", bench, PARTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
