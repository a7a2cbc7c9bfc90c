"""names -> candidates: the nodes nearest to names that no node bears, within a type, with every score.

The nearest by cosine are a pool; within it a node's score is the better of its cosine and of its likeness in spelling, so
that a typo costs what it is worth in a short name (one of four letters: cosine 0.4, spelling 0.75) and another order of
words costs little.

Source: MedReason, get_topk_similar_entities (10 nodes a type, floor 0.7); optimal string alignment, Damerau 1964.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from conf.config import EmbeddingConfig
from conf.identity import name_key
from medreason_ray.linking.arrays import Rows, Scores, Vectors
from medreason_ray.linking.encoders import Encoder, Rarity, open_encoder
from medreason_ray.linking.typos import is_typo, words

METHOD = "embedding"
_PLACES = 6  # digits of a score; a model's cosines agree over batches no further


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A node near a name."""

    node_id: str
    name: str
    type: str
    score: float
    """The better of the two below, in [-1, 1]; six digits."""
    cosine: float
    """Of the vectors, in [-1, 1]."""
    spelling: float
    """1 - insertions, deletions, substitutions and swaps / letters of the longer name, in [0, 1], names folded."""
    typo: bool
    """The name is the node's with typos in it (`typos.is_typo`): what a score alone does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeVectors:
    """The n nodes of a graph with the vectors of their names, in the order of (type, node_id).

    Picklable, and arrays in Ray's object store are shared by all actors of a machine: `ray.put` it once.
    """

    nodes: pa.Table
    """node_id, name, type; null types and names are empty."""
    vectors: Vectors
    """(n, d)"""
    rarity: Rarity
    """What the encoder learnt from the graph's names."""


class Neighbours:
    """The nodes of a graph, ready to be searched; built once an actor."""

    def __init__(self, nodes: NodeVectors, config: EmbeddingConfig, encoder: Encoder | None = None) -> None:
        """Fold the names and open the encoder: a second for 130,000 nodes, and what a model takes to load.

        Args:
            nodes: as `vectors.node_vectors` gives them.
            config: top_k, floor, pool, and the encoder that made the vectors.
            encoder: in place of the one that the config names.

        Raises:
            ConfigError: the encoder cannot be opened.
        """
        self._config = config
        self._encoder = encoder or open_encoder(config, nodes.rarity)
        self._vectors = nodes.vectors
        self._ids = nodes.nodes["node_id"].to_pylist()
        self._types = nodes.nodes["type"].to_pylist()
        self._names = nodes.nodes["name"].to_pylist()
        self._keys = [name_key(name) for name in self._names]
        self._known = frozenset(word for key in self._keys for word in words(key))
        self._slices = _slices(nodes.nodes["type"])

    def candidates(self, names: Sequence[str], types: Sequence[str | None]) -> list[list[Neighbour]]:
        """The nodes nearest to each name, best first: by score, then spelling, then (type, node_id).

        Args:
            names: as written; a blank one has no candidates. A name and type that stand twice are looked up once.
            types: canonical type of each; None searches all nodes, a type without nodes finds none.

        Returns:
            At most `top_k` a name, of at least `floor`.

        Raises:
            ValueError: there are not as many types as names.
        """
        asked = [(" ".join(name.split()), kind) for name, kind in zip(names, types, strict=True)]
        by_type: dict[str | None, dict[str, None]] = {}
        for name, kind in asked:
            if name and (kind is None or kind in self._slices):
                by_type.setdefault(kind, {})[name] = None
        found: dict[tuple[str, str | None], list[Neighbour]] = {}
        for kind, wanted in by_type.items():
            within = slice(0, len(self._ids)) if kind is None else self._slices[kind]
            near = self._near(list(wanted), within)
            found |= {(name, kind): each for name, each in zip(wanted, near, strict=True)}
        return [found.get(each, []) for each in asked]

    def _near(self, names: list[str], within: slice) -> list[list[Neighbour]]:
        """The candidates of each name among one run of nodes."""
        # Here, for numba takes 1.6 s and 100 MB, which each process that only parses replies would pay too.
        from medreason_ray.linking.nearest import nearest

        pool = max(self._config.pool, self._config.top_k)
        rows, cosines = nearest(self._encoder(names), self._vectors[within], pool, floor=-1.0)
        rows[rows >= 0] += within.start
        keys = list(map(name_key, names))
        spellings = self._spellings(keys, rows)
        scores = np.round(np.fmax(cosines, spellings), _PLACES)
        # Every name's best first; masked places, which are NaN, last.
        order = np.lexsort((rows, -spellings, -scores))[:, : self._config.top_k]
        ranked = (np.take_along_axis(array, order, axis=1) for array in (rows, scores, cosines, spellings))
        return list(map(self._row, keys, *ranked))

    def _row(self, key: str, rows: Rows, scores: Scores, cosines: Scores, spellings: Scores) -> list[Neighbour]:
        return [
            Neighbour(
                node_id=self._ids[row],
                name=self._names[row],
                type=self._types[row],
                score=float(score),
                cosine=round(float(cosine), _PLACES),
                spelling=round(float(spelling), _PLACES),
                typo=is_typo(key, self._keys[row], self._types[row], self._known),
            )
            for row, score, cosine, spelling in zip(rows, scores, cosines, spellings, strict=True)
            if score >= self._config.floor
        ]

    def _spellings(self, keys: list[str], rows: Rows) -> NDArray[np.float64]:
        """(m, pool) likeness of each key and each of its nodes' names; NaN where masked."""
        place, column = np.nonzero(rows >= 0)
        ours = [keys[number] for number in place]
        theirs = [self._keys[row] for row in rows[place, column]]
        likeness = np.full(rows.shape, np.nan)
        alike = partial(cpdist, scorer=OSA.normalized_similarity, dtype=np.float64, workers=1)
        likeness[place, column] = alike(ours, theirs) if ours else []
        return likeness


def _slices(types: pa.ChunkedArray) -> dict[str, slice]:
    """Where each type stands in nodes that are sorted by it."""
    runs = pc.run_end_encode(types.combine_chunks())
    ends = runs.run_ends.to_pylist()
    return {
        kind: slice(first, end) for kind, first, end in zip(runs.values.to_pylist(), [0, *ends], ends, strict=False)
    }
