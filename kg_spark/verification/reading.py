"""text -> claims: which of its entities is said to act on which, how, and whether that is denied.

A shallow reading: names are found first, then the wordings of the lexicon between them. A verb's subject is the nearest name
before it that is no object of something else, its object the next name behind it that nothing but words without weight part
from it. Passives run back, "fails to" denies, "loss of" turns. Where anything else stands between, nothing is read: a
sentence that cannot be read is not held against its chain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from conf.outcome import Flag
from kg_spark.verification.lexicon import lexicon
from kg_spark.verification.sentences import Clause, Hit, Nodes, OwnPhrases, clauses
from kg_spark.verification.sides import LONGEST_GAP, Side, Sides
from kg_spark.verification.words import Names, Words

_TURNED = {"+": "-", "-": "+", "0": "-", "c": "c"}
_KEPT = {"+": "+", "-": "-", "0": "+", "c": "c"}
_DENYING = frozenset(
    {"not", "never", "no", "without", "unable", "unlikely", "hardly", "failing", "longer", "rather", "than"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a sentence says of two things."""

    left: Nodes
    """Nodes that bear the name that stands first, or that the subject stands for."""
    right: Nodes
    form: Words
    """The words that say it."""
    family: str
    sign: str
    """Of what is acted on as what acts grows."""
    back: bool
    """The right one acts on the left one."""
    extreme: bool
    """It says more than most edges do, so that its denial denies none ("does not cure")."""
    denied: bool
    said: str
    """The words from the one to the other."""
    modified: bool = False
    """Whether "loss of", "increased" or the like stand with a name, so that the words alone do not say it."""
    event: Nodes | None = None
    """Behind ", which": the subject of the sentence, which may be meant in place of `left`."""


def read(text: str, names: Names, own: OwnPhrases) -> list[Claim]:
    """The claims of a text.

    Args:
        text: of a step.
        names: that count.
        own: phrases of edges, which are read as well as the lexicon's.
    """
    claims: list[Claim] = []
    for sentence in clauses(text, names, own):
        carried: Side | None = None
        spoken_of = {nodes for clause in sentence for nodes in clause.names.values()}
        for clause in sentence:
            # "It" is whatever else was spoken of, where there are but two things.
            goes_on = clause.goes_on or (clause.words[:1] == ["it"] and len(spoken_of) == 2)
            sides = Sides(clause, carried if goes_on else None, spoken_of)
            if clause.unstated:
                carried = None
                continue
            opening = sides.subject or sides.opening()
            claims += _claims(clause, sides)
            # Its place is that of another clause.
            carried = opening and opening._replace(first=-1, last=-1)
    return claims


def denied_unread(text: str, names: Names, edge: dict[str, Any]) -> Iterator[tuple[Flag, str]]:
    """Where a sentence of which nothing is read puts "not" between the ends of its edge: "X is not behind Y"."""
    for sentence in clauses(text, names, ()):
        if any("but" in clause.words or clause.goes_on for clause in sentence):
            continue
        for clause in sentence:
            for first, last in pairwise(sorted(clause.names)):
                ends = clause.names[first], clause.names[last]
                joins = any(edge["src"] in a and edge["dst"] in b for a, b in (ends, ends[::-1]))
                between = clause.words[first + 1 : last]
                ahead = clause.words[max(0, first - 2) : first]
                turned = lexicon().turning.any_in(ahead)
                if joins and not clause.unstated and not turned and _is_plain_denial(between):
                    yield Flag.NEGATED, f"{clause.text(first, last + 1)!r}"


def _is_plain_denial(words: list[str]) -> bool:
    pseudo = lexicon().not_negations.any_in(words)
    return bool({"not", "never"} & set(words[:2])) and not pseudo and "," not in words and len(words) <= LONGEST_GAP


def _claims(clause: Clause, sides: Sides) -> Iterator[Claim]:
    """What each wording of a clause says."""
    for number, hit in enumerate(sides.hits):
        until = sides.hits[number + 1].start if number + 1 < len(sides.hits) else len(clause.words)
        subject, target = sides.subject_of(hit), sides.object_of(hit, until)
        if target is None and subject is not None:
            target = sides.relative_object(subject) or sides.pronoun(hit, until, subject)
        if subject and not sides.is_impersonal(hit):
            yield from _said(clause, sides, hit, subject, target) if target else ()
            sides.subject = subject
        sides.object = target or sides.object


def _said(clause: Clause, sides: Sides, hit: Hit, subject: Side, target: Side) -> Iterator[Claim]:
    """A claim for each pair of names."""
    start = subject.last + 1 if 0 <= subject.last < hit.start else max(0, hit.start - 4)
    if sides.object and subject.last < sides.object.last < hit.start:
        start = sides.object.last + 1
    gap = clause.words[hit.end : target.first]
    sign, family = hit.wording.sign, hit.wording.family
    for side in (subject, target):
        sign = _TURNED[sign] if side.turned else _KEPT[sign] if side.kept else sign
    if family == "change" and lexicon().set("risks") & set(gap):
        family = "risk"
    base = Claim(
        left=subject.nodes[0],
        right=target.nodes[0],
        form=hit.form,
        family=family,
        sign=sign,
        back=hit.wording.back,
        extreme=hit.wording.extreme,
        denied=_is_denied(clause, sides, subject, start, hit, gap),
        said=clause.text(max(0, min(subject.first, hit.start)), target.last + 1),
        modified=subject.turned or subject.kept or target.turned or target.kept,
        event=subject.event,
    )
    for left in subject.nodes:
        for right in target.nodes:
            yield replace(base, left=left, right=right)


def _is_denied(clause: Clause, sides: Sides, subject: Side, start: int, hit: Hit, gap: list[str]) -> bool:
    known = lexicon()
    ahead = clause.words[max(0, subject.first - 1) : subject.first] if 0 <= subject.first < hit.start else []
    count = int(clause.denied) + sum(word in {"neither", "nor"} for word in ahead)
    for words in (_tail(sides, clause.words[start : hit.start]), gap):
        pseudo = {i for a, b, _ in known.not_negations.find(words) for i in range(a, b)}
        count += sum(a not in pseudo for a, _, _ in known.negations.find(words))
    return count % 2 == 1


def _tail(sides: Sides, gap: list[str]) -> list[str]:
    """Of what stands before a verb the part that belongs to it, not to the noun ("that is not cleared causes")."""
    if sides.is_plain(gap):
        return gap
    heavy = [at for at, word in enumerate(gap) if not sides.is_empty(word) and word not in _DENYING]
    return gap[heavy[-1] + 1 :] if heavy else gap
