"""mentions found and gold -> precision, recall and F1 of spans and of nodes, and how often the assertion is right.

Nodes are judged by text: a node is right when some gold mention of the text means it, and a gold thing is found when one of
the ids that mean it is linked; mentions that share an id are one thing. Spans are judged one by one, by both ends. What gold
calls optional counts neither way; a gold mention without ids (NIL) counts as a span, but no node is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldMention:
    """A stretch of text that means a thing."""

    start: int
    end: int
    assertion: str
    """As conf.tables.MENTIONS.assertion, or optional."""
    nodes: frozenset[str]
    """All ids that mean it; none where the graph has no node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A mention that was linked."""

    start: int
    end: int
    assertion: str
    node: str
    type: str
    method: str


@dataclass(slots=True)
class Score:
    """Counts over texts; add them up with `add`."""

    right: Counter[str] = field(default_factory=Counter)
    """Linked nodes that gold means, by type and by method."""
    wrong: Counter[str] = field(default_factory=Counter)
    things: int = 0
    """Gold things that have a node."""
    found: int = 0
    spans: int = 0
    """Gold mentions, NIL ones included."""
    spans_found: int = 0
    spans_wrong: int = 0
    asserted: int = 0
    """Linked mentions that overlap a gold one of the same node."""
    asserted_right: int = 0

    def add(self, gold: Sequence[GoldMention], predicted: Sequence[Predicted]) -> None:
        """Count one text."""
        counted = [each for each in gold if each.assertion != OPTIONAL]
        allowed = {node for each in gold for node in each.nodes}
        meant = {node for each in counted for node in each.nodes}
        linked: dict[str, Predicted] = {}
        for each in predicted:
            linked.setdefault(each.node, each)
        for node, first in linked.items():
            if node in meant:
                self.right.update((first.type, first.method, ALL))
            elif node not in allowed:
                self.wrong.update((first.type, first.method, ALL))
        groups = _things(each.nodes for each in counted if each.nodes)
        self.things += len(groups)
        self.found += sum(not group.isdisjoint(linked) for group in groups)
        self._add_spans(gold, predicted)

    def _add_spans(self, gold: Sequence[GoldMention], predicted: Sequence[Predicted]) -> None:
        wanted = {(each.start, each.end) for each in gold if each.assertion != OPTIONAL}
        optional = {(each.start, each.end) for each in gold if each.assertion == OPTIONAL}
        given = {(each.start, each.end) for each in predicted}
        self.spans += len(wanted)
        self.spans_found += len(wanted & given)
        self.spans_wrong += len(given - wanted - optional)
        for each in predicted:
            same = [g for g in gold if each.node in g.nodes and each.start < g.end and g.start < each.end]
            if same and same[0].assertion != OPTIONAL:
                self.asserted += 1
                self.asserted_right += each.assertion == same[0].assertion

    def summary(self) -> dict[str, float]:
        """node_precision, node_recall, node_f1, mention_precision, mention_recall, mention_f1, assertion_accuracy."""
        node = _prf(self.right[ALL], self.right[ALL] + self.wrong[ALL], self.found, self.things)
        span = _prf(self.spans_found, self.spans_found + self.spans_wrong, self.spans_found, self.spans)
        values = [*node, *span, _share(self.asserted_right, self.asserted)]
        return dict(zip(METRICS, [round(value, 4) for value in values], strict=True))

    def precision_by(self) -> dict[str, tuple[int, float]]:
        """By type and by method: nodes linked, and the share of them that is right."""
        keys = sorted((self.right | self.wrong).keys() - {ALL})
        return {key: (n := self.right[key] + self.wrong[key], _share(self.right[key], n)) for key in keys}


ALL = "all"
OPTIONAL = "optional"
METRICS = (
    "node_precision",
    "node_recall",
    "node_f1",
    "mention_precision",
    "mention_recall",
    "mention_f1",
    "assertion_accuracy",
)


def _things(meanings: Iterable[frozenset[str]]) -> list[set[str]]:
    """Sets of ids joined where they share one."""
    groups: list[set[str]] = []
    for nodes in meanings:
        touching = [group for group in groups if not group.isdisjoint(nodes)]
        groups = [group for group in groups if group.isdisjoint(nodes)]
        groups.append(set(nodes).union(*touching))
    return groups


def _prf(right: int, given: int, found: int, wanted: int) -> tuple[float, float, float]:
    precision, recall = _share(right, given), _share(found, wanted)
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
