"""fields of one record -> question: trimming, the options' order, and the agreement of the answer's letter and text.

The same for every format, so that none is laxer than another. Values come from JSON or from a Parquet row by way of
pandas, which turns null into NaN, lists into numpy arrays and integer columns with a null into floats.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TypeAlias

from conf.identity import name_key
from conf.outcome import Reason, Rejected

Options: TypeAlias = tuple[tuple[str, str], ...]

DETAIL_LENGTH = 100
"""Characters of a text that a reject's detail quotes: enough to find it again."""

LABEL = re.compile(r"\(?([A-Za-z]|\d{1,2})[.):]\s*(?=\S)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question as every format gives it; texts are trimmed and NFC, otherwise as published."""

    id_in_dataset: str
    """The file's own id, or the line number where it has none."""
    question: str
    options: Options
    """(key, text) by key; empty for an open question."""
    answer_key: str
    """Empty when there are no options."""
    answer: str
    """The right option's text; the reference answer of an open question."""
    context: str
    """Empty when the format has none."""
    split: str
    """Empty when the record does not say."""
    flags: tuple[str, ...]
    """What a field, not the text, says of the question: NEEDS_IMAGE when the record carries an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The fields of one record under one set of names, before anything is checked."""

    question: object
    answer: object = None
    answer_key: object = None
    options: object = None
    id_in_dataset: object = None
    context: object = None
    split: object = None
    image: object = None


def settle_question(fields: Fields, line_number: int) -> Question:
    """The checked question of one record.

    Raises:
        Rejected: NO_QUESTION, NO_ANSWER, ANSWER_NOT_AN_OPTION, DUPLICATE_OPTIONS, NOT_UTF8.
    """
    question = text_of(fields.question)
    if not question:
        raise Rejected(Reason.NO_QUESTION)
    options = read_options(fields.options)
    answer_key, answer = settle_answer(options, text_of(fields.answer_key), text_of(fields.answer))
    return Question(
        id_in_dataset=text_of(fields.id_in_dataset) or str(line_number),
        question=question,
        options=options,
        answer_key=answer_key,
        answer=answer,
        context=paragraphs(fields.context),
        split=text_of(fields.split),
        flags=("NEEDS_IMAGE",) if plain(fields.image) else (),
    )


def settle_answer(options: Options, key: str, answer: str) -> tuple[str, str]:
    """Key and text of the right option, from either or both; ("", answer) for an open question.

    Raises:
        Rejected: NO_ANSWER when both are empty; ANSWER_NOT_AN_OPTION when no option fits, or the two disagree.
    """
    if not key and not answer:
        raise Rejected(Reason.NO_ANSWER)
    if not options and not key:
        return "", answer
    right = [option for option in options if (not key or bears(option, key)) and says(option, answer)]
    if not right:
        raise Rejected(Reason.ANSWER_NOT_AN_OPTION, f"key {key!r}, answer {answer!r}"[:DETAIL_LENGTH])
    # Where one option's text is another's key ({A: "B", B: "A"}), the text is what was meant.
    return next((option for option in right if name_key(option[1]) == name_key(answer)), right[0])


def bears(option: tuple[str, str], key: str) -> bool:
    """Whether the option has this key, whatever its case and brackets ("(c)" is C)."""
    return option[0].upper() == key.strip("(). ").upper()


def says(option: tuple[str, str], answer: str) -> bool:
    """Whether the answer is this option: its text, its key and text ("C. text"), or its bare key; "" fits any."""
    if not answer or bears(option, answer) or name_key(option[1]) == name_key(answer):
        return True
    label = LABEL.match(answer)
    return label is not None and bears(option, label[1]) and name_key(option[1]) == name_key(answer[label.end() :])


def read_options(value: object) -> Options:
    """Options by key, from {key: text}, [text] (keys A, B, …) or [{key, value}]; those without a text are left out.

    Raises:
        Rejected: DUPLICATE_OPTIONS, when two keys, or two texts as `name_key` sees them, are equal.
    """
    found = plain(value)
    pairs: list[tuple[str, str]] = []
    if isinstance(found, Mapping):
        pairs = [(text_of(key), text_of(text)) for key, text in found.items()]
    elif isinstance(found, list | tuple):
        pairs = [option_of(item, letter(place)) for place, item in enumerate(found)]
    pairs = [pair for pair in pairs if all(pair)]
    for side, what in enumerate(("key", "text")):
        seen = [name_key(pair[side]) for pair in pairs]
        twice = [one for one in seen if seen.count(one) > 1]
        if twice:
            raise Rejected(Reason.DUPLICATE_OPTIONS, f"{what} {twice[0]!r}"[:DETAIL_LENGTH])
    return tuple(sorted(pairs, key=lambda pair: (len(pair[0]), pair[0])))


def option_of(item: object, default_key: str) -> tuple[str, str]:
    """One item of a list of options: a text, or a struct of key and value (as bigbio publishes MedQA)."""
    if not isinstance(item, Mapping):
        return default_key, text_of(item)
    return text_of(item.get("key")) or default_key, text_of(item.get("value", item.get("text")))


def letter(place: int) -> str:
    """Key of the option at this place of a list: 0 -> A, 25 -> Z, and from then on the number counted from 1."""
    return ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1)


def plain(value: object) -> object:
    """Python's own value of a numpy array or scalar; None for NaN, which is pandas' null."""
    to_list = getattr(value, "tolist", None)
    found: object = to_list() if callable(to_list) else value
    return None if isinstance(found, float) and math.isnan(found) else found


def text_of(value: object) -> str:
    """Text of a field, trimmed and NFC, a number as written; "" for null, a truth value, a list and a struct.

    Raises:
        Rejected: NOT_UTF8, when the text holds half a surrogate pair (JSON can), which no table can store.
    """
    found = plain(value)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    text = unicodedata.normalize("NFC", str(found)).strip()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Rejected(Reason.NOT_UTF8, f"half a surrogate pair at character {error.start}") from error
    return text


def paragraphs(value: object) -> str:
    """Text of a field that may be a list of paragraphs: a line each, those without a text left out."""
    found = plain(value)
    return "\n".join(filter(None, map(text_of, found))) if isinstance(found, list | tuple) else text_of(found)
