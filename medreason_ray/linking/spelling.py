"""words of names -> the word that a misspelt one was meant to be: one letter more, fewer, other, or two changed places.

Only long words of names are meant, the first letter must be right, and an ending is no mistake ("diabetics"). A word is
mended when one word of the names fits, so that nothing is guessed.

Source: symmetric deletion, Garbe 2012 (SymSpell); optimal string alignment distance.
"""

from collections.abc import Iterable

from rapidfuzz.distance import OSA

_MIN_CHARS = 7  # a letter off another word of Hetionet's and DrugMechDB's names: of 5 letters 50 %, 6: 25, 7: 15, 8: 10
_PREFIXES = {"macro", "micro"}
_MAX_CHARS = 40  # what is left of a word grows with its square


class Speller:
    """The long words of some names."""

    def __init__(self, words: Iterable[str]) -> None:
        self._known = frozenset(words)
        long = sorted(word for word in self._known if _MIN_CHARS <= len(word) <= _MAX_CHARS and word.isalpha())
        self._by_rest: dict[str, list[str]] = {}
        for word in long:
            for rest in _rests(word):
                self._by_rest.setdefault(rest, []).append(word)

    def mend(self, word: str) -> str:
        """The word of the names that a canonical word was meant to be; the word itself where none or several fit."""
        if not _MIN_CHARS <= len(word) <= _MAX_CHARS or word in self._known or not word.isalpha():
            return word
        fitting = {known for rest in _rests(word) for known in self._by_rest.get(rest, ()) if _fits(word, known)}
        return fitting.pop() if len(fitting) == 1 else word


def _rests(word: str) -> set[str]:
    """The word, and what is left of it without one letter."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(1, len(word)))}


def _fits(word: str, known: str) -> bool:
    if word[0] != known[0] or word.startswith(known) or known.startswith(word):
        return False
    # "macrocytosis" is the opposite of "microcytosis", and "sparing" is no misspelt "staring".
    opposite = word[:5] != known[:5] and {word[:5], known[:5]} <= _PREFIXES
    if opposite or (word.endswith("ing") and known.endswith("ing")):
        return False
    return OSA.distance(word, known, score_cutoff=1) <= 1
