"""samples -> how much of what is wrong the verifier finds, and how often it accuses what is right.

A mutant is found when its row of `checks` is worse than its chain's: less of it grounded, or a flag that the chain did not
have. Equivalent mutants are counted and left out. A false alarm is a step of a sound chain with a finding against it; what is
found against a chain as a whole counts as one step more.

Source: DeMillo, Lipton & Sayward 1978 (mutation score); Wilson 1927 (the intervals).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from statsmodels.stats.proportion import proportion_confint

from kg_spark.verification.check import Context, check
from kg_spark.verification.corpus import Sample
from kg_spark.verification.corpus_rows import Node, Row
from kg_spark.verification.mutant import name_of
from kg_spark.verification.mutants import IN_TEXT, STRUCTURAL, TEXT_ONLY, plant

BARS = {"structural": 0.95, "text_only": 0.70, "false_alarms": 0.02}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share with its 95 % interval (Wilson)."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """Null of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end."""
        if not self.of:
            return None
        low, high = proportion_confint(self.hits, self.of, method="wilson")
        return float(low), float(high)


@dataclass(slots=True, kw_only=True)
class Measured:
    """What came of a corpus."""

    is_sound: bool = True
    """The chains are known to be right, so that a finding against one is a false alarm."""
    chains: int = 0
    steps: int = 0
    alarmed: int = 0
    chains_alarmed: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    """By name of the mutant, as are the next two."""
    equivalent: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)

    def rate(self, name: str) -> Rate:
        """Of the mutants of a name that are none of the equivalent, those found."""
        return Rate(hits=self.found[name], of=self.planted[name] - self.equivalent[name])

    @property
    def false_alarms(self) -> Rate:
        """Of the steps, those with a finding."""
        return Rate(hits=self.alarmed, of=self.steps)

    def summary(self) -> dict[str, Any]:
        """For the last line of a job."""
        return {
            "chains": self.chains,
            "steps": self.steps,
            "kill_rate": {kind: self.rate(kind).share for kind in STRUCTURAL},
            "text_kill_rate": {kind: self.rate(kind).share for kind in TEXT_ONLY},
            "in_text": {kind: self.rate(name_of(kind, in_text=True)).share for kind in IN_TEXT},
            "planted": dict(sorted(self.planted.items())),
            "equivalent": dict(sorted((+self.equivalent).items())),
            "false_alarm_rate": self.false_alarms.share if self.is_sound else None,
            "false_alarm_interval": self.false_alarms.interval if self.is_sound else None,
            "steps_with_finding": self.alarmed,
            "chains_with_finding": self.chains_alarmed,
        }


def measure(samples: Sequence[Sample], *, max_steps: int, is_sound: bool = True) -> Measured:
    """Check every sound chain and every mutant of it.

    Args:
        samples: chains with their cases.
        max_steps: that a chain is held to.
        is_sound: the chains are right; where nobody knows, errors are planted only in those with nothing against them.
    """
    world = _World(samples)
    measured = Measured(is_sound=is_sound)
    for sample in samples:
        sound = check(sample.chain, world.context(sample, sample.chain, max_steps))
        _count_alarms(measured, sample, sound)
        if not is_sound and sound["flags"]:
            continue
        for mutant in plant(sample, samples):
            row = check(mutant.chain, world.context(sample, mutant.chain, max_steps))
            measured.planted[mutant.name] += 1
            measured.equivalent[mutant.name] += mutant.equivalent
            measured.found[mutant.name] += not mutant.equivalent and _is_worse(row, sound)
    return measured


def _count_alarms(measured: Measured, sample: Sample, sound: Row) -> None:
    steps = {finding["step"] for finding in sound["findings"]}
    measured.chains += 1
    # What is found against the chain as a whole, step 0, is a unit of its own: no rate is above 1.
    measured.steps += len(sample.chain["steps"]) + (0 in steps)
    measured.alarmed += len(steps)
    measured.chains_alarmed += bool(steps)


def _is_worse(row: Row, sound: Row) -> bool:
    """Whether a row of `checks` tells of something that the sound chain's does not."""
    less = row["grounded"] is None or row["grounded"] < (sound["grounded"] or 0.0)
    return less or bool(set(row["flags"]) - set(sound["flags"]))


class _World:
    """The graph over all samples, from which each chain's context is cut as verify_chains cuts it."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._edges: dict[str, Row] = {}
        self._nodes: dict[str, Node] = {}
        for sample in samples:
            self._edges |= sample.edges
            self._nodes |= sample.nodes

    def context(self, sample: Sample, chain: Row, max_steps: int) -> Context:
        """What a chain that is said to belong to a sample's case is held to."""
        cited = [edge["edge_id"] for step in chain["steps"] for edge in step["edges"]]
        shown = [edge["edge_id"] for edge in sample.case["edges"]]
        edges = {edge: self._edges[edge] for edge in (*shown, *cited) if edge in self._edges}
        nodes = {edge[end] for edge in edges.values() for end in ("src", "dst")}
        nodes |= {link["node_id"] for link in sample.links}
        nodes |= {node for step in chain["steps"] for node in step["mentions"]}
        return Context(
            case=sample.case,
            question=sample.question,
            links=sample.links,
            names=self._names(sample, nodes),
            edges=edges,
            kg_version=sample.case["kg_version"],
            max_steps=max_steps,
        )

    def _names(self, sample: Sample, nodes: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Names by id; the sample's own first, as another case may call the same node otherwise."""
        known = {node: sample.nodes.get(node, self._nodes.get(node)) for node in nodes}
        return {node_id: node.names for node_id, node in sorted(known.items()) if node is not None}
