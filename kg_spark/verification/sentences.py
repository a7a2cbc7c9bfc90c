"""text -> clauses: sentences with their names masked and adverbs left out, cut where a new statement begins.

What stands in brackets is not read, nor a question, nor a clause under "if" or "whether".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from kg_spark.verification.lexicon import Wording, lexicon, own_phrases, wording_of
from kg_spark.verification.words import Names, Words, words_of

NAME = "\x00"
"""Stands for a name among the words."""

Nodes = frozenset[str]
OwnPhrases = tuple[tuple[str, str], ...]
"""Phrase and inverse phrase of edges, sorted."""

Named = tuple[int, int, Nodes]

_ENDS = frozenset(".;?!")
_OPEN, _CLOSED = frozenset("([{"), frozenset(")]}")


class Hit(NamedTuple):
    """A wording among the words of a clause."""

    start: int
    end: int
    form: Words
    wording: Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A stretch with at most a few statements."""

    words: list[str]
    names: dict[int, Nodes]
    """By the place of their mark among the words."""
    spelled: dict[int, str]
    hits: list[Hit]
    goes_on: bool
    """The subject may be the one before ("but raises Y")."""
    unstated: bool
    denied: bool
    """"There is no evidence that" stands before."""

    def text(self, start: int, end: int) -> str:
        """Some of the words, the names written out."""
        return " ".join(self.spelled.get(at, word) for at, word in enumerate(self.words) if start <= at < end)


def clauses(text: str, names: Names, own: OwnPhrases) -> Iterator[list[Clause]]:
    """The clauses of each sentence that states something."""
    words = words_of(text)
    for start, end in _sentences(words, named := names.find(words, text)):
        if words[end - 1] != "?":
            inside = [(a, b, nodes) for a, b, nodes in named if start <= a < end]
            yield list(_cut(*_masked(words, start, end, inside), own))


def _sentences(words: Words, named: list[Named]) -> Iterator[tuple[int, int]]:
    """First word and word behind the last of each sentence; a mark within a name ("S. aureus") ends none."""
    held = {at for start, end, _ in named for at in range(start, end)}
    ends = [at + 1 for at, word in enumerate(words) if word in _ENDS and at not in held]
    yield from ((a, b) for a, b in pairwise([0, *ends, len(words)]) if b > a)


def _masked(
    words: Words, first: int, last: int, named: list[Named]
) -> tuple[list[str], dict[int, Nodes], dict[int, str]]:
    """The words with a mark for each name, without adverbs and brackets; nodes and spelling of each mark."""
    kept: list[str] = []
    names: dict[int, Nodes] = {}
    spelled: dict[int, str] = {}
    at, depth = first, 0
    for start, end, nodes in [*named, (last, last, frozenset())]:
        plain = []
        for word in words[at:start]:
            depth = max(0, depth + (word in _OPEN) - (word in _CLOSED))
            if not depth and word not in _CLOSED:
                plain.append(word)
        kept += lexicon().without_adverbs(plain)
        if nodes and not depth:
            names[len(kept)] = nodes
            spelled[len(kept)] = " ".join(words[start:end])
            kept.append(NAME)
        at = end
    return _without_remarks(kept, names, spelled)


def _without_remarks(
    words: list[str], names: dict[int, Nodes], spelled: dict[int, str]
) -> tuple[list[str], dict[int, Nodes], dict[int, str]]:
    """The same less what stands between commas behind a name, opens like a remark and names nothing."""
    remarks, dropped = lexicon().set("remarks"), set()
    commas = [at for at, word in enumerate(words) if word == ","]
    for start, end in pairwise(commas):
        opens = start > 0 and words[start - 1] == NAME and words[start + 1] in remarks
        if opens and start not in dropped and not any(start < at < end for at in names):
            dropped |= set(range(start, end + 1))
    places = {old: new for new, old in enumerate(at for at in range(len(words)) if at not in dropped)}
    return (
        [words[at] for at in places],
        {places[at]: nodes for at, nodes in names.items()},
        {places[at]: text for at, text in spelled.items()},
    )


def _cut(words: list[str], names: dict[int, Nodes], spelled: dict[int, str], own: OwnPhrases) -> Iterator[Clause]:
    known = lexicon()
    hits = _hits(words, own)
    held = {i for hit in hits for i in range(hit.start, hit.end)}
    cuts = [
        i for i, word in enumerate(words) if word in known.set("breaks") and i not in held and not _is_role(words, i)
    ]
    for before, end in pairwise([-1, *cuts, len(words)]):
        first = before + 1
        breaking = words[before] if before >= 0 else ""
        yield Clause(
            words=words[first:end],
            names={i - first: nodes for i, nodes in names.items() if first <= i < end},
            spelled={i - first: text for i, text in spelled.items() if first <= i < end},
            hits=[
                hit._replace(start=hit.start - first, end=hit.end - first) for hit in hits if first <= hit.start < end
            ],
            goes_on=breaking in known.set("going_on"),
            unstated=known.unstated.any_in(words[first:end]) is not None,
            denied=_is_denied(words[first:end]),
        )


def _is_denied(words: list[str]) -> bool:
    """Whether the clause opens with a denial of what follows, which is not denied itself ("not unlikely that")."""
    found = lexicon().denials.find(words)
    return bool(found) and "not" not in words[max(0, found[0][0] - 2) : found[0][0]]


def _is_role(words: list[str], at: int) -> bool:
    """Whether "as" says in what role: "occurs as a side effect"."""
    return words[at] == "as" and words[at + 1 : at + 2] in (["a"], ["an"])


def _hits(words: list[str], own: OwnPhrases) -> list[Hit]:
    """The wordings among some words; the longest of those that overlap, an edge's own before the lexicon's."""
    known = lexicon()
    phrases, forms = own_phrases(own)
    found = [Hit(a, b, forms[n], wording_of(forms[n])) for a, b, n in phrases.find(words)]
    for a, b, n in known.relations.find(words):
        form = known.forms_of_wordings[n]
        found.append(Hit(a, b, form, known.wordings[form]))
    kept: list[Hit] = []
    for hit in sorted(found, key=lambda hit: (hit.start - hit.end, hit.start)):
        if all(hit.end <= other.start or other.end <= hit.start for other in kept):
            kept.append(hit)
    return sorted(kept)
