"""a question -> what it mentions and which nodes that means: the order in which the methods are asked.

Numbers first: "temperature 39.2 °C" is fever, never the node "temperature", so nothing else may read that stretch. Then the
names of the dictionary, longest first. An answer or option that no name covers is looked up whole among the vectors, because
its text is one mention by construction; free text has no such bounds, and is left to names or to a model's spans. Everything
on the question side gets an assertion.

Source: MedReason (arXiv:2504.00993): names by a model, exact match, nearest by embedding (k 10, floor 0.7), choice above 0.85.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from conf.config import LinksConfig
from medreason_ray.linking import numbers
from medreason_ray.linking.assertion import assertions
from medreason_ray.linking.dictionary import Candidate, Dictionary, Span
from medreason_ray.linking.folding import canonical_name

RULE = "rule"
PRESENT = "present"
FINDINGS = ("effect/phenotype", "disease")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A stretch of text with the nodes that it may mean."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]
    """At least one, best first."""
    assertion: str
    extractor: str
    """dictionary, rule or whole."""


class Linker:
    """The names, rules and vectors of one graph."""

    def __init__(self, nodes: pa.Table, config: LinksConfig) -> None:
        """Build it once a worker: 3 s for 130,000 names.

        Args:
            nodes: as kg_spark's table `nodes`: node_id, name, type, synonyms, generic, degree.
            config: links.
        """
        self._names = Dictionary(nodes, min_chars=config.min_chars)
        self._bare = frozenset(map(canonical_name, numbers.bare_measurements()))

    def mentions(self, text: str, side: str) -> list[Mention]:
        """What a text mentions, from left to right; none overlaps another.

        Args:
            text: a stem, an answer or an option.
            side: question, answer or option; only a question's mentions may be other than present.
        """
        measured = list(self._measured(text)) if side == "question" else []
        named = [span for span in self._names.spans(text) if not self._is_bare(text, span)]
        apart = [each for each in named if not any(each.start < m.end and m.start < each.end for m in measured)]
        found = sorted([*measured, *apart], key=lambda span: span.start)
        found = [span for span in found if span.candidates]
        where = [(span.start, span.end) for span in found]
        said = assertions(text, where) if side == "question" else [PRESENT] * len(found)
        return [
            Mention(start=span.start, end=span.end, candidates=span.candidates, assertion=each, extractor=_extractor(span))
            for span, each in zip(found, said, strict=True)
        ]

    def _measured(self, text: str) -> Iterator[Span]:
        """Abnormal numbers; one whose finding the graph lacks has no candidates, and hides the bare measurement."""
        for finding in numbers.findings(text):
            meant = {c.node_id: c for name in finding.names for c in self._names.named(name) if c.type in FINDINGS}
            yield Span(
                start=finding.start,
                end=finding.end,
                candidates=tuple(_by_rule(each) for each in meant.values()),
            )

    def _is_bare(self, text: str, span: Span) -> bool:
        return canonical_name(text[span.start : span.end]) in self._bare


def _extractor(span: Span) -> str:
    return RULE if span.candidates[0].method == RULE else "dictionary"


def _by_rule(candidate: Candidate) -> Candidate:
    return replace(candidate, method=RULE)


def sides(question: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Side, option key and text of each part: the stem, the right option or the open answer, each wrong option."""
    yield "question", "", question["question"] or ""
    right = question["answer_key"] or ""
    options = {each["key"]: each["text"] or "" for each in question["options"] or ()}
    yield "answer", right, options.pop(right, "") or question["answer"] or ""
    for key, text in options.items():
        yield "option", key, text
