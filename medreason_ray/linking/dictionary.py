"""nodes -> Dictionary: which spans of a text bear the name of a node, and of which nodes.

One automaton over all names lists every occurrence; which ones stand is decided here, for LeftmostLongest knows no
word boundaries and no case: "asthma attack" in "asthma attacked" would hide "asthma", and a gene symbol in lower case
the name that overlaps it. Listing all costs little: 53 hits and 20 us a stem of 780 characters, a tenth of the time.
Names and texts meet in their canonical form (medreason_ray.linking.folding), which remembers where it comes from. An
abbreviation that the text itself defines ("deep vein thrombosis (DVT)") then names what its long form names.

Source: Aho & Corasick 1975; Schwartz & Hearst 2003 (abbreviations); english_words.txt is ours, after the spurious hits
counted on 100 real stems.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from operator import itemgetter
from typing import Any

import pyarrow as pa
from ahocorasick_rs import AhoCorasick, MatchKind

from medreason_ray.linking.abbreviations import definitions
from medreason_ray.linking.folding import Canonical, canonical_name
from medreason_ray.linking.lexicon import synonym_groups
from medreason_ray.linking.spelling import Speller

EXACT, SYNONYM, SPELLING = "exact", "synonym", "spelling"
GENE = "gene/protein"
EFFECT = "effect/phenotype"

TYPE_PREFERENCE = (
    "disease",
    "effect/phenotype",
    "drug",
    "drug_class",
    "chemical",
    "exposure",
    GENE,
    "organism",
    "anatomy",
    "biological_process",
    "pathway",
    "cellular_component",
    "molecular_function",
)
"""Which type a name means when several bear it; types that are not listed come last, by name."""

_Rank = tuple[bool, int, str, bool, int, str, str]
_FAMILIES = {"disease": "finding", "effect/phenotype": "finding", "chemical": "drug"}

_SYMBOL = re.compile(r"[A-Z0-9]+(?:orf[0-9]+[A-Z0-9]*)?(?:[-.@/][A-Z0-9]+)*")
_SPELLING_SCORE = 0.9
_SYMBOL_MIN_CHARS = 2  # T, the brachyury gene, stood in 128 of 3,133 questions as "T cell" and "T 98 F"
_ACRONYM_MAX_CHARS = 5  # longer capitals are whole words that a source happens to shout
_SIDE_EFFECTS = ("UMLS:", "MEDDRA:", "MedDRA:")
_NEAR = 40  # characters on either side in which a cue counts
_NOT_BEFORE = re.compile(r"(?i)\b(?:non|anti)-$")  # "non-Hodgkin lymphoma" is no Hodgkin lymphoma
_OF_GENES = re.compile(
    r"(?i)\b(?:genes?|proteins?|mutat\w*|alleles?|variants?|express\w*|encod\w*|transcri\w*|polymorphi\w*)\b"
)
_ADVERSE = re.compile(
    r"(?i)\b(?:(?:adverse|side|toxic) (?:drug )?(?:effect|event|reaction)s?|toxicity|since starting|after starting"
    r"|(?:medication|drug)-induced)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that bears a name."""

    node_id: str
    type: str
    generic: bool
    """Too general to start or end a path."""
    method: str
    """exact for the node's name, synonym for another of its names, spelling where a word was mended to read it."""
    own_case: str
    """The only spelling that counts; empty where case says nothing."""
    in_gene_context: bool = False
    """A gene symbol that is clinical shorthand too (CAD, CRP): it counts where genes are spoken of."""
    score: float = 1.0
    """1 where the method is certain."""
    name: str = ""
    """The node's name where the method leaves a choice; else empty."""
    typo: bool = False
    """The text is that name, misspelt."""
    side_effect: bool = False
    """From a vocabulary of adverse effects: it comes behind other findings of the name unless one is spoken of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a text that bears a name; offsets in characters, from 0, `end` behind the last."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]
    """At least one, best first."""


class Dictionary:
    """The names of a graph, ready to be found in texts."""

    def __init__(self, nodes: pa.Table, *, min_chars: int) -> None:
        """Build the automaton: 3 s for 130,000 names.

        Args:
            nodes: the columns node_id, name, type, synonyms, generic and degree of conf.tables.NODES, in any order.
            min_chars: characters of the shortest name that matches whatever its case.
        """
        named = _by_name(nodes, min_chars)
        self._candidates = [tuple(found) for found in named.values()]
        self._automaton = AhoCorasick(list(named), matchkind=MatchKind.Standard)
        self._by_name = dict(zip(named, self._candidates, strict=True))
        self._speller = Speller(
            {*itertools.chain.from_iterable(map(str.split, named)), *itertools.chain(*english_words())}
        )

    def __len__(self) -> int:
        """Names that can match."""
        return len(self._candidates)

    def named(self, name: str) -> tuple[Candidate, ...]:
        """The nodes that bear a name or one of its variants, best first."""
        return self._by_name.get(canonical_name(name), ())

    def spans(self, text: str) -> list[Span]:
        """The leftmost longest names in a text, from left to right; none overlaps another."""
        canonical = Canonical(text, self._speller.mend)
        chosen: list[Span] = []
        hits = self._automaton.find_matches_as_indexes(canonical.text, overlapping=True)
        hits.sort(key=lambda hit: (hit[1], -hit[2]))
        reached = 0
        for name, start, end in hits:
            if start < reached or not canonical.is_word(start, end):
                continue
            first, last = canonical.origin(start, end)
            candidates = _fitting(self._candidates[name], text, first, last)
            if canonical.is_mended(first, last):
                candidates = tuple(
                    replace(each, method=SPELLING, score=_SPELLING_SCORE) for each in candidates if not each.own_case
                )
            if candidates:
                chosen.append(Span(start=first, end=last, candidates=candidates))
                reached = end
        return _with_abbreviations(text, chosen)


@cache
def english_words() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Words that link nothing alone; words that link no gene or protein (the first included); words that are not misspelt."""
    text = (resources.files("medreason_ray.linking") / "english_words.txt").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    parts = [frozenset(map(canonical_name, part.split())) for part in re.split(r"\[(?:any|gene|spelling)\]", lines)[1:]]
    return parts[0], parts[0] | parts[1], parts[2]


