"""Benchmark items -> an index; the index and questions -> which item each question repeats, if any.

An 8-gram of the stem, or a share of uncommon words, only nominates: 99 % of MedBullets' stems share an 8-gram with MedQA's
("which of the following is the most likely"). What is nominated is judged by four rules, of which one is enough:

- grams: the 8-grams of the stem that fewer than `common_stems` distinct stems of the list hold, weighted by IDF; the share of
  them that the shorter of the two stems has from the other.
- jaccard: content words of stem and options, in common over in all. Exact, where MinHash only estimates.
- fuzzy: Levenshtein's ratio of the content words in alphabetical order (rapidfuzz).
- words: content words weighted by IDF; the share of them that the lighter of the two has from the other, where both are long
  enough to tell a case from a fact.

Options count in no order, so a copy with its options shuffled is an exact one. An open question's answer stands for its options.

Growth: the index is built once, on the driver, and sent to each worker; it grows with the items' words. A question
costs its own words and, for each uncommon one, the items that hold it, by compiled products of sparse matrices; Python judges
the few nominated pairs. Words of more than `common_share` of the items nominate only the items that have no
rarer ones: they would make the product as large as all pairs.

Source: Lee et al. 2022 (arXiv:2107.06499) for near-duplicates by Jaccard; Brown et al. 2020 (arXiv:2005.14165, C) for
n-grams.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from conf.config import ScreenConfig
from kg_spark.screening import words
from kg_spark.screening.words import Hashes

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Said:
    """A question as it is compared."""

    grams: Hashes
    """Of its stem."""
    content: tuple[str, ...]
    """Words of stem and options."""
    numbers: Hashes
    """Theirs."""


def said(question: str, options: Sequence[str], answer: str) -> Said:
    """A question as it is compared."""
    stem = words.words(question)
    content = words.content([*stem, *words.words("\n".join(options or [answer]))])
    return Said(words.grams(words.hashes(stem)), tuple(content), words.hashes(content))


@dataclass(frozen=True, slots=True)
class Index:
    """The items of the benchmarks; arrays only, but for `joined`, so that it travels well."""

    origin: Ints
    """Number of each item's dataset and split, below 63."""
    gram: Hashes
    """Every 8-gram of the stems, sorted."""
    gram_weight: Floats
    """0 for one that too many stems hold."""
    gram_stems: Ints
    """The stems (columns) of an uncommon gram, -1 for none more."""
    gram_origins: Ints
    """Bits."""
    new_gram_weight: float
    """Of a gram that no item holds: as that of one stem."""
    stem_weight: Floats
    stem_items: sparse.csr_array
    """Stems x items."""
    word: Hashes
    """Every content word, sorted."""
    word_weight: Floats
    new_word_weight: float
    content: sparse.csr_array
    """Items x words, all ones."""
    uncommon: sparse.csr_array
    """Words x items, ones where the word nominates."""
    item_weight: Floats
    size: Ints
    """Content words of each item."""
    joined: tuple[str, ...]
    """An item's content words, in one string."""


def build(items: Sequence[Said], origin: Sequence[int], config: ScreenConfig) -> Index:
    """The index of the items, which are numbered as they come: in the order of question_id."""
    stems: dict[bytes, int] = {}
    stem_of = np.array([stems.setdefault(item.grams.tobytes(), len(stems)) for item in items], np.int64)
    first = {stem: number for number, stem in reversed(list(enumerate(stem_of.tolist())))}
    gram, weight, holders = _grams([items[first[stem]].grams for stem in range(len(stems))], config.common_stems)
    of_items = np.searchsorted(gram, np.concatenate([item.grams for item in items]))
    origins = np.zeros(len(gram), np.int64)
    bits = np.left_shift(1, np.array(origin, np.int64))
    np.bitwise_or.at(origins, of_items, np.repeat(bits, [len(item.grams) for item in items]))
    stem_weight = np.zeros(len(stems))
    for column in holders.T:
        np.add.at(stem_weight, column[column >= 0], weight[column >= 0])
    numbers = [item.numbers for item in items]
    word, column = np.unique(np.concatenate(numbers), return_inverse=True)
    content = _rows(column, [len(each) for each in numbers], len(word))
    held = np.bincount(column, minlength=len(word))
    word_weight = np.log1p(len(items) / np.maximum(held, 1))
    common = held > max(config.common_share * len(items), _FEW)
    return Index(
        origin=np.array(origin, np.int64),
        gram=gram,
        gram_weight=weight,
        gram_stems=holders,
        gram_origins=origins,
        new_gram_weight=float(np.log1p(len(stems))),
        stem_weight=stem_weight,
        stem_items=sparse.csr_array((np.ones(len(items)), (stem_of, np.arange(len(items))))),
        word=word,
        word_weight=word_weight,
        new_word_weight=float(np.log1p(len(items))),
        content=content,
        uncommon=_nominating(content, word_weight, common),
        item_weight=content @ word_weight,
        size=np.array([len(item.content) for item in items], np.int64),
        joined=tuple(" ".join(item.content) for item in items),
    )


# A small list has no common words to speak of.
_FEW = 50
# Of a short item, such as a title, every word may be common.
_ALWAYS = 3


def _nominating(content: sparse.csr_array, weight: Floats, common: npt.NDArray[np.bool_]) -> sparse.csr_array:
    """Words x items: ones where the word is not common, or is one of the item's three rarest."""
    row = np.repeat(np.arange(content.shape[0]), np.diff(content.indptr))
    order = np.lexsort((content.indices, -weight[content.indices], row))
    rarity = np.empty(len(order), np.int64)
    rarity[order] = np.arange(len(order)) - content.indptr[row]
    kept = (rarity < _ALWAYS) | ~common[content.indices]
    return sparse.csr_array((content.data[kept], (content.indices[kept], row[kept])), shape=content.T.shape)


def _grams(stems: Sequence[Hashes], common: int) -> tuple[Hashes, Floats, Ints]:
    """Every gram of the distinct stems, sorted; its weight; the stems that hold it, where they are fewer than `common`."""
    owner = np.repeat(np.arange(len(stems)), [len(each) for each in stems])
    gram, place, held = np.unique(np.concatenate(stems), return_inverse=True, return_counts=True)
    order = np.argsort(place, kind="stable")
    rank = np.arange(len(order)) - np.repeat(np.cumsum(held) - held, held)
    uncommon = held < common
    holders = np.full((len(gram), common - 1), -1, np.int64)
    kept = uncommon[place[order]]
    holders[place[order][kept], rank[kept]] = owner[order][kept]
    return gram, np.where(uncommon, np.log1p(len(stems) / np.maximum(held, 1)), 0.0), holders


def _rows(columns: Ints, lengths: Sequence[int], width: int) -> sparse.csr_array:
    """Ones at the columns, so many a row."""
    ends = np.concatenate([[0], np.cumsum(lengths)])
    matrix = sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(len(lengths), width))
    matrix.sort_indices()
    return matrix
