"""Is one name another with typos in it? A high score does not say so: "positive regulation" is near "negative regulation".

Of names whose node was taken out of Hetionet, 78 % of the processes and 13 % of the phenotypes have another node of their
type with a score of 0.85, which wins in MedReason. A typo is told from another thing by its making no word: so 0.2 % and
1.4 % of those names are taken for another's typo, and of names with one typo 80 % (pathways, full of digits) to 99 % (drugs)
for their own's (benchmarks/linking.py).
"""

import re
from collections.abc import Collection

from rapidfuzz.distance import OSA

GENE = "gene/protein"

_WORD = re.compile(r"[^\W_]+")
_MIN_CHARS = (
    4  # "hart" is no word and one letter off heart, but also off part; of three letters all are one off another
)


def words(key: str) -> list[str]:
    """The runs of letters and digits of a folded name, in order."""
    return _WORD.findall(key)


def is_typo(key: str, node_key: str, kind: str, known: Collection[str]) -> bool:
    """True where the name is the node's, word by word, but for words that are none and one edit off the node's.

    Args:
        key: the name, folded; the node's own name is no typo unless blanks or punctuation differ.
        node_key: the node's name, folded.
        kind: the node's type; a gene's symbol is no word, so none is a typo of it.
        known: words of the graph's names: what is among them was meant.

    Returns:
        False, too, where a digit differs, the node's word has fewer than four letters, or the number of words does.

    Source: insertion, deletion, substitution, swap of neighbours: Damerau 1964.
    """
    ours, theirs = words(key), words(node_key)
    if kind == GENE or key == node_key or len(ours) != len(theirs):
        return False
    return all(one == other or _slip(one, other, known) for one, other in zip(ours, theirs, strict=True))


def _slip(word: str, other: str, known: Collection[str]) -> bool:
    if word in known or len(other) < _MIN_CHARS or not (word.isalpha() and other.isalpha()):
        return False
    return int(OSA.distance(word, other, score_cutoff=1)) == 1
