"""text -> words, and which phrases stand among them: names and wordings meet word by word, whatever case or plural.

A text becomes its words in lower case, NFKC, with contracted negations written out. Phrases are found by one automaton over
the words joined by blanks, the longest at each place. Names are compared by their words' stems, so that "pulmonary emboli"
and "pulmonary embolism" stay two things and "biopsies" and "biopsy" one.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from ahocorasick_rs import AhoCorasick, MatchKind

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_](?:[^\W_]|'(?=[^\W_]))*|°[a-z]|[^\w\s]|\w")
_CACHED = 1 << 16
_SHORT_CHARS = 4  # MET, CAT, REST, T: gene symbols that are words

Words = tuple[str, ...]


@lru_cache(_CACHED)
def words_of(text: str) -> Words:
    """The words and marks of a text, in lower case."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    folded = folded.replace("i.e.", "ie").replace("e.g.", "eg")
    plain = re.sub(r"\bcannot\b", "can not", re.sub(r"\b(\w+?)n't\b", r"\1 not", folded))
    return tuple(word.removesuffix("'s") for word in _WORD.findall(plain) if word not in {"-", "‐", "‑", "'", '"'})


@lru_cache(_CACHED)
def stem(word: str) -> str:
    """The word without its plural; a form that need be no word."""
    if len(word) < 4 or word.endswith(("ss", "us")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("sis"):
        return word[:-2]
    return word.removesuffix("s").removesuffix("e")


@lru_cache(_CACHED)
def stems_of(text: str) -> Words:
    """The words of a text by which names are compared."""
    return tuple(map(stem, words_of(text)))


class Phrases:
    """Phrases ready to be found among words; each has a number, its place in the order given."""

    def __init__(self, phrases: Iterable[Sequence[str]]) -> None:
        self._phrases = [tuple(phrase) for phrase in phrases]
        patterns = [f" {' '.join(phrase)} " for phrase in self._phrases]
        self._automaton = AhoCorasick(patterns, matchkind=MatchKind.Standard) if patterns else None

    def find(self, words: Sequence[str]) -> list[tuple[int, int, int]]:
        """First word, word behind the last, and number of each phrase, from left to right; the longest of those that overlap."""
        if self._automaton is None or not words:
            return []
        place, at = {}, 0
        for index, word in enumerate(words):
            place[at] = index
            at += len(word) + 1
        hits = self._automaton.find_matches_as_indexes(f" {' '.join(words)} ", overlapping=True)
        found, reached = [], 0
        spans = [(place[start], len(self._phrases[number]), number) for number, start, _ in hits]
        for start, length, number in sorted(spans, key=lambda each: (each[0], -each[1], each[2])):
            if start >= reached:
                found.append((start, start + length, number))
                reached = start + length
        return found

    def any_in(self, words: Sequence[str]) -> str | None:
        """The first phrase that stands among the words."""
        found = self.find(words)
        return " ".join(self._phrases[found[0][2]]) if found else None


class Names:
    """The names of some nodes, ready to be found."""

    def __init__(self, names: Mapping[str, Iterable[str]]) -> None:
        nodes: dict[Words, set[str]] = {}
        self._short: dict[Words, set[str]] = {}
        for node, spelled in sorted(names.items()):
            for name in spelled:
                key = stems_of(name or "")
                if any(map(str.isalnum, key)):
                    nodes.setdefault(key, set()).add(node)
                    if len(name) <= _SHORT_CHARS and name != name.lower():
                        self._short.setdefault(key, set()).add(name)
        ordered = sorted(nodes)
        self._nodes = [(key, frozenset(nodes[key])) for key in ordered]
        self._phrases = Phrases(ordered)

    def find(self, words: Sequence[str], text: str) -> list[tuple[int, int, frozenset[str]]]:
        """First word, word behind the last, and nodes of each name, from left to right; the longest of those that overlap.

        Args:
            words: of the text.
            text: as written: a name of few letters, which is often a word as well, must stand there as it is spelt.
        """
        found = []
        for start, end, number in self._phrases.find([stem(word) for word in words]):
            key, nodes = self._nodes[number]
            if key not in self._short or any(_stands(name, text) for name in self._short[key]):
                found.append((start, end, nodes))
        return found


def _stands(name: str, text: str) -> bool:
    begun = name[0].upper() + name[1:]
    return re.search(rf"(?<!\w)(?:{re.escape(name)}|{re.escape(begun)})(?!\w)", text) is not None
