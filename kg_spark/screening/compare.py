"""The index and a batch of questions -> what each question repeats, if anything.

The rules and what grows how stand in kg_spark/screening/benchmark.py.

What a question is told does not depend on the batch it came in: every sum runs over one question's words in their order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz
from scipy import sparse

from conf.config import ScreenConfig
from kg_spark.screening.benchmark import Floats, Index, Ints, Said
from kg_spark.screening.words import Hashes

RULES = ("grams", "jaccard", "fuzzy", "words")
"""In the order in which the first that holds is named."""

# These shares lie far below every rule's: they only keep Python from judging strangers.
_NEAR_BY_UNION, _NEAR_BY_LIGHTER, _FUZZY_FROM = 0.15, 0.35, 0.3


@dataclass(frozen=True, slots=True)
class Match:
    """The item that a question repeats."""

    item: int
    rule: str
    score: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A question beside all items that it may be compared with."""

    nearest: int
    """The item of the highest Jaccard among those nominated; -1 for none."""
    similarity: float
    match: Match | None
    origins: int
    """Bits of the origins with which it shares any 8-gram: the literal rule."""


@dataclass(frozen=True, slots=True)
class _Grams:
    """What the 8-grams of a batch say."""

    question: Ints
    item: Ints
    share: Floats
    """Containment of the pair, in the order of questions."""
    origins: Ints
    """A question each."""


@dataclass(frozen=True, slots=True)
class _Words:
    """The content words of a batch."""

    matrix: sparse.csr_array
    """Questions x known words, their weights."""
    weight: Floats
    """A question each, unknown words included."""
    size: Ints


def compare(index: Index, asked: Sequence[Said], allowed: Sequence[int], config: ScreenConfig) -> Iterator[Comparison]:
    """Each question beside the items of the origins whose bits are set in its `allowed`."""
    bits = np.array(allowed, np.int64)
    by_grams = _by_grams(index, asked, config)
    spoken = _words(index, asked)
    question, item = _nominated(index, spoken, by_grams, bits)
    shared = dict(
        zip(zip(by_grams.question.tolist(), by_grams.item.tolist(), strict=True), by_grams.share, strict=True)
    )
    ends = np.searchsorted(question, np.arange(len(asked) + 1))
    known = np.zeros(len(index.word), bool)
    for number, one in enumerate(asked):
        of_question = slice(spoken.matrix.indptr[number], spoken.matrix.indptr[number + 1])
        columns = spoken.matrix.indices[of_question]
        known[columns] = True
        candidates = item[ends[number] : ends[number + 1]].tolist()
        near = [
            _scores(index, known, spoken, number, each, one, float(shared.get((number, each), 0.0)))
            for each in candidates
        ]
        known[columns] = False
        yield _best(candidates, near, int(by_grams.origins[number] & bits[number]), config)


def _best(items: Sequence[int], scores: Sequence[dict[str, float]], origins: int, config: ScreenConfig) -> Comparison:
    """The likest item first; ties go to the one that comes first."""
    if not items:
        return Comparison(-1, 0.0, None, origins)
    at_least = {"grams": config.grams, "jaccard": config.jaccard, "fuzzy": config.fuzzy, "words": config.words}
    order = sorted(
        range(len(items)), key=lambda place: (-scores[place]["jaccard"], -scores[place]["grams"], items[place])
    )
    nearest = order[0]
    for place in order:
        rule = next((rule for rule in RULES if scores[place][rule] >= at_least[rule]), None)
        if rule is not None:
            match = Match(items[place], rule, scores[place][rule])
            return Comparison(items[nearest], scores[nearest]["jaccard"], match, origins)
    return Comparison(items[nearest], scores[nearest]["jaccard"], None, origins)


