"""The paths that should be found, by brute force: networkx lists simple paths, every choice of edges is tried."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any

import networkx as nx

from conf.config import PathsConfig
from tests.kg_spark.path_graphs import Edge, name, node_type

Walk = tuple[Edge, int, int]
"""An edge, the node it is walked from and the node it is walked to."""


class Oracle:
    """What a search over this graph with this config should give."""

    def __init__(self, n: int, edges: Sequence[Edge], config: PathsConfig, floor: int = 50) -> None:
        self.n, self.config, self.floor = n, config, floor
        self.clinical = config.semantics == "clinical"
        self.between: dict[frozenset[int], list[Edge]] = defaultdict(list)
        for edge in sorted(edges, key=lambda e: e.edge_id):
            if edge.src != edge.dst:
                self.between[frozenset((edge.src, edge.dst))].append(edge)
        loopless = [edge for each in self.between.values() for edge in each]
        self.degree = Counter(end for edge in loopless for end in (edge.src, edge.dst))
        self.stars = Counter((end, *self._star(edge, end)) for edge in loopless for end in (edge.src, edge.dst))
        self.graph = nx.Graph([tuple(pair) for pair in self.between])

    def paths(
        self, s: int, t: int, keep: int, blocked: frozenset[int] = frozenset(), peers: frozenset[int] = frozenset()
    ) -> tuple[int, list[Any]]:
        """How many shortest paths there are, and the best as rows of BARE_PATH."""
        if s == t or s not in self.graph or t not in self.graph:
            return 0, []
        found = []
        for nodes in nx.all_simple_paths(self.graph, s, t, cutoff=self.config.max_hops):
            steps = [self._open(a, b, s, t, peers) for a, b in pairwise(nodes)]
            costs = [sum(e.cost for e, _, _ in choice) for choice in product(*steps) if self._stands(choice)]
            if costs and not any(self._barred(node, blocked) for node in nodes[1:-1]):
                found.append((min(costs), len(nodes) - 1, nodes, steps))
        shortest = min((hops for _, hops, _, _ in found), default=0)
        reach = shortest + self.config.slack
        best = sorted(each[:3] for each in found if each[1] <= reach)[:keep]
        steps_of = {tuple(nodes): steps for _, _, nodes, steps in found}
        rows = [_row(cost, nodes, steps_of[tuple(nodes)], rank) for rank, (cost, _, nodes) in enumerate(best, start=1)]
        return sum(each[1] == shortest for each in found), rows

    def _star(self, edge: Edge, node: int) -> tuple[int, str]:
        return edge.code, "both" if edge.symmetric else "out" if edge.src == node else "in"

    def _hub(self, edge: Edge, node: int) -> bool:
        star = self._star(edge, node)
        counts = sorted(count for (_, *key), count in self.stars.items() if tuple(key) == star)
        limit = counts[math.ceil(self.config.hub_quantile * len(counts)) - 1]
        return self.stars[node, *star] > max(limit, self.floor)

    def _barred(self, node: int, blocked: frozenset[int]) -> bool:
        too_many = self.config.max_degree and self.degree[node] > self.config.max_degree
        return bool(node in blocked or too_many or node_type(node) in self.config.exclude_types)

    def _open(self, a: int, b: int, s: int, t: int, peers: frozenset[int]) -> list[Walk]:
        """The edges that a step from a to b may take, whatever the others take."""
        if self.config.drop_direct and {a, b} == {s, t}:
            return []
        if t in {a, b} and ({a, b} - {t}) & peers:
            return []
        return [(e, a, b) for e in self.between[frozenset((a, b))] if self._may(e, a, b, {s, t})]

    def _may(self, edge: Edge, a: int, b: int, ends: set[int]) -> bool:
        if {edge.relation["relation"], edge.relation["predicate"]} & set(self.config.exclude_relations):
            return False
        if self.config.directed and not (edge.symmetric or edge.src == a):
            return False
        if not self.clinical:
            return True
        if not edge.relation["may_carry"] and not ends & {a, b}:
            return False
        return not any(node not in ends and self._hub(edge, node) for node in (a, b))

    def _stands(self, choice: Sequence[Walk]) -> bool:
        if not self.clinical:
            return True
        ways = [edge.src == a for edge, a, _ in choice if not edge.symmetric]
        if sum(one != other for one, other in pairwise(ways)) > 1:
            return False
        return not any(_shares(one, b) and _shares(other, b) for (one, _, b), (other, _, _) in pairwise(choice))


def _shares(edge: Edge, node: int) -> bool:
    end = {"src": edge.src, "dst": edge.dst}.get(edge.relation["no_passage"])
    return end == node


def _row(cost: int, nodes: list[int], steps: list[list[Walk]], rank: int) -> dict[str, Any]:
    return {
        "nodes": [name(number) for number in nodes],
        "edges": [[e.edge_id for e, _, _ in step] for step in steps],
        "forward": [[e.symmetric or e.src == a for e, a, _ in step] for step in steps],
        "hops": len(nodes) - 1,
        "cost": cost,
        "rank": rank,
        "score": -cost / 65536,
    }


def every_pair(n: int) -> Iterator[tuple[int, int]]:
    """All ordered pairs of nodes, and one that the graph lacks."""
    yield from product(range(n), range(n))
    yield 0, n
