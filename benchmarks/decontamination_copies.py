"""Copies of a question as they turn up in training sets: exact, with the options shuffled, and in other words.

`paraphrase` is a writer by rule that knows nothing of how screening compares: wordings are exchanged by a hand-written table
(paraphrases.txt), patients introduced otherwise, lists turned round, clauses swapped, sentences split or joined, numbers
spelt out; its strengths are graded. A person or a model rewrites more freely: the figures hold for this writer.
"""

import random
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Item:
    """A question as it is compared."""

    dataset: str
    id_in_dataset: str
    question: str
    options: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Strength:
    """How much a paraphrase changes; shares in [0, 1]."""

    wordings: float
    """Of the wordings that the table knows, those exchanged."""
    clauses: float
    """Of the lists and clauses that can be turned round, those that are."""
    sentences: float
    """Of the sentences, those that change places with their neighbour, are split or joined."""
    dropped: float
    """Of the sentences between the first and the question, those left out."""


STRENGTHS = {
    "light": Strength(0.5, 0.2, 0.0, 0.0),
    "medium": Strength(0.9, 0.6, 0.3, 0.0),
    "strong": Strength(1.0, 1.0, 0.6, 0.15),
}

_SENTENCE = re.compile(r"(?<=[a-z)\]%][.?!])\s+(?=[A-Z])")
_LIST = re.compile(r"\b([\w-]+(?: [\w-]+)?), ([\w-]+(?: [\w-]+)?),? and ([\w-]+(?: [\w-]+)?)(?=[.,;])")
_PATIENT = re.compile(
    r"\b(?:An?|The) (\d+)-(year|month|week|day)-old (man|woman|boy|girl|male|female)\b", re.IGNORECASE
)
_WHEN = re.compile(r"^([A-Z][^,;]{15,}?) (after|when|while|because|since|before|despite) ([^,;]{10,})([.?])$")
_VITALS = re.compile(r"(\d+)/min\b")
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPAN = re.compile(r"\b(\d{1,2})(?= (?:hours?|days?|weeks?|months?|years?|times|episodes|cm|pounds))")


def shuffled(item: Item, rng: random.Random) -> Item:
    """The item with its options in another order."""
    options = list(item.options)
    rng.shuffle(options)
    return replace(item, options=tuple(options))


def paraphrase(item: Item, strength: Strength, rng: random.Random) -> Item:
    """The item in other words, its options in another order; without options only the stem."""
    stem = _reworded(_restructured(item.question, strength, rng), strength.wordings, rng)
    told = {option: _reworded(option, strength.wordings, rng) for option in item.options}
    copy = replace(item, question=stem, options=tuple(told.values()), answer=told.get(item.answer, item.answer))
    return shuffled(copy, rng)


@cache
def _groups() -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    """One pattern of all wordings, longest first, and what each may become."""
    lines = (Path(__file__).parent / "paraphrases.txt").read_text(encoding="utf-8").splitlines()
    groups = [tuple(line.split("|")) for line in lines if line and not line.startswith("#")]
    others = {first.lower(): rest for first, *rest in reversed(groups)}
    longest = sorted(others, key=lambda wording: (-len(wording), wording))
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE)
    return pattern, {wording: tuple(rest) for wording, rest in others.items()}


def _reworded(text: str, share: float, rng: random.Random) -> str:
    pattern, others = _groups()

    def other(found: re.Match[str]) -> str:
        if rng.random() >= share:
            return found.group()
        chosen = rng.choice(others[found.group().lower()])
        return chosen[0].upper() + chosen[1:] if found.group()[0].isupper() else chosen

    return pattern.sub(other, text)


def _restructured(text: str, strength: Strength, rng: random.Random) -> str:
    text = _PATIENT.sub(lambda found: _patient(found, rng), text)
    if strength.clauses > rng.random():
        text = _SPAN.sub(lambda n: _SMALL[int(n.group())] if int(n.group()) < len(_SMALL) else n.group(), text)
        text = _VITALS.sub(r"\1 per minute", text)
    sentences = [_turned(sentence, strength.clauses, rng) for sentence in _SENTENCE.split(text)]
    middle = [one for one in sentences[1:-1] if rng.random() >= strength.dropped]
    for place in range(len(middle) - 1):
        if rng.random() < strength.sentences:
            middle[place], middle[place + 1] = middle[place + 1], middle[place]
    ends = (sentences[:1], sentences[-1:] if len(sentences) > 1 else [])
    return " ".join(_joined([*ends[0], *middle], strength.sentences, rng) + ends[1])


def _patient(found: re.Match[str], rng: random.Random) -> str:
    age, unit, who = found.groups()
    return rng.choice(
        [
            f"A {who} aged {age} {unit}s",
            f"A {who} of {age} {unit}s",
            f"A {who} who is {age} {unit}s old",
            f"This {who}, {age} {unit}s of age,",
        ]
    )


def _turned(sentence: str, share: float, rng: random.Random) -> str:
    """Lists of three in another order; "X after Y" as "After Y, X"."""
    if rng.random() < share:
        sentence = _LIST.sub(r"\3, \1 and \2", sentence)
    found = _WHEN.match(sentence) if rng.random() < share else None
    if found is None:
        return sentence
    main, link, clause, end = found.groups()
    return f"{link.capitalize()} {clause}, {main[0].lower()}{main[1:]}{end}"


def _joined(sentences: list[str], share: float, rng: random.Random) -> list[str]:
    """Some sentences split at ", and", some joined to the next."""
    done: list[str] = []
    for sentence in sentences:
        split = sentence.replace(", and ", ". There is also ", 1) if rng.random() < share / 2 else sentence
        if done and rng.random() < share / 2 and done[-1].endswith("."):
            done[-1] = f"{done[-1][:-1]}; {split[0].lower()}{split[1:]}"
        else:
            done.append(split)
    return done