def _scores(
    index: Index, known: npt.NDArray[np.bool_], spoken: _Words, number: int, item: int, one: Said, grams: float
) -> dict[str, float]:
    """What every rule says of one pair, in [0, 1]."""
    columns = index.content.indices[index.content.indptr[item] : index.content.indptr[item + 1]]
    common = columns[known[columns]]
    size, other = int(spoken.size[number]), len(columns)
    jaccard = len(common) / max(size + other - len(common), 1)
    lighter = min(spoken.weight[number], index.item_weight[item])
    fuzzy = fuzz.ratio(" ".join(one.content), index.joined[item]) / 100 if jaccard >= _FUZZY_FROM else 0.0
    told = min(size, other) >= _CASE
    contained = float(index.word_weight[common].sum() / lighter) if told else 0.0
    found = {"grams": grams, "jaccard": jaccard, "fuzzy": fuzzy, "words": contained}
    return {rule: round(score, 4) for rule, score in found.items()}


# Content words from which a question tells a case. Below, facts differ by one word: "treats A with B" and "treats A with C".
_CASE = 20


def _by_grams(index: Index, asked: Sequence[Said], config: ScreenConfig) -> _Grams:
    gram = np.concatenate([one.grams for one in asked])
    question = np.repeat(np.arange(len(asked)), [len(one.grams) for one in asked])
    place, held = _places(index.gram, gram)
    weight = np.full(len(gram), index.new_gram_weight)
    weight[held] = index.gram_weight[place[held]]
    total = np.bincount(question, weight, len(asked)).astype(np.float64)
    origins = np.zeros(len(asked), np.int64)
    np.bitwise_or.at(origins, question[held], index.gram_origins[place[held]])
    stems = index.gram_stems[place[held]]
    wide = len(index.stem_weight)
    pair = (question[held][:, None] * wide + stems)[stems >= 0]
    pairs, of_pair, counts = np.unique(pair, return_inverse=True, return_counts=True)
    sums = np.bincount(of_pair, np.broadcast_to(weight[held][:, None], stems.shape)[stems >= 0], len(pairs))
    asks, stem = np.divmod(pairs, wide)
    share = sums / np.minimum(total[asks], index.stem_weight[stem])
    told = counts >= config.min_grams
    held_by = index.stem_items[stem[told]]
    times = np.diff(held_by.indptr)
    return _Grams(np.repeat(asks[told], times), held_by.indices, np.repeat(share[told], times), origins)


def _places(known: Hashes, wanted: Hashes) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Where each number stands among the sorted ones, and whether it does."""
    place = np.searchsorted(known, wanted)
    held = np.zeros(len(wanted), bool)
    inside = place < len(known)
    held[inside] = known[place[inside]] == wanted[inside]
    return place, held


def _words(index: Index, asked: Sequence[Said]) -> _Words:
    numbers = [one.numbers for one in asked]
    word = np.concatenate(numbers)
    question = np.repeat(np.arange(len(asked)), [len(each) for each in numbers])
    place, held = _places(index.word, word)
    weight = np.full(len(word), index.new_word_weight)
    weight[held] = index.word_weight[place[held]]
    shape = (len(asked), len(index.word))
    matrix = sparse.csr_array((weight[held], (question[held], place[held])), shape=shape)
    return _Words(
        matrix,
        np.bincount(question, weight, len(asked)).astype(np.float64),
        np.array([len(each) for each in numbers], np.int64),
    )


def _nominated(index: Index, spoken: _Words, by_grams: _Grams, allowed: Ints) -> tuple[Ints, Ints]:
    """Pairs of question and item that are worth judging, in order."""
    product = spoken.matrix @ index.uncommon
    question = np.repeat(np.arange(product.shape[0]), np.diff(product.indptr))
    item, shared = product.indices, product.data
    mine, its = spoken.weight[question], index.item_weight[item]
    near = (shared >= _NEAR_BY_UNION * (mine + its - shared)) | (
        (shared >= _NEAR_BY_LIGHTER * np.minimum(mine, its))
        & (spoken.size[question] >= _CASE)
        & (index.size[item] >= _CASE)
    )
    asks = np.concatenate([question[near], by_grams.question])
    items = np.concatenate([item[near], by_grams.item])
    may = (np.left_shift(1, index.origin[items]) & allowed[asks]) != 0
    pairs = np.unique(asks[may] * len(index.origin) + items[may])
    found: tuple[Ints, Ints] = np.divmod(pairs, len(index.origin))
    return found
