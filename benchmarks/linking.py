"""The nearest nodes of names, beside faiss, and how well names with typos are found. One JSON line a measurement.

    python -m benchmarks.linking data=../shared/data [only=nearest,peers,perturbed,vectors] [quick=true]

nearest: 100,000 mentions against 129,375 vectors of 384 dimensions, top 10 within type, by the types' shares of
primekg_shape.json; random unit vectors, every tenth mention near a node. peers: the same by faiss' flat index, where
faiss is installed, and whether both name the same nodes first. perturbed: Hetionet's 47,031 names with 1, 2 and 3 typos,
the share that comes first (top 10) again within its type, and that is known for a typo; and absent, names whose nodes
were taken out of the graph. model=folder uses that model of sentence-transformers in place of hashing. vectors: Hetionet's
node vectors made through Ray into Delta, and read again.

nearest and faiss are timed by the wall with all cores, and by the CPU clock with one thread, for the machine is shared.
Each part runs in a process of its own; `ratio` is ours over the peer's time, below 1 ours is faster. quick=true takes a
hundredth of the mentions and a tenth of the nodes, and one typo only.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from benchmarks import link_search
from benchmarks.arguments import run_parts
from benchmarks.measure import apart, say

_MENTIONS = 100_000


class Bench:
    """Where the data lie, and how much is asked."""

    def __init__(self, data: str, model: str, *, quick: bool) -> None:
        self.data = data
        self.model = model
        self.mentions = _MENTIONS // (100 if quick else 1)
        self.scale = 0.1 if quick else 1.0
        self.typos = (1,) if quick else (1, 2, 3)
        self._ours: dict[str, float] | None = None

    def ours(self) -> dict[str, float]:
        """Our search without a floor, which is what faiss does, measured once."""
        if self._ours is None:
            self._ours = self.search("nearest", link_search.ours, -1.0)
        return self._ours

    def search(
        self, name: str, function: Callable[..., dict[str, float]], *more: float, peer: str | None = None
    ) -> dict[str, float]:
        """Say the wall clock with all cores, and the CPU clock with one thread."""
        found, peak = apart(function, self.data, self.mentions, self.scale, *more)
        with _one_thread():
            found["cpu_s"] = apart(function, self.data, self.mentions, self.scale, *more)[0]["cpu_s"]
        ratios = [self._ours[clock] / found[clock] if peer and self._ours else None for clock in ("wall_s", "cpu_s")]
        n = int(found["mentions"])
        say(name, found["wall_s"], "s", n=n, peak_mb=peak, peer=peer, ratio=ratios[0])
        say(f"{name}.cpu", found["cpu_s"], "CPU s", n=n, peer=peer, ratio=ratios[1])
        return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """BLAS and OpenMP of processes started in the block keep to one thread: waiting, theirs burn as much as working."""
    before = dict(os.environ)
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def nearest(bench: Bench) -> None:
    bench.ours()
    bench.search("nearest.floor_0.7", link_search.ours, 0.7)


def peers(bench: Bench) -> None:
    if find_spec("faiss") is None:
        print("skipped: faiss is not installed (uv sync --group bench)", file=sys.stderr)
        return
    ours = bench.ours()
    peer = "faiss IndexFlatIP"
    theirs = bench.search("nearest", link_search.faiss, peer=peer)
    say("nearest.same_first", int(ours["rows"] == theirs["rows"]), "1 = yes", n=int(theirs["mentions"]), peer=peer)


def perturbed(bench: Bench) -> None:
    if link_search.hetionet(bench.data) is None:
        print(f"skipped: {bench.data}/hetionet is not there", file=sys.stderr)
        return
    for typos in bench.typos:
        (found, cpu_s), peak = apart(link_search.perturbed, bench.data, typos, bench.model)
        for each in found:
            name = f"perturbed.{typos}.{each.type}"
            say(name, each.top1, "share first", n=each.names)
            say(f"{name}.top10", each.top10, "share in the top 10", n=each.names)
            say(f"{name}.as_typo", each.as_typo, "share known for a typo", n=each.names)
        say(f"perturbed.{typos}.cpu", cpu_s, "CPU s", n=sum(each.names for each in found), peak_mb=peak)
    for each in apart(link_search.absent, bench.data, bench.model)[0]:
        say(f"absent.{each.type}.by_score", each.by_score, "share found at 0.85, all wrong", n=each.names)
        say(f"absent.{each.type}.as_typo", each.as_typo, "share taken for a typo, all wrong", n=each.names)


def vectors(bench: Bench) -> None:
    if link_search.hetionet(bench.data) is None:
        print(f"skipped: {bench.data}/hetionet is not there", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="medreason-bench-") as lake:
        found, peak = apart(link_search.vectors, bench.data, lake)
    n = int(found["nodes"])
    say("node_vectors.made", found["made"], "s", n=n, peak_mb=peak)
    say("node_vectors.read", found["read"], "s", n=n)
    say("node_vectors.size", found["mb"], "MB", n=n)


PARTS: dict[str, Callable[[Bench], None]] = {
    "nearest": nearest,
    "peers": peers,
    "perturbed": perturbed,
    "vectors": vectors,
}


def main(arguments: Iterable[str]) -> int:
    return run_parts(arguments, "benchmarks/linking.py", "model", Bench, PARTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
