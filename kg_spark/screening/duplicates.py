"""Questions of one set that say the same: MinHash nominates, Jaccard or Levenshtein's ratio and the answer decide.

Unlike a benchmark's item a question of one's own set is no near-duplicate for its case alone: the same case asked for the
diagnosis and for the drug is two questions. So the answers must be alike too.

Of those alike, in the order of question_id, a question stays unless it is like one that stays. What it is like is therefore
always in the set that goes on, chains of likeness (A like B, B like C) close B alone, and no order of rows or partitions
matters.

Source: Broder 1997 (MinHash); datasketch computes the signatures.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash
from rapidfuzz import fuzz

from conf.config import ScreenConfig
from kg_spark.screening.entities import answer_key
from kg_spark.screening.words import Hashes

_SEED = 1
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Alike:
    """A pair, `first` before `second` in the order of question_id."""

    first: str
    second: str
    rule: str
    score: float


def bands(contents: Iterable[Hashes], config: ScreenConfig) -> Iterator[list[int]]:
    """The MinHash bands of each question's content words: numbers of which alike questions share one; none without words."""
    counts = (numbers.tolist() for numbers in contents)
    drawn = MinHash.generator(
        counts, num_perm=config.bands * config.band_rows, seed=_SEED, hashfunc=_low_half, scheme="affine32"
    )
    empty = np.iinfo(np.uint32).max
    for minhash in drawn:
        rows = minhash.hashvalues.astype(np.uint64).reshape(config.bands, config.band_rows)
        if int(rows.min()) == empty:
            yield []
            continue
        keys = np.arange(config.bands, dtype=np.uint64)
        for column in rows.T:
            keys = (keys ^ column) * _MIX
            keys ^= keys >> np.uint64(29)
        yield keys.view(np.int64).tolist()


def _low_half(number: int) -> int:
    return number & 0xFFFFFFFF


def alike(content: str, answer: str, other: str, other_answer: str, config: ScreenConfig) -> tuple[str, float] | None:
    """The rule by which two questions are alike, and its score; None where they are not.

    Args:
        content: content words in alphabetical order, one blank between.
        answer: of the one.
        other: as `content`.
        other_answer: of the other.
        config: screen.
    """
    if fuzz.ratio(answer_key(answer), answer_key(other_answer)) < 100 * config.fuzzy:
        return None
    mine, its = set(content.split()), set(other.split())
    jaccard = round(len(mine & its) / max(len(mine | its), 1), 4)
    if jaccard >= config.jaccard:
        return "jaccard", jaccard
    fuzzy = round(fuzz.ratio(content, other) / 100, 4)
    return ("fuzzy", fuzzy) if fuzzy >= config.fuzzy else None


def close(pairs: Iterable[Alike]) -> dict[str, Alike]:
    """The questions that do not stay, each with the pair that says why: the first one like it that stays."""
    closed: dict[str, Alike] = {}
    for pair in sorted(pairs, key=lambda pair: (pair.second, pair.first)):
        if pair.first not in closed and pair.second not in closed:
            closed[pair.second] = pair
    return closed