def _by_name(nodes: pa.Table, min_chars: int) -> dict[str, list[Candidate]]:
    """Candidates by canonical name, names in order, candidates best first; the order of `nodes` has no say."""
    ranked: dict[str, list[tuple[_Rank, Candidate]]] = {}
    for key, degree, candidate in _names(nodes, min_chars):
        ranked.setdefault(key, []).append((_rank(candidate, degree), candidate))
    return {key: [each for _, each in sorted(ranked[key], key=itemgetter(0))] for key in sorted(ranked)}


def _names(nodes: pa.Table, min_chars: int) -> Iterator[tuple[str, int, Candidate]]:
    """Each canonical name of each node that may link, with the node's degree and the candidate that it makes."""
    wordings = _wordings()
    wanted = nodes.select(["node_id", "name", "type", "synonyms", "generic", "degree"])
    for batch in wanted.to_batches(max_chunksize=4096):
        for node in batch.to_pylist():
            spelled = [(node["name"], EXACT), *((each, SYNONYM) for each in node["synonyms"] or ())]
            keyed = [(canonical_name(name), name, method, min_chars) for name, method in spelled if name]
            known = wordings.get(family(node["type"] or ""), {})
            more = {word: None for key, *_ in keyed for word in known.get(key, ())}
            # What a lexicon lists on purpose may be as short as "MI".
            keyed += [(canonical_name(word), word, SYNONYM, min(min_chars, _SYMBOL_MIN_CHARS)) for word in more]
            for key, name, method, least in keyed:
                candidate = _candidate(node, key, name, method)
                if _may_link(key, candidate, least):
                    yield key, node["degree"] or 0, candidate


def _candidate(node: dict[str, Any], key: str, name: str, method: str) -> Candidate:
    kind = node["type"] or ""
    general, shorthand, _ = english_words()
    return Candidate(
        node_id=node["node_id"],
        type=kind,
        generic=bool(node["generic"]),
        method=method,
        own_case=_own_case(name, kind),
        in_gene_context=kind == GENE and key in shorthand - general,
        side_effect=node["node_id"].startswith(_SIDE_EFFECTS),
    )


