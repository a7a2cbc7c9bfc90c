"""text, spans -> labels: whether each thing named is the patient's and present, denied, a relative's, over or only possible.

"Denies chest pain" must not start a path from chest pain. The method is ConText's: trigger phrases that govern the words
behind or before them up to the end of the sentence or a word that ends their scope, and pseudo phrases that look like a
trigger and are none. Here each trigger paints the words that it governs, at most `reach` of them, and a span has the
strongest paint of its first word: time is linear in the text. Lists run over commas, so a verb behind a comma or "and"
tells that a clause began there, which a denial does not reach.

Source: Chapman et al. 2001 (NegEx), Harkema et al. 2009 (ConText); phrases and code are ours.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from medreason_ray.linking.numbers_case import lowered

PRESENT, ABSENT = "present", "absent"
_LABELS = {"nobody": ABSENT, "asked": "hypothetical"}
_RANKS = (PRESENT, "past", "asked", "hypothetical", ABSENT, "other", "family", "nobody")
"""Weakest first."""

_TOKEN = re.compile(r"[0-9]+(?:[.,][0-9]+)*|[^\W_]+(?:['/-][^\W_]+)*'?|[.,;:?!\n]")
_LISTED = frozenset({ABSENT, "nobody", "hypothetical"})
_STOPS = frozenset(".;?!\n")
_BESIDE = frozenset({"by", "to", "from"})  # "brought in by his wife with confusion"
_RELATIVE_WORDS = 8  # "Her father, who lives in Ohio and is 60, has gout": the verb is never farther
_TURNS = frozenset({"but", "which"})
_TIME_WORDS = 3  # "had", "two", "weeks" before "ago"
_CLAUSE_WORDS = 25  # how far "three weeks ago" looks back for the verb

_Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trigger:
    label: str
    """One of _RANKS; or pseudo, end, subject, own, ago."""
    direction: str = ""
    reach: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    """A phrase in a text: tokens first to behind - 1."""

    first: int
    behind: int
    trigger: _Trigger


def assertions(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """One of present, absent, family, past, hypothetical, other for each span.

    Args:
        text: a question; a line end is a sentence's end.
        spans: start and end in characters, in any order, overlapping or not.

    Returns:
        Labels in the order of the spans; family and other go before absent, absent before hypothetical, that before past,
        but "no family history of" is absent. A span that denies by itself ("afebrile") is absent.
    """
    folded = lowered(text)
    found = [(match.start(), match.group()) for match in _TOKEN.finditer(folded)]
    starts = [start for start, _ in found]
    paint = _painted([word for _, word in found])
    labels = []
    for start, end in spans:
        place = bisect_right(starts, start) - 1
        rank = paint[place] if place >= 0 else 0
        if rank < _RANKS.index(ABSENT) and _denies(folded[start:end]):
            rank = _RANKS.index(ABSENT)
        labels.append(_LABELS.get(_RANKS[rank], _RANKS[rank]))
    return labels


def _denies(phrase: str) -> bool:
    words = phrase.split()
    return bool(words) and (words[0] in {"no", "without"} or not _rules().inside.isdisjoint(words))


def _painted(words: list[str]) -> list[int]:
    """The rank of the strongest label that governs each token."""
    paint = [0] * len(words)
    hits = list(_hits(words))
    ends = {
        place: hit.trigger.label
        for hit in hits
        for place in (hit.first,)
        if hit.trigger.label in {"end", "subject", "own"}
    }
    ends |= {place: "stop" for place, word in enumerate(words) if word in _STOPS}
    for hit in hits:
        if hit.trigger.label not in _RANKS:
            continue
        rank = _RANKS.index(hit.trigger.label)
        for place in _governed(words, hit, ends):
            paint[place] = max(paint[place], rank)
    return paint


def _governed(words: list[str], hit: _Hit, ends: Mapping[int, str]) -> range:
    """The tokens that a trigger governs."""
    if hit.trigger.direction == "backward":
        first = hit.first
        while first > max(0, hit.first - hit.trigger.reach) and ends.get(first - 1, "own") == "own":
            if hit.trigger.label == ABSENT and words[first - 1] in _rules().verbs:
                break
            first -= 1
        return range(first, hit.first)
    stopping = _stopping(hit.trigger.label)
    behind = hit.behind
    while behind < min(len(words), hit.behind + hit.trigger.reach) and ends.get(behind, "") not in stopping:
        behind += 1
    return range(hit.behind, _list_end(words, hit.behind, behind) if hit.trigger.label in _LISTED else behind)


def _stopping(label: str) -> frozenset[str]:
    """What ends a trigger's scope: "if she develops" runs over its subject, a question stops at "this patient's"."""
    if label == "asked":
        return frozenset({"stop", "own", "subject"})
    return frozenset({"stop", "end"}) if label == "hypothetical" else frozenset({"stop", "end", "subject"})


def _list_end(words: list[str], first: int, behind: int) -> int:
    """Where a list of denied things ends: at the last comma or "and" before a verb, if there is one."""
    joint = None
    for place in range(first, behind):
        if words[place] in {",", "and"}:
            joint = place if joint is None or words[place - 1] != "," else joint
        elif words[place] in _rules().verbs and joint is not None:
            return joint
    return behind


