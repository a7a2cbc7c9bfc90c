"""Sentence -> the same sentence with one thing wrong in it: how mutants change words.

Each function returns None where it finds no place at which the change gives an English sentence that is really wrong. The
words stand in english.yaml; they were chosen without the verifier's, or its score would measure its own list.
"""

import random
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_NEGATING = re.compile(
    r"\b(not|no|never|neither|nor|without|fails?|failed|hardly|unlikely|cannot|seldom)\b", re.IGNORECASE
)
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|has|have)\b(?! (?:not|no|never|also|likewise|thus|therefore|thereby|in fact|precisely|the most)\b)"
)
_HAS_DONE = re.compile(r"\b(?:has|have) (?:been|\w+ed)\b")
_IS_NOUN = re.compile(r"\b(?:the|an?|its|their|this|one) $", re.IGNORECASE)
_UNIT = r"(?:mg|g|kg|µg|mL|mmol|µmol|mEq|mU|IU|U|ng|fL|cm|mm|ms|pack-years|%|°C)"
_DOSE = re.compile(rf"(?<![\w.,])(\d+(?:,\d{{3}})*(?:\.\d+)?)(?= ?{_UNIT}(?![\w-])|(?: ?{_UNIT})?/\w)")
_AGE = re.compile(
    r"\b(\d+)(?=-(?:year|month|week|day)-old\b)|\b(?<=age of )(\d+)\b|\b(?<=boy of )(\d+)\b|\b(?<=girl of )(\d+)\b"
)
_SEX = {
    "he": "she", "his": "her", "him": "her", "himself": "herself", "man": "woman", "boy": "girl", "male": "female",
    "she": "he", "hers": "his", "herself": "himself", "woman": "man", "girl": "boy", "female": "male",
}  # fmt: skip
_SEXED = re.compile(rf"\b({'|'.join(_SEX)}|her)\b", re.IGNORECASE)
_MALE = re.compile(r"\b(he|his|him|man|boy|male|father)\b", re.IGNORECASE)
_FEMALE = re.compile(r"\b(she|her|woman|girl|female|mother)\b", re.IGNORECASE)


@cache
def _data() -> Mapping[str, Any]:
    return yaml.safe_load(files("kg_spark.verification").joinpath("english.yaml").read_text("utf-8"))  # type: ignore[no-any-return]


@cache
def _opposites() -> Mapping[str, str]:
    """Every form of a verb with the same form of its opposite."""
    found: dict[str, str] = {}
    for row in _data()["opposites"]:
        forms = [form for part in row for form in (part.split() if len(row) == 2 and part.count(" ") == 3 else [part])]
        half = len(forms) // 2
        for form, other in zip(forms[:half], forms[half:], strict=True):
            found.setdefault(form, other)
    return found


@cache
def _verbs() -> Mapping[str, str]:
    """Third person -> base."""
    rows = [row[0].split() for row in _data()["opposites"] if row[0].count(" ") == 3]
    return {**{forms[1]: forms[0] for forms in rows}, **_data()["verbs"]}


def is_negated(text: str) -> bool:
    """Whether a text holds a word that negates."""
    return _NEGATING.search(text) is not None


def may_cancel(text: str, start: int, end: int) -> bool:
    """Whether a verb denied in this window meets another negation: "does not raise it without" says that it does."""
    return is_negated(text[start:end]) or "without" in text[end:]


def negated(text: str, start: int, end: int) -> str | None:
    """The text with the one verb of its window negated; None where there is none or more than one."""
    verb = re.compile(rf"\b({'|'.join(_verbs())})\b")
    found = [*_AUXILIARY.finditer(text, start, end), *verb.finditer(text, start, end)]
    if len(found) != 1:
        return None
    [match] = found
    word, behind = match[1], text[match.end() :]
    if word in _verbs():
        new = f"does not {_verbs()[word]}"
    elif word in {"has", "have"} and not _HAS_DONE.match(text, match.start()):
        new = f"{'does' if word == 'has' else 'do'} not have"
    else:
        new = "cannot" if word == "can" else f"{word} not"
    return text[: match.start()] + new + behind


_AFFIRMED = (
    (re.compile(r"\bThere is no\b"), "There is"),
    (re.compile(r"\bthere is no\b"), "there is"),
    (re.compile(r"\bThere are no\b"), "There are"),
    (re.compile(r"\bis absent\b"), "is present"),
    (re.compile(r"\b(is|are|was|were|has|have) (?:not|never)\b"), r"\1"),
    (re.compile(r"\b(takes|has) no\b"), r"\1"),
)