@cache
def _wordings() -> dict[str, dict[str, tuple[str, ...]]]:
    """By family of types and canonical name: the other wordings of the lexicon's group."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for kind, groups in synonym_groups().items():
        for group in groups:
            for word in group:
                others = tuple(each for each in group if each != word)
                known = found.setdefault(family(kind), {})
                known[canonical_name(word)] = known.get(canonical_name(word), ()) + others
    return found


def family(kind: str) -> str:
    """The types that count as one: sources differ in what they call a disease and what a finding."""
    return _FAMILIES.get(kind, kind)


def _own_case(name: str, kind: str) -> str:
    """The name itself where another case would be another word: gene symbols, and acronyms of any type."""
    is_acronym = kind == GENE or len(name) <= _ACRONYM_MAX_CHARS
    return name if is_acronym and _SYMBOL.fullmatch(name) else ""


def _may_link(key: str, candidate: Candidate, min_chars: int) -> bool:
    """False for names that would be found where nobody means them."""
    general, general_or_shorthand, _ = english_words()
    blocked = general_or_shorthand if candidate.type == GENE and not candidate.own_case else general
    least = min(_SYMBOL_MIN_CHARS, min_chars) if candidate.type == GENE and candidate.own_case else min_chars
    has_letter = any(char.isalpha() for char in key)
    return has_letter and len(key) >= max(least, 1) and key not in blocked


def _rank(candidate: Candidate, degree: int) -> _Rank:
    """What puts the bearers of a name in order: its own name, its type, the better known, then the id."""
    kind = candidate.type
    place = TYPE_PREFERENCE.index(kind) if kind in TYPE_PREFERENCE else len(TYPE_PREFERENCE)
    return candidate.method != EXACT, place, kind, candidate.side_effect, -degree, candidate.node_id, candidate.own_case


def _fitting(candidates: Iterable[Candidate], text: str, start: int, end: int) -> tuple[Candidate, ...]:
    """The candidates that the spelling and what stands around it allow, each node once, in their order."""
    if _NOT_BEFORE.search(text[max(0, start - 6) : start]):
        return ()
    written = text[start:end]
    around = text[max(0, start - _NEAR) : start] + " " + text[end : end + _NEAR]
    fitting: dict[str, Candidate] = {}
    for each in candidates:
        if (not each.own_case or each.own_case == written) and (not each.in_gene_context or _OF_GENES.search(around)):
            fitting.setdefault(each.node_id, each)
    found = list(fitting.values())
    if len(found) > 1 and _ADVERSE.search(around):
        found.sort(key=lambda each: (each.type != EFFECT, not each.side_effect))
    return tuple(found)


def _with_abbreviations(text: str, spans: list[Span]) -> list[Span]:
    """The spans, and those of abbreviations whose long form is one of them; such an abbreviation means nothing else.

    The first definition counts. A word of English, such as "As", is one only in its parenthesis.
    """
    by_end = {span.end: span for span in spans}
    meant: dict[str, tuple[Candidate, ...]] = {}
    for definition in definitions(text):
        long = by_end.get(definition.end)
        if long and definition.start <= long.start and definition.short not in meant:
            meant[definition.short] = tuple(replace(each, method=SYNONYM) for each in long.candidates)
    if not meant:
        return spans
    words = "|".join(map(re.escape, sorted(meant, key=len, reverse=True)))
    short = [
        Span(start=found.start(), end=found.end(), candidates=meant[found.group()])
        for found in re.finditer(rf"(?<!\w)(?:{words})(?!\w)", text)
        if _abbreviates(text, found)
    ]
    return _without_overlaps(spans, short)


def _abbreviates(text: str, found: re.Match[str]) -> bool:
    if _NOT_BEFORE.search(text[max(0, found.start() - 6) : found.start()]):
        return False
    return canonical_name(found.group()) not in english_words()[0] or text[found.start() - 1 : found.start()] == "("


def _without_overlaps(spans: list[Span], better: list[Span]) -> list[Span]:
    """Both in order, less those of `spans` that touch one of `better`; neither overlaps itself."""
    kept, place = list(better), 0
    for span in spans:
        while place < len(better) and better[place].end <= span.start:
            place += 1
        if place == len(better) or span.end <= better[place].start:
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)
