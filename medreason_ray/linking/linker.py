"""a text of a question -> what it mentions and which nodes that means: the order in which the methods are asked.

Numbers first: "temperature 39.2 °C" is fever, never the node "temperature", so nothing else may read that stretch, be the
value normal or not. Then the names of the dictionary, longest first. An answer or option that no name covers is looked up
whole among the vectors, because its text is one mention by construction; free text has no such bounds, and is left to names
or to a model's spans. Everything on the question side gets an assertion.

Source: MedReason (arXiv:2504.00993): names by a model, exact match, nearest by embedding (k 10, floor 0.7), choice above 0.85.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa

from conf.config import LinksConfig
from medreason_ray.linking import numbers
from medreason_ray.linking.assertion import assertions
from medreason_ray.linking.dictionary import EXACT, Candidate, Dictionary, Span, family
from medreason_ray.linking.folding import canonical_name
from medreason_ray.linking.neighbours import METHOD, Neighbour, Neighbours, NodeVectors
from medreason_ray.linking.numbers_rules import bare_measurements

DICTIONARY, RULE, WHOLE, MODEL = "dictionary", "rule", "whole", "model"
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
    """Best first; at least one unless a model named the stretch."""
    assertion: str
    extractor: str
    """dictionary, rule, whole or model."""
    type: str
    """Of the best candidate; without one, what the model said."""
    decided: bool = True
    """False where no candidate is good enough to be linked, or a model is to pick one."""


class Extracted(NamedTuple):
    """A stretch of text that a model named; offsets as in `Span`."""

    start: int
    end: int
    type: str
    """One of the graph's."""


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
        self._bare = frozenset(map(canonical_name, bare_measurements()))
        self._neighbours = Neighbours(vectors, config.embedding) if vectors else None
        self._generic = frozenset(nodes.filter(nodes["generic"])["node_id"].to_pylist())
        self._near: dict[tuple[str, str | None], list[Neighbour]] = {}

    def look_up(self, texts: Iterable[str], typed: Iterable[tuple[str, str]] = ()) -> None:
        """Find the nodes nearest to names, in one go, for `mentions` to come.

        Args:
            texts: answers and options, to be looked up whole among all types.
            typed: what a model named, each with its type.
        """
        if not self._neighbours:
            return
        whole = {(text.strip(), None) for text in texts if self._config.extractor != MODEL}
        asked = sorted(each for each in whole if 0 < len(each[0]) <= _LONGEST and not self._names.named(each[0]))
        wanted = [*asked, *sorted({each for each in typed if len(each[0]) <= _LONGEST and not self._bearing(*each)})]
        found = self._neighbours.candidates([name for name, _ in wanted], [kind for _, kind in wanted])
        self._near = dict(zip(wanted, found, strict=True))

    def mentions(self, text: str, side: str) -> list[Mention]:
        """What a text mentions, from left to right, when no model is asked; none overlaps another.

        Args:
            text: a stem, an answer or an option; the latter two looked up before.
            side: question, answer or option; only a question's mentions may be other than present.
        """
        return self.union(text, side, ())[0]

    def union(self, text: str, side: str, extracted: Sequence[Extracted]) -> tuple[list[Mention], int]:
        """What a text mentions, and how many mentions gave way to another that they overlap.

        Args:
            text: as for `mentions`.
            side: as for `mentions`.
            extracted: what a model named in this text, looked up before; inside it.
        """
        read = [self._read(text, each) for each in extracted]
        if side != "question":
            named = self._of_option(text, alone=not read)
            return self._apart([*named, *read]) if read else (named, 0)
        measured = numbers.measured(text)
        named = [_mention(each) for each in self.spans(text) if not _overlaps(each.start, each.end, measured)]
        unmeasured = [each for each in read if not _overlaps(each.start, each.end, measured)]
        kept, overlapped = self._apart([*named, *unmeasured]) if unmeasured else (named, 0)
        found = sorted([*map(_mention, self._findings(text)), *kept], key=_start)
        said = assertions(text, [(each.start, each.end) for each in found])
        asserted = [replace(each, assertion=label) for each, label in zip(found, said, strict=True)]
        return asserted, overlapped + len(read) - len(unmeasured)  # a measurement is read by its rule alone

    def _apart(self, found: list[Mention]) -> tuple[list[Mention], int]:
        """The mentions that stand, from left to right, and how many gave way to one that they overlap.

        An exact name of the dictionary stands, then what may be linked, then the longer, and of equals the dictionary's.
        """
        kept: list[Mention] = []
        for each in sorted(found, key=self._weight):
            place = bisect_left(kept, each.start, key=_start)
            is_behind = place == 0 or kept[place - 1].end <= each.start
            if is_behind and (place == len(kept) or each.end <= kept[place].start):
                kept.insert(place, each)
        return kept, len(found) - len(kept)

    def _weight(self, each: Mention) -> tuple[bool, bool, int, bool, int]:
        exact = each.extractor == DICTIONARY and each.candidates[0].method == EXACT
        linkable = each.decided or (self._config.choice == MODEL and bool(each.candidates))
        return not exact, not linkable, each.start - each.end, each.extractor == MODEL, each.start

    def _read(self, text: str, each: Extracted) -> Mention:
        """A stretch that a model named, with the nodes that bear that name within its type, else those near it."""
        written = text[each.start : each.end]
        bearing = self._bearing(written, each.type)
        near = self._near.get((written, each.type), [])
        candidates = bearing or tuple(self._by_vector(one) for one in near)
        return Mention(
            start=each.start,
            end=each.end,
            candidates=candidates,
            assertion=PRESENT,
            extractor=MODEL,
            type=candidates[0].type if candidates else each.type,
            decided=bool(bearing) or self._is_decided(near),
        )

    def _bearing(self, written: str, kind: str) -> tuple[Candidate, ...]:
        """The nodes of a type, or of its family, that bear a name: own names first, then the type itself."""
        found: dict[str, Candidate] = {}
        for each in self._names.named(written):
            if family(each.type) == family(kind) and each.own_case in {"", written}:
                found.setdefault(each.node_id, each)
        return tuple(sorted(found.values(), key=lambda each: (each.method != EXACT, each.type != kind)))

    def _of_option(self, text: str, *, alone: bool) -> list[Mention]:
        """What an answer or option mentions: itself where the whole of it is near a name, else the names in it.

        Args:
            text: of the option.
            alone: no model has named anything in it; only then an undecided whole is better than nothing.
        """
        named = [_mention(span) for span in self.spans(text)]
        near = self._near.get((text.strip(), None), [])
        if not near:
            return named
        start = len(text) - len(text.lstrip())
        whole = Mention(
            start=start,
            end=start + len(text.strip()),
            candidates=tuple(self._by_vector(each) for each in near),
            assertion=PRESENT,
            extractor=WHOLE,
            type=near[0].type,
            decided=self._is_decided(near),
        )
        return [whole] if self._is_good(near) or (alone and not named) else named

    def _is_decided(self, near: list[Neighbour]) -> bool:
        """Whether the nearest node is linked unasked."""
        return self._config.choice != MODEL and self._is_good(near)

    def _is_good(self, near: list[Neighbour]) -> bool:
        if self._config.choice == "score":
            return bool(near) and near[0].score >= self._config.accept
        return bool(near) and near[0].typo

    def _by_vector(self, near: Neighbour) -> Candidate:
        generic = near.node_id in self._generic
        return Candidate(
            node_id=near.node_id,
            type=near.type,
            generic=generic,
            method=METHOD,
            score=near.score,
            own_case="",
            name=near.name,
            typo=near.typo,
        )

    def spans(self, text: str) -> list[Span]:
        """The names in a text that the dictionary is to find; one that is merely measured or examined names nothing."""
        if self._config.extractor == MODEL:
            return []
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


def _start(each: Mention) -> int:
    return each.start


def _mention(span: Span) -> Mention:
    best = span.candidates[0]
    return Mention(
        start=span.start,
        end=span.end,
        candidates=span.candidates,
        assertion=PRESENT,
        extractor=RULE if best.method == RULE else DICTIONARY,
        type=best.type,
    )


def sides(question: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Side, option key and text of each part: the stem, the right option or the open answer, each wrong option."""
    yield "question", "", question["question"] or ""
    right = question["answer_key"] or ""
    options = {each["key"]: each["text"] or "" for each in question["options"] or ()}
    yield "answer", right, options.pop(right, "") or question["answer"] or ""
    for key, text in options.items():
        yield "option", key, text
