"""nodes -> Dictionary: which spans of a text bear the name of a node, and of which nodes.

One automaton over all names lists every occurrence; which ones stand is decided here, for LeftmostLongest knows no
word boundaries and no case: "asthma attack" in "asthma attacked" would hide "asthma", and a gene symbol in lower case
the name that overlaps it. Listing all costs little: 53 hits and 20 us a stem of 780 characters, a tenth of the time.
Names and texts meet under conf.identity.name_key; the text's folded form remembers which characters each of its own
comes from, so offsets are those of the text as written although "ß" folds to two characters and a blank line to one.

Source: Aho & Corasick 1975; english_words.txt is ours, after the spurious hits counted on 100 real stems.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from operator import itemgetter

import pyarrow as pa
from ahocorasick_rs import AhoCorasick, MatchKind

from conf.identity import name_key

EXACT, SYNONYM = "exact", "synonym"
GENE = "gene/protein"

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

_Rank = tuple[bool, int, str, int, str, str]

_SYMBOL = re.compile(r"[A-Z0-9]+(?:orf[0-9]+[A-Z0-9]*)?(?:[-.@/][A-Z0-9]+)*")
_SYMBOL_MIN_CHARS = 2  # T, the brachyury gene, stood in 128 of 3,133 questions as "T cell" and "T 98 F"
_ACRONYM_MAX_CHARS = 5  # longer capitals are whole words that a source happens to shout
_MARKS_MAX = 30  # a base and its marks, as in UAX #15's stream-safe format; bounds the sorting of marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that bears a name."""

    node_id: str
    type: str
    generic: bool
    """Too general to start or end a path."""
    method: str
    """exact for the node's name, synonym for another of its names."""
    own_case: str
    """The only spelling that counts; empty where case says nothing."""


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

    def __len__(self) -> int:
        """Names that can match."""
        return len(self._candidates)

    def spans(self, text: str) -> list[Span]:
        """The leftmost longest names in a text, from left to right; none overlaps another."""
        folded = _Folded(text)
        chosen: list[Span] = []
        hits = self._automaton.find_matches_as_indexes(folded.text, overlapping=True)
        hits.sort(key=lambda hit: (hit[1], -hit[2]))
        reached = 0
        for name, start, end in hits:
            if start < reached or not folded.is_word(start, end):
                continue
            first, last = folded.origin(start, end)
            candidates = _fitting(self._candidates[name], text[first:last])
            if candidates:
                chosen.append(Span(start=first, end=last, candidates=candidates))
                reached = end
        return chosen


@cache
def english_words() -> tuple[frozenset[str], frozenset[str]]:
    """Words that link nothing when they stand alone, and words that link no gene or protein (the first included)."""
    text = (resources.files("medreason_ray.linking") / "english_words.txt").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    general, _, special = lines.partition("[gene]")
    general_words = frozenset(general.removeprefix("[any]").split())
    return general_words, general_words | frozenset(special.split())


def _by_name(nodes: pa.Table, min_chars: int) -> dict[str, list[Candidate]]:
    """Candidates by folded name, names in order, candidates best first; the order of `nodes` has no say."""
    ranked: dict[str, list[tuple[_Rank, Candidate]]] = {}
    for name, degree, candidate in _names(nodes):
        key = name_key(name)
        if not _may_link(key, candidate, min_chars):
            continue
        ranked.setdefault(key, []).append((_rank(candidate, degree), candidate))
    return {key: [each for _, each in sorted(ranked[key], key=itemgetter(0))] for key in sorted(ranked)}


def _names(nodes: pa.Table) -> Iterator[tuple[str, int, Candidate]]:
    """Each name of each node, with the node's degree and the candidate that it makes."""
    wanted = nodes.select(["node_id", "name", "type", "synonyms", "generic", "degree"])
    for batch in wanted.to_batches(max_chunksize=4096):
        for node in batch.to_pylist():
            spellings = [(node["name"], EXACT), *((each, SYNONYM) for each in node["synonyms"] or ())]
            for name, method in spellings:
                if not name:
                    continue
                candidate = Candidate(
                    node_id=node["node_id"],
                    type=node["type"] or "",
                    generic=bool(node["generic"]),
                    method=method,
                    own_case=_own_case(name, node["type"]),
                )
                yield name, node["degree"] or 0, candidate


