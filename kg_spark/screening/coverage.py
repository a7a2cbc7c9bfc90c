"""How much of an answer its links stand for."""

import re
from collections.abc import Iterable

_EMPTY_WORDS = frozenset(
    ["a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "with", "without"]
)
_WORD = re.compile(r"\w+")


def coverage(answer: str, spans: Iterable[tuple[int, int]]) -> float:
    """Share of the answer's content words that lie in a span, in [0, 1]; 0 where it has none."""
    words = [found for found in _WORD.finditer(answer) if found.group().lower() not in _EMPTY_WORDS]
    known = list(spans)
    inside = [any(start <= word.start() and word.end() <= end for start, end in known) for word in words]
    return sum(inside) / len(inside) if inside else 0.0
