"""All shortest paths of a few pairs by each peer, on the graph with one edge between two neighbours."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.path_search import CHECKED, MAX_HOPS, read_checked, read_simple

Paths = list[set[tuple[int, ...]]]
Peer = Callable[[str, int], tuple[float, float, Paths]]


def _timed(
    build_s: float, folder: str, size: int, one: Callable[[int, int], Iterable[Any]], clock: Callable[[], float]
) -> tuple[float, float, Paths]:
    started = clock()
    raw = [list(one(s, t)) for s, t in zip(*(ends.tolist() for ends in read_checked(folder, size)), strict=True)]
    seconds = clock() - started
    return build_s, size / seconds, [{tuple(path) for path in paths} for paths in raw]


def igraph(folder: str, size: int) -> tuple[float, float, Paths]:
    """Seconds to build, pairs a second, the paths of each pair; so for every peer."""
    from igraph import Graph

    n, ends = read_simple(folder)
    started = time.process_time()
    graph = Graph(n, ends)
    return _timed(time.process_time() - started, folder, size, graph.get_all_shortest_paths, time.process_time)


def rustworkx(folder: str, size: int) -> tuple[float, float, Paths]:
    from rustworkx import PyGraph, all_shortest_paths

    n, ends = read_simple(folder)
    started = time.process_time()
    graph = PyGraph(multigraph=False)
    graph.add_nodes_from(range(n))
    graph.add_edges_from_no_data(list(map(tuple, ends.tolist())))
    # It knows no plain count of hops: every edge weighs one.
    built = time.process_time() - started
    return _timed(built, folder, size, lambda s, t: all_shortest_paths(graph, s, t, lambda _: 1.0), time.process_time)


def networkx(folder: str, size: int) -> tuple[float, float, Paths]:
    import networkx as nx

    n, ends = read_simple(folder)
    started = time.process_time()
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(ends.tolist())

    def one(s: int, t: int) -> Iterable[Any]:
        return nx.all_shortest_paths(graph, s, t) if nx.has_path(graph, s, t) else []

    return _timed(time.process_time() - started, folder, size, one, time.process_time)


def graphframes_bfs(folder: str, size: int) -> tuple[float, float, Paths]:
    """GraphFrames' own search, which follows directions: every edge stands there both ways."""
    import pyarrow as pa
    from graphframes import GraphFrame

    from benchmarks.path_lake import session

    n, ends = read_simple(folder)
    spark = session()
    started = time.perf_counter()
    table = pa.table({"src": ends.ravel("F"), "dst": ends[:, ::-1].ravel("F")})
    edges = spark.createDataFrame(table).persist()
    graph = GraphFrame(spark.range(n).persist(), edges)
    edges.count()
    built = time.perf_counter() - started

    def one(s: int, t: int) -> Iterable[Any]:
        found = graph.bfs(f"id = {s}", f"id = {t}", maxPathLength=MAX_HOPS)
        # from, e0, v1, e1, ..., to: every other column is a node; no path, no such columns.
        names = found.columns[::2] if "from" in found.columns else []
        return [tuple(row[name]["id"] for name in names) for row in found.collect()] if names else []

    return _timed(built, folder, size, one, time.perf_counter)


PEERS: dict[str, tuple[Peer, int]] = {
    "igraph": (igraph, CHECKED),
    "rustworkx": (rustworkx, 10),
    "networkx": (networkx, 5),
    "graphframes bfs": (graphframes_bfs, 2),
}
"""Each peer and how many pairs it gets, at most CHECKED."""
