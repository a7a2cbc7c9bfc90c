"""text -> the abbreviations that it defines itself: "deep vein thrombosis (DVT)".

Source: Schwartz & Hearst 2003, A simple algorithm for identifying abbreviation definitions in biomedical text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SHORT = re.compile(r"\(([A-Za-z][A-Za-z0-9/-]{1,9})\)")
_WORD = re.compile(r"\w+")
_WINDOW = 200  # characters before the parenthesis


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An abbreviation and where its long form stands."""

    short: str
    start: int
    """First character of the long form."""
    end: int
    """Behind its last."""


def definitions(text: str) -> Iterator[Definition]:
    """The definitions of a text, from left to right; the long form stands before the parenthesis."""
    for match in _SHORT.finditer(text):
        short = match.group(1)
        if not any(char.isupper() for char in short):
            continue
        before = max(0, match.start() - _WINDOW)
        window = text[before : match.start()].rstrip()
        words = [each.start() for each in _WORD.finditer(window)][-min(len(short) + 5, 2 * len(short)) :]
        start = _long_form(short, window, words[0] if words else 0)
        if start is not None:
            yield Definition(short=short, start=before + start, end=before + len(window))


def _long_form(short: str, window: str, first: int) -> int | None:
    """Where the long form starts: each character of the short one is found in turn from the right, its first at a word."""
    place = len(window) - 1
    for number in range(len(short) - 1, -1, -1):
        char = short[number].lower()
        if not char.isalnum():
            continue
        while place >= first and (
            window[place].lower() != char or (number == 0 and place > 0 and window[place - 1].isalnum())
        ):
            place -= 1
        if place < first:
            return None
        place -= 1
    return place + 1
