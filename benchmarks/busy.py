"""How busy the first pass of generate_chains keeps an engine that answers slowly. One JSON line a measurement.

    python -m benchmarks.busy [rows=4000] [concurrency=8,64] [commit_rows=500] [lake=folder] [work=folder]

Cases as of benchmarks/generate.py, two requests each, asked by one actor of an engine that answers after 0.1 to 1 s, drawn by
the request's id. Busy is the share of the places in flight that were taken, from the first request to the last reply: 1.0 is
an engine that never waits; the seconds' peer is what that would take. Time it on an idle machine.
"""

import sys
from collections.abc import Iterable

from benchmarks import busy_step, generate_lake
from benchmarks.arguments import told
from benchmarks.measure import apart, say

_KEYS = {"rows", "concurrency", "commit_rows", "lake", "work"}


def main(arguments: Iterable[str]) -> int:
    given = told(arguments, _KEYS, "benchmarks/busy.py")
    if given is None:
        return 2
    rows, commit_rows = int(given.get("rows", "4000")), int(given.get("commit_rows", "500"))
    with generate_lake.sources(given) as (source, work):
        root = generate_lake.lake_of(source, work, rows)
        for concurrency in map(int, given.get("concurrency", "8,64").split(",")):
            (requests, seconds, busy, commits), _ = apart(busy_step.ask, root, concurrency, commit_rows, look=False)
            say(f"busy.{concurrency}", busy, "of the places in flight", n=requests)
            say(f"busy.{concurrency}.seconds", seconds, "s", peer=seconds * busy, n=requests)
            say(f"busy.{concurrency}.commits", commits, "commits of replies", n=requests)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
