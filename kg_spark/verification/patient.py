"""text, question -> numbers, doses, sex and age in a step that are not the question's.

A number must stand in the question, or in a name that the step may use; with a unit it must stand there with the same one, or
with none. A number that is part of a name (COX-2, type 2, 5-HT) is no number. Of general knowledge only doses are held to the
question, where that gives doses too: "a potassium below 3.5 is low" is not about this patient.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from conf.outcome import Flag
from kg_spark.verification.lexicon import lexicon
from kg_spark.verification.words import Words, words_of

_NUMBER = re.compile(
    r"(?<![\w.])(?<![^\W\d_][-‐‑])(?P<number>\d+(?:[.,]\d+)*)(?P<gap>[ \u00a0]?[-‐‑]?[ \u00a0]?)(?P<unit>[^\W\d_]+|%|°[ ]?[CF])?"
    r"(?P<per>/[^\W\d_]+)?"
)
_WORD_BEFORE = re.compile(r"(\w+)[\s-]*$")
_NUMBER_WORD = re.compile(r"\b([a-z]+)[\s-]+([^\W\d_]+)")
_OLD = re.compile(r"[\s-]*(?:old|of age)\b")
_AGED = re.compile(r"\b(?:aged?|age of)\s*$")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_DOSES = frozenset({"mg", "g", "ug", "ml", "l", "iu", "meq"})
_TIMES = frozenset({"year", "month", "week", "day", "hour", "minute"})
_YEARS = {"year": 1.0, "month": 1 / 12, "week": 1 / 52, "day": 1 / 365}
_SIZES = {
    "ug": (0.001, "mass"),
    "mg": (1.0, "mass"),
    "g": (1e3, "mass"),
    "kg": (1e6, "mass"),
    "ml": (1.0, "volume"),
    "l": (1e3, "volume"),
}
_NEAR = 4  # words in which "this" or "a" points at the patient


class Number(NamedTuple):
    """A number in a text."""

    value: float
    unit: str
    """Its canonical form; empty where none stands there."""
    said: str
    is_age: bool = False
    is_threshold: bool = False
    """A word such as "below" stands before."""


@lru_cache(1 << 12)
def numbers(text: str) -> tuple[Number, ...]:
    """The numbers of a text, those in words where a unit of time follows."""
    return tuple(_numbers(text))


def _numbers(text: str) -> Iterator[Number]:
    known = lexicon()
    for match in _NUMBER.finditer(text):
        raw = match["unit"] or ""
        unit = known.units.get(raw.casefold().replace(" ", ""), "")
        before = _WORD_BEFORE.search(text[: match.start()])
        is_named = before is not None and before[1].casefold() in known.set("numbered")
        is_attached = bool(raw) and not unit and " " not in match["gap"] and "\u00a0" not in match["gap"]
        if is_named or is_attached:
            continue
        behind = text[match.end() :]
        is_age = unit in _YEARS and (_OLD.match(behind) is not None or raw.casefold() == "yo")
        is_age = is_age or _AGED.search(text[: match.start()]) is not None
        is_threshold = before is not None and before[1].casefold() in known.set("thresholds")
        is_threshold = is_threshold or text[: match.start()].rstrip()[-1:] in {"<", ">", "≥", "≤"}
        per = (match["per"] or "").casefold() if unit else ""
        yield Number(_value(match["number"]), unit + per, match[0].strip(" -"), is_age, is_threshold)
    for match in _NUMBER_WORD.finditer(text.casefold()):
        unit = known.units.get(match[2], "")
        if unit in _TIMES and match[1] in known.number_words:
            yield Number(float(known.number_words[match[1]]), unit, match[0])


def _value(text: str) -> float:
    if _THOUSANDS.fullmatch(text):
        return float(text.replace(",", ""))
    parts = re.split(r"[.,]", text)
    return float(parts[0] if len(parts) == 1 else f"{parts[0]}.{''.join(parts[1:])}")


def wrong_numbers(text: str, given: Iterable[str], *, support: str) -> Iterator[tuple[Flag, str]]:
    """The numbers of a step that stand nowhere.

    Args:
        text: of the step.
        given: question, options, and names that the step may use.
        support: of the step; of background only doses count, where the question gives a dose as well; thresholds count only
            where the question is restated.
    """
    given = list(given)
    yield from _wrong_kinds(text, given)
    allowed = [number for each in given for number in numbers(each)]
    values = {number.value for number in allowed}
    exact = {_size(number) for number in allowed}
    ages = {number.value for number in allowed if number.is_age}
    doses = {number.unit for number in allowed if number.unit in _DOSES}
    for number in numbers(text):
        if number.is_age:
            if ages and number.value not in values:
                yield Flag.OTHER_PATIENT, f"{number.said!r} is not the question's age"
            continue
        is_free = number.is_threshold and support != "question"
        if number.unit in doses if support == "background" else not is_free:
            stands = {_size(number), (number.value, "")} & exact if number.unit else number.value in values
            if not stands and (number.unit or number.value > 2):
                yield Flag.UNKNOWN_NUMBER, f"{number.said!r}"


def _size(number: Number) -> tuple[float, str]:
    """The number in the smallest unit of its kind: 3.2 kg is 3,200 g."""
    factor, kind = _SIZES.get(number.unit, (1.0, number.unit))
    return round(number.value * factor, 6), kind


def _wrong_kinds(text: str, given: Iterable[str]) -> Iterator[tuple[Flag, str]]:
    """Where a name is numbered otherwise than in the texts given: type 4 for type 2."""
    known: dict[str, set[str]] = {}
    for each in given:
        for kind, number in _numbered(words_of(each)):
            known.setdefault(kind, set()).add(number)
    for kind, number in _numbered(words_of(text)):
        if kind in known and number not in known[kind]:
            yield Flag.UNKNOWN_NUMBER, f"{kind} {number}"


def _numbered(words: Words) -> Iterator[tuple[str, str]]:
    kinds = lexicon().set("numbered") - {"step", "option", "number"}
    yield from ((a, b) for a, b in pairwise(words) if a in kinds and b.isdigit())


def other_patient(text: str, question: str) -> Iterator[tuple[Flag, str]]:
    """Sex or age of the patient in a step where the question gives another."""
    words, asked = words_of(text), words_of(question)
    if wrong := _other_sex(words, asked) or _other_age(words, asked, question):
        yield Flag.OTHER_PATIENT, wrong


def sex_of(asked: Words) -> str | None:
    """Male or female, by the first word that says so; None where the question says neither."""
    known = lexicon()
    relatives = {"father", "husband", "mother", "wife"}
    for suffix in ("", "_pronouns"):
        for word in asked:
            for sex in ("male", "female"):
                if word in known.set(sex + suffix) - relatives:
                    return sex
    return None


def _other_sex(words: Words, asked: Words) -> str:
    known, sex = lexicon(), sex_of(asked)
    if sex is None:
        return ""
    other = "female" if sex == "male" else "male"
    nouns, pronouns = known.set(other), known.set(other + "_pronouns")
    is_alone = not (nouns | pronouns) & set(asked)
    for at, word in enumerate(words):
        is_told_apart = word not in asked and at > 0 and words[at - 1] == "old"
        if word in nouns and _points(words, at) and (is_alone or is_told_apart):
            return f"{word!r}, the question speaks of a {sex} patient"
        if word in pronouns and is_alone:
            return f"{word!r}, the question speaks of a {sex} patient"
    return ""


def _other_age(words: Words, asked: Words, question: str) -> str:
    known = lexicon()
    ages = [number.value * _YEARS.get(number.unit, 1.0) for number in numbers(question) if number.is_age]
    if not ages:
        return ""
    for at, word in enumerate(words):
        low, high = known.ages.get(word, (0, 1000))
        is_general = word in known.set("generic_ages") and words[at - 1 : at] == ("the",)
        if not any(low <= age <= high for age in ages) and word not in asked and _points(words, at) and not is_general:
            return f"{word!r}, the question's patient is {ages[0]:g}"
    return ""


def _points(words: Words, at: int) -> bool:
    """Whether a word speaks of this patient, not of people at large."""
    known = lexicon()
    before, behind = words[max(0, at - _NEAR) : at], words[at + 1 : at + 2]
    # "The patient, a woman of …", "the patient is a girl".
    is_apposed = before[-1:] in (("a",), ("an",)) and before[-2:-1] in ((",",), ("is",), ("was",))
    return is_apposed or bool(known.set("pointing") & set(before)) or bool(known.set("people") & set(behind))
