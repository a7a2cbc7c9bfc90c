"""The step generate_chains with the template engine, Delta to Delta. One JSON line a measurement.

    python -m benchmarks.generate [sizes=10000,100000,300000] [lake=folder] [work=folder] [actors=1]

Cases are drawn from those of a lake (lake=; without it the demo is run first, two minutes): each takes one case's paths, with
an id and a text of its own, so every request is another. What is timed is the whole step: Ray's start, asking, the ledger,
parsing, and the tables chains and verdicts. peak_mb is what the driver, the workers and Ray's own processes hold at once
(proportional set size), the object store apart, which has a line of its own; the lines at_peak say which kind of process
held how much of it at that moment, cpu_of which one used how much of the CPU, the lines third what was held at most in
each third of the time. Each size runs in a process and on a Ray of its
own. questions/CPU s counts the CPU seconds of all these processes, which other work on the machine sways less. Time it on an
idle machine; work= keeps the lakes.
"""

import sys
from collections.abc import Iterable

from benchmarks import generate_lake
from benchmarks.arguments import told
from benchmarks.measure import apart, say

_SIZES = "10000,100000,300000"
_KEYS = {"sizes", "lake", "work", "actors"}


def main(arguments: Iterable[str]) -> int:
    given = told(arguments, _KEYS, "benchmarks/generate.py")
    if given is None:
        return 2
    with generate_lake.sources(given) as (source, work):
        for size in map(int, given.get("sizes", _SIZES).split(",")):
            _measure(generate_lake.lake_of(source, work, size), size, int(given.get("actors", "1")))
    return 0


def _measure(root: str, size: int, actors: int) -> None:
    (found, held), _ = apart(generate_lake.generate, root, actors, look=False)
    name = f"generate_chains.{size}"
    say(name, found["questions"] / found["seconds"], "questions/s", n=size, peak_mb=held.peak_mb)
    say(f"{name}.cpu", found["questions"] / sum(held.cpu_s.values()), "questions/CPU s", n=size)
    for kind, seconds in sorted(held.cpu_s.items()):
        say(f"{name}.cpu_of", seconds / size * 1e6, f"us a question, {kind}", n=size)
    say(f"{name}.seconds", found["seconds"], "s", n=size)
    for kind, peak_mb in sorted(held.by_kind.items()):
        say(f"{name}.at_peak", peak_mb, f"MB, {kind} ({held.processes[kind]})", n=size)
    for third, peak_mb in enumerate(held.thirds_mb(), start=1):
        say(f"{name}.third", peak_mb, f"MB at most in third {third} of the time", n=size)
    say(f"{name}.object_store", held.store_mb, "MB", n=size)
    say(f"{name}.files", int(found["files"]), "files of chains", n=size)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
