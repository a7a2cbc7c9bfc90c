"""Text -> words, content words and 8-grams, as 64-bit numbers: what questions are compared by.

Words are runs of letters and digits after Unicode's NFKC and case folding. Content words leave out what nearly every exam
question says (common_words.txt) and the commonest English endings. Numbers are BLAKE2b's, the same on every machine, which
Python's own hash is not. Two words share one once in 2^64 pairs.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from hashlib import blake2b
from importlib import resources

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

GRAM = 8
"""Words of an n-gram, as in the usual reports of contamination (GPT-3 used 13, LLaMA's successors 8)."""

_WORD = re.compile(r"[^\W_]+")
_ENDINGS = ("ing", "ed", "es", "ly", "s")
# Odd and large, so that the powers of it stay different modulo 2^64.
_BASE = np.uint64(0x9E3779B97F4A7C15)


def words(text: str) -> list[str]:
    """The words in their order."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def content(spoken: Iterable[str]) -> list[str]:
    """The content words among words, each once, in alphabetical order: no order of options or clauses changes them."""
    found = set(map(_content_word, spoken))
    found.discard("")
    return sorted(found)


def hashes(spelt: Iterable[str]) -> Hashes:
    """A number a word."""
    return np.fromiter(map(_hash, spelt), np.uint64)


def grams(numbers: Hashes) -> Hashes:
    """The distinct 8-grams of a text's words, in ascending order; a shorter text has none."""
    count = len(numbers) - GRAM + 1
    if count < 1:
        return numbers[:0]
    mixed = np.zeros(count, np.uint64)
    for place in range(GRAM):
        mixed = mixed * _BASE + numbers[place : place + count]
    return np.unique(mixed)


@lru_cache(maxsize=1 << 18)
def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest())


@lru_cache(maxsize=1 << 18)
def _content_word(word: str) -> str:
    """The word without its ending; empty for one that nearly every question holds."""
    bare = _bare(word)
    return "" if word in _common() or bare in _common() else bare


def _bare(word: str) -> str:
    for ending in _ENDINGS:
        if len(word) > 4 and word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@cache
def _common() -> frozenset[str]:
    lines = (resources.files("kg_spark") / "screening" / "common_words.txt").read_text(encoding="utf-8").splitlines()
    listed = {word for line in lines if not line.startswith("#") for word in line.split()}
    return frozenset(listed | {_bare(word) for word in listed})