def _own_case(name: str, kind: str | None) -> str:
    """The name itself where another case would be another word: gene symbols, and acronyms of any type."""
    is_acronym = kind == GENE or len(name) <= _ACRONYM_MAX_CHARS
    return name if is_acronym and _SYMBOL.fullmatch(name) else ""


def _may_link(key: str, candidate: Candidate, min_chars: int) -> bool:
    """False for names that would be found where nobody means them."""
    general, general_or_shorthand = english_words()
    blocked = general_or_shorthand if candidate.type == GENE else general
    least = min(_SYMBOL_MIN_CHARS, min_chars) if candidate.type == GENE and candidate.own_case else min_chars
    has_letter = any(char.isalpha() for char in key)
    return has_letter and len(key) >= max(least, 1) and key not in blocked


def _rank(candidate: Candidate, degree: int) -> _Rank:
    """What puts the bearers of a name in order: its own name, its type, the better known, then the id."""
    kind = candidate.type
    place = TYPE_PREFERENCE.index(kind) if kind in TYPE_PREFERENCE else len(TYPE_PREFERENCE)
    return candidate.method != EXACT, place, kind, -degree, candidate.node_id, candidate.own_case


def _fitting(candidates: Iterable[Candidate], written: str) -> tuple[Candidate, ...]:
    """The candidates that the spelling allows, each node once, in their order."""
    fitting: dict[str, Candidate] = {}
    for each in candidates:
        if not each.own_case or each.own_case == written:
            fitting.setdefault(each.node_id, each)
    return tuple(fitting.values())


class _Folds(dict[int, str]):
    """Each character's folded form, for str.translate, made when it is first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char.isspace():
            folded = " "
        elif _is_mark(char):
            folded = "\0\0"  # never folded without its base: the wrong length sends the text the slow way
        else:
            folded = _fold(char)
        self[code] = folded
        return folded


_FOLDS = _Folds()


def _fold(cluster: str) -> str:
    """name_key's fold of one base and its marks, its blanks apart; a lone surrogate becomes U+FFFD."""
    if unicodedata.category(cluster[0]) == "Cs":
        return "\ufffd" * len(cluster)
    return unicodedata.normalize("NFKC", cluster).casefold()


@cache
def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


class _Folded:
    """A text as name_key would fold it, and where each folded character stood."""

    def __init__(self, text: str) -> None:
        self.text = text.translate(_FOLDS)
        self._origins: list[tuple[int, int]] | None = None
        if len(self.text) != len(text) or "  " in self.text:
            self._fold_by_cluster(text)

    def is_word(self, start: int, end: int) -> bool:
        """True when the part neither begins nor ends within a word, nor within what was one character."""
        return self._is_edge(start) and self._is_edge(end)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the text as written."""
        if self._origins is None:
            return start, end
        return self._origins[start][0], self._origins[end - 1][1]

    def _is_edge(self, place: int) -> bool:
        if place in {0, len(self.text)}:
            return True
        before, after = self.text[place - 1], self.text[place]
        if _is_mark(after) or ((before.isalnum() or _is_mark(before)) and after.isalnum()):
            return False
        return self._origins is None or self._origins[place - 1] != self._origins[place]

    def _fold_by_cluster(self, text: str) -> None:
        """The exact way, for texts with marks, blank runs and characters that fold to several."""
        folded: list[str] = []
        origins: list[tuple[int, int]] = []
        for start, end in _clusters(text):
            for char in _fold(text[start:end]):
                blank = char.isspace()
                if blank and folded and folded[-1] == " ":
                    continue
                folded.append(" " if blank else char)
                origins.append((start, end))
        self.text, self._origins = "".join(folded), origins


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each character with the combining marks that follow it."""
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and end - start < _MARKS_MAX and _is_mark(text[end]):
            end += 1
        yield start, end
        start = end
