"""a text of a question -> what it mentions and which nodes that means: the order in which the methods are asked.

Numbers first: "temperature 39.2 °C" is fever, never the node "temperature", so nothing else may read that stretch, be the
value normal or not. Then the names of the dictionary, longest first. An answer or option that no name covers is looked up
whole among the vectors, because its text is one mention by construction; free text has no such bounds, and is left to names
or to a model's spans. Everything on the question side gets an assertion.

Source: MedReason (arXiv:2504.00993): names by a model, exact match, nearest by embedding (k 10, floor 0.7), choice above 0.85.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from conf.config import LinksConfig
from medreason_ray.linking import numbers
from medreason_ray.linking.assertion import assertions
from medreason_ray.linking.dictionary import Candidate, Dictionary, Span
from medreason_ray.linking.folding import canonical_name
from medreason_ray.linking.neighbours import METHOD, Neighbour, Neighbours, NodeVectors

DICTIONARY, RULE, WHOLE = "dictionary", "rule", "whole"
PRESENT = "present"
FINDINGS = ("effect/phenotype", "disease")
# "Heart sounds" and "liver enzymes" speak of what is examined, not of the organ; "sodium" is a drug where it is given.
_EXAMINED = re.compile(
    r"(?i)\s+(?:sounds?|rates?|rhythm|functions?|enzymes?|exam(?:ination)?|tests?|biops\w+|transplant\w*|sizes?|counts?|levels?)\b"
)
_ANALYTES = frozenset(
    canonical_name(name)
    for name in ("calcium", "chloride", "cholesterol", "copper", "creatinine", "estradiol", "glucose", "iron", "magnesium",
                 "phosphate", "potassium", "sodium", "testosterone", "urea")
)  # fmt: skip
_GIVEN = re.compile(
    r"(?i)\b(?:given|gives?|administ\w+|infus\w+|supplement\w*|tablets?|pills?|takes?|taking|took|treated|treatment|ingest\w*|intake"
    r"|inject\w*|intravenous\w*|IV|oral\w*|therap\w+|prescri\w+|started)\b"
)
_NEAR = 40
_LONGEST = 120  # characters of a text that may be one name: 7 of 10,000 of Hetionet's are longer, up to 193


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
    decided: bool = True
    """False where no candidate is good enough to be linked."""


class Linker:
    """The names, rules and vectors of one graph."""

    def __init__(self, nodes: pa.Table, config: LinksConfig, vectors: NodeVectors | None = None) -> None:
        """Build it once a worker: 4 s for 130,000 names.

        Args:
            nodes: node_id, name, type, synonyms, generic and degree of conf.tables.NODES.
            config: links.
            vectors: of the same nodes; without them names alone are linked.
        """
        self._config = config
        self._names = Dictionary(nodes, min_chars=config.min_chars)
        self._bare = frozenset(map(canonical_name, numbers.bare_measurements()))
        self._neighbours = Neighbours(vectors, config.embedding) if vectors else None
        self._generic = frozenset(nodes.filter(nodes["generic"])["node_id"].to_pylist())
        self._near: dict[str, list[Neighbour]] = {}

    def look_up(self, texts: Iterable[str]) -> None:
        """Find the nodes nearest to whole texts, in one go, for `mentions` to come."""
        wanted = {text.strip() for text in texts} if self._neighbours else set()
        asked = sorted(text for text in wanted if 0 < len(text) <= _LONGEST and not self._names.named(text))
        if asked and self._neighbours:
            self._near = dict(zip(asked, self._neighbours.candidates(asked, [None] * len(asked)), strict=True))

    def mentions(self, text: str, side: str) -> list[Mention]:
        """What a text mentions, from left to right; none overlaps another.

        Args:
            text: a stem, an answer or an option; the latter two looked up before.
            side: question, answer or option; only a question's mentions may be other than present.
        """
        if side != "question":
            return self._of_option(text)
        measured = numbers.measured(text)
        named = [span for span in self._named(text) if not _overlaps(span.start, span.end, measured)]
        found = sorted([*self._findings(text), *named], key=lambda span: span.start)
        said = assertions(text, [(span.start, span.end) for span in found])
        return [_mention(span, assertion) for span, assertion in zip(found, said, strict=True)]

    def _of_option(self, text: str) -> list[Mention]:
        """What an answer or option mentions: itself where the whole of it is near a name, else the names in it."""
        named = [_mention(span, PRESENT) for span in self._named(text)]
        near = self._near.get(text.strip(), [])
        if not near:
            return named
        start = len(text) - len(text.lstrip())
        whole = Mention(
            start=start,
            end=start + len(text.strip()),
            candidates=tuple(self._by_vector(each) for each in near),
            assertion=PRESENT,
            extractor=WHOLE,
            decided=self._is_decided(near),
        )
        return [whole] if whole.decided or not named else named

    def _is_decided(self, near: list[Neighbour]) -> bool:
        best = near[0]
        return best.typo if self._config.choice == "typo" else best.score >= self._config.accept

    def _by_vector(self, near: Neighbour) -> Candidate:
        generic = near.node_id in self._generic
        return Candidate(
            node_id=near.node_id, type=near.type, generic=generic, method=METHOD, score=near.score, own_case=""
        )

    def _named(self, text: str) -> list[Span]:
        """The names in a text; one that is merely measured or examined names nothing."""
        return [span for span in self._names.spans(text) if not self._is_measured(text, span)]

    def _is_measured(self, text: str, span: Span) -> bool:
        name = canonical_name(text[span.start : span.end])
        if name in self._bare:
            return True
        if span.candidates[0].type == "anatomy":
            return _EXAMINED.match(text, span.end) is not None
        around = text[max(0, span.start - _NEAR) : span.end + _NEAR]
        return name in _ANALYTES and not _GIVEN.search(around)

    def _findings(self, text: str) -> Iterator[Span]:
        """Abnormal numbers whose finding the graph knows."""
        for finding in numbers.findings(text):
            meant = {c.node_id: c for name in finding.names for c in self._names.named(name) if c.type in FINDINGS}
            if meant:
                candidates = tuple(replace(each, method=RULE) for each in meant.values())
                yield Span(start=finding.start, end=finding.end, candidates=candidates)


def _overlaps(start: int, end: int, others: list[tuple[int, int]]) -> bool:
    return any(first < end and start < last for first, last in others)


def _mention(span: Span, assertion: str) -> Mention:
    extractor = RULE if span.candidates[0].method == RULE else DICTIONARY
    return Mention(start=span.start, end=span.end, candidates=span.candidates, assertion=assertion, extractor=extractor)


def sides(question: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Side, option key and text of each part: the stem, the right option or the open answer, each wrong option."""
    yield "question", "", question["question"] or ""
    right = question["answer_key"] or ""
    options = {each["key"]: each["text"] or "" for each in question["options"] or ()}
    yield "answer", right, options.pop(right, "") or question["answer"] or ""
    for key, text in options.items():
        yield "option", key, text