def affirmed(text: str) -> str | None:
    """The text without its negation; None where it has none that can simply be left out."""
    for pattern, new in _AFFIRMED:
        changed, count = pattern.subn(new, text, count=1)
        if count and not is_negated(changed):
            return changed
    return None


def opposed(text: str, start: int, end: int, rng: random.Random) -> str | None:
    """The text with one verb of its window turned into its opposite."""
    words = sorted(_opposites(), key=len, reverse=True)
    found = list(re.finditer(rf"\b({'|'.join(words)})\b", text[:end]))
    # The cause, an increase: a noun has no opposite verb; a raised level is none.
    found = [match for match in found if match.start() >= start]
    found = [match for match in found if match[1].endswith(("ed", "ing")) or not _IS_NOUN.search(text[: match.start()])]
    if not found:
        return None
    match = rng.choice(found)
    return renamed(text, match.start(), match.end(), _opposites()[match[1]])


def as_cause(text: str, start: int, end: int, part: str) -> str | None:
    """The text with an association of its window told as a cause, in the words of a part of the corpus."""
    causes = _of_part("causes", part)
    for told, form in _data()["associations"]:
        place = text.find(told, start)
        if place >= 0 and place + len(told) <= end:
            return f"{text[:place]}{causes[form]}{text[place + len(told) :]}"
    return None


def _of_part(what: str, part: str) -> Any:
    """The words of a part; the first part's for chains that are of none."""
    words = _data()[what]
    return words.get(part, words["dev"])


def other_dose(text: str, stem: str, rng: random.Random) -> str | None:
    """The text with one measured number of the stem changed to one that the stem does not have."""
    found = [match for match in _DOSE.finditer(text) if match[1] in stem]
    if not found:
        return None
    match = rng.choice(found)
    number = float(match[1].replace(",", ""))
    digits = len(match[1].partition(".")[2])
    for factor in rng.sample((2, 10, 0.5, 3), 4):
        new = f"{number * factor:,.{digits}f}" if "," in match[1] else f"{number * factor:.{digits}f}"
        if new not in stem and float(new.replace(",", "")) != number:
            return text[: match.start()] + new + text[match.end() :]
    return None


def other_age(text: str, stem: str, rng: random.Random) -> str | None:
    """The text with the patient's age changed."""
    match = _AGE.search(text)
    if match is None or match[0] not in stem:
        return None
    age = int(match[0])
    others = [each for each in (age + 30, age + 7, age - 20, age // 2) if each > 0 and str(each) not in stem]
    return text[: match.start()] + str(rng.choice(others)) + text[match.end() :] if others else None


def other_sex(text: str) -> str | None:
    """The text with the patient's sex changed in every word that tells it."""
    changed = _SEXED.sub(lambda match: _swapped(match, text), text)
    return changed if changed != text else None


def _swapped(match: re.Match[str], text: str) -> str:
    word = match[0].casefold()
    if word == "her":
        # her risk -> his risk; helped her. -> helped him.
        new = "his" if re.match(r" (?!of\b|at\b|in\b|to\b|for\b|with\b|and\b|on\b)\w", text[match.end() :]) else "him"
    else:
        new = _SEX[word]
    return new.capitalize() if match[0][0].isupper() else new


def tells_both_sexes(stem: str) -> bool:
    """Whether a stem speaks of people of both sexes, so that a pronoun may mean either."""
    return bool(_MALE.search(stem) and _FEMALE.search(stem))


def exclusion(option: str, part: str, rng: random.Random) -> str:
    """A sentence that rules an option out, in the words of a part of the corpus."""
    return capital(rng.choice(_of_part("exclusions", part)).format(option=option))


def invented(kind: str, rng: random.Random) -> str:
    """A name that no graph holds."""
    known = _data()["invented"]
    return str(rng.choice(known.get(kind, known["other"])))


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def renamed(text: str, start: int, end: int, name: str) -> str:
    """The text with a name in place of another; an article before it is made to fit."""
    before = re.sub(r"\b([Aa])n? $", r"\1n " if name[:1].casefold() in "aeio" else r"\1 ", text[:start])
    return before + (name if start else capital(name)) + text[end:]