def _hits(words: list[str]) -> Iterator[_Hit]:
    """Phrases from left to right, the longest at each place; none overlaps another."""
    rules = _rules()
    keys = [rules.key(word) for word in words]
    place = 0
    while place < len(words):
        behind, triggers = rules.longest(words, keys, place)
        for trigger in triggers:
            yield from (
                _ago(words, place) if trigger.label == "ago" else [_Hit(first=place, behind=behind, trigger=trigger)]
            )
        if not triggers:
            yield from _person(words, place)
        place = behind


def _person(words: list[str], place: int) -> Iterator[_Hit]:
    """A relative or companion who has something, not one who tells of the patient or comes along."""
    rules = _rules()
    label = "family" if words[place] in rules.relatives else "other" if words[place] in rules.companions else ""
    if not _BESIDE.isdisjoint(words[max(0, place - 2) : place]):
        return
    for verb in range(place + 1, min(place + _RELATIVE_WORDS, len(words))) if label else ():
        if words[verb] in _STOPS or words[verb] in rules.telling or words[verb] in {"he", "she", "patient"}:
            return
        if words[verb] in rules.having:
            if words[verb + 1 : verb + 2] and words[verb + 1] in rules.telling:
                return
            yield _Hit(first=verb, behind=verb + 1, trigger=_Trigger(label=label, direction="forward", reach=40))
            return


def _ago(words: list[str], place: int) -> Iterator[_Hit]:
    """A time in the past: what was over by then, not what only began then.

    "Was treated for X, two weeks ago" paints behind the verb, "X that was removed 2 years ago" what stands before it up
    to a comma or "and", and a time that opens the sentence what follows it.
    """
    rules = _rules()
    first = place
    while first > max(0, place - _CLAUSE_WORDS) and words[first - 1] not in _STOPS and words[first - 1] not in _TURNS:
        first -= 1
    verbs = [each for each in range(first, place) if words[each] in rules.over]
    if verbs and rules.begun.isdisjoint(words[first:place]):
        since = verbs[-1]
        while place - verbs[-1] <= _TIME_WORDS and since > first and words[since - 1] not in {",", "and"}:
            since -= 1
        yield _Hit(first=place, behind=place, trigger=_Trigger(label="past", direction="backward", reach=place - since))
    elif place - first <= _TIME_WORDS and rules.begun.isdisjoint(words[place : place + _RELATIVE_WORDS]):
        for verb in range(place, min(place + _RELATIVE_WORDS, len(words))):
            if words[verb] in rules.over:
                past = _Trigger(label="past", direction="forward", reach=_CLAUSE_WORDS)
                yield _Hit(first=verb, behind=verb + 1, trigger=past)
                return


class _Rules:
    """assertion.yaml, ready for look-up."""

    def __init__(self, rows: Mapping[str, Any]) -> None:
        self.relatives, self.companions = frozenset(rows["relatives"]), frozenset(rows["companions"])
        self.having, self.telling = frozenset(rows["having"]), frozenset(rows["telling"])
        self.over, self.begun = frozenset(rows["over"]), frozenset(rows["begun"])
        self.verbs, self.inside = frozenset(rows["verbs"]), frozenset(rows["inside"])
        self._classes = dict.fromkeys(rows["times"], "<time>") | dict.fromkeys(rows["numbers"], "#")
        self._classes |= dict.fromkeys(rows["relatives"], "<rel>")
        self._phrases: dict[str, list[tuple[_Phrase, tuple[_Trigger, ...]]]] = {}
        plain = {"pseudo": "pseudo", "ends": "end", "subjects": "subject", "own": "own", "ago": "ago"}
        rules = [(_Trigger(label=label), rows[name]) for name, label in plain.items()]
        rules += [
            (_Trigger(label=row["label"], direction=row["direction"], reach=row["reach"]), row["phrases"])
            for row in rows["triggers"]
        ]
        found: dict[_Phrase, list[_Trigger]] = {}
        for trigger, phrases in rules:
            for phrase in phrases:
                found.setdefault(tuple(phrase.split()), []).append(trigger)
        for words in sorted(found, key=lambda words: (-len(words), words)):
            self._phrases.setdefault(words[0], []).append((words, tuple(found[words])))

    def key(self, word: str) -> str:
        """The class of a word: # for numbers, <time>, <rel>, or itself."""
        return "#" if word[0].isdecimal() else self._classes.get(word, word)

    def longest(self, words: list[str], keys: list[str], place: int) -> tuple[int, tuple[_Trigger, ...]]:
        """Where the longest phrase that begins here ends, and what it is; the next place and nothing where there is none."""
        for phrase, triggers in self._phrases.get(words[place], []):
            behind = place + len(phrase)
            same = zip(phrase, words[place:behind], keys[place:behind], strict=False)
            if behind <= len(words) and all(part in {word, key} for part, word, key in same):
                return behind, triggers
        return place + 1, ()


@cache
def _rules() -> _Rules:
    return _Rules(
        yaml.safe_load((resources.files("medreason_ray.linking") / "assertion.yaml").read_text(encoding="utf-8"))
    )
