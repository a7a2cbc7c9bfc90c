"""Whether a text repeats a passage of a question.

A question that may not be given away must not come back through its chain. Eight words in a row are the measure that
benchmarks use for repeated text; words are compared as screening reads them, so hyphens, case and punctuation hide nothing.

Source: Brown et al. 2020 (arXiv:2005.14165), appendix C, for n-grams of words; eight is the low end of what it uses.
"""

from collections.abc import Iterator
from functools import lru_cache

from kg_spark.screening.words import words

SHARED_WORDS = 8


def shared_passage(stem: str, text: str, length: int = SHARED_WORDS) -> str | None:
    """The first `length` words in a row that both hold; None where there are none, as in a stem of fewer words."""
    known = _passages(stem, length)
    return next((" ".join(run) for run in _runs(words(text), length) if run in known), None)


@lru_cache(maxsize=1)  # a question's chains are compared one after the other
def _passages(stem: str, length: int) -> frozenset[tuple[str, ...]]:
    return frozenset(_runs(words(stem), length))


def _runs(found: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(found[start:] for start in range(length)), strict=False)
