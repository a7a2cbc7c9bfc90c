"""EmbeddingConfig -> Encoder: texts to unit vectors, by a model of sentence-transformers or by n-grams of characters.

`hashing` needs no torch and finds misspelt names: at one typo the right node of Hetionet is the nearest for 96 to 99 % of
the names of every type but genes. Its vector is a count sketch (Charikar 2002) of TF-IDF over n-grams of 1 to 3 characters:
dense, so that one table and one search serve both encoders. 384 dimensions: the sparse vectors themselves were no better
behind the re-ranking, and 512 gained half a point of genes. All is summed in whole numbers, so the vector is the same bit for
bit on any machine and in any batch. A model's vectors agree over batches to 1e-6 only, as torch's own sums do.

Source: Weinberger et al. 2009 (feature hashing with signs).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from conf.config import EmbeddingConfig
from conf.fingerprint import folder_digest
from conf.identity import name_key
from conf.outcome import ConfigError
from medreason_ray.linking.arrays import Vectors

Rarity = NDArray[np.int64]
_U64 = NDArray[np.uint64]

_GRAMS = (1, 2, 3)
_BITS = 18
_SIZE = 384
_UNIT = 256  # rarities are whole numbers of 1/256
_TEXTS = 4096  # texts counted at a time: 40 MB

_HASHING = f"hashing-{_SIZE}"  # to be changed with whatever changes a vector: the lake's are reused by this name


class Encoder(Protocol):
    """Texts to vectors."""

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), d) float32, rows of unit length; all zeros where a text is blank."""
        ...


def open_encoder(config: EmbeddingConfig, rarity: Rarity) -> Encoder:
    """The encoder that the config names, ready; called once on each actor.

    Args:
        config: encoder, model, device.
        rarity: of the graph's names (`rarity_of`); a model does without.

    Raises:
        ConfigError: sentence-transformers is not installed, or the model cannot be loaded.
    """
    match config.encoder:
        case "hashing":
            return _Hashing(rarity)
        case "sentence-transformers":
            return _Model(config)
        case "none":
            raise ConfigError("links.embedding.encoder=none makes no vectors")


def encoder_id(config: EmbeddingConfig) -> str:
    """Name of the encoder in node_vectors: whatever could change a vector, apart from the graph.

    Raises:
        ConfigError: a model is needed and none is named.
    """
    if config.encoder == "hashing":
        return _HASHING
    if not config.model:
        raise ConfigError("links.embedding.model is empty: name a folder or a model of sentence-transformers")
    folder = Path(config.model)
    if not folder.is_dir():
        return f"{config.encoder}:{config.model}"
    return f"{config.encoder}:{folder.name}@{folder_digest(folder)[:16]}"


def rarity_of(names: Iterable[str]) -> Rarity:
    """How rare each bucket of n-grams is among names, their order apart: 256 * (ln((1 + n) / (1 + n with it)) + 1).

    Returns:
        (2^18,) whole numbers.
    """
    seen, total = np.zeros(1 << _BITS, np.int64), 0
    for batch in _batches(names):
        total += len(batch)
        row, bucket = _grams(batch)
        once = np.unique((row << _BITS) | bucket)
        seen += np.bincount(once & ((1 << _BITS) - 1), minlength=1 << _BITS)
    rarity: Rarity = np.rint(_UNIT * (np.log((1 + total) / (1 + seen)) + 1)).astype(np.int64)
    return rarity


class _Hashing:
    """TF-IDF over n-grams of characters, sketched."""

    def __init__(self, rarity: Rarity) -> None:
        mixed = _mix(np.arange(1 << _BITS, dtype=np.uint64) + np.uint64(1 << _BITS))
        self._place = (mixed % np.uint64(_SIZE)).astype(np.int64)
        self._weight = np.where(mixed >> np.uint64(63), rarity, -rarity).astype(np.float64)

    def __call__(self, texts: Sequence[str]) -> Vectors:
        parts = [self._encode(batch) for batch in _batches(texts)]
        return np.concatenate([np.empty((0, _SIZE), np.float32), *parts])

    def _encode(self, texts: list[str]) -> Vectors:
        row, bucket = _grams(texts)
        cell = row * _SIZE + self._place[bucket]
        sums = np.bincount(cell, self._weight[bucket], minlength=len(texts) * _SIZE).reshape(len(texts), _SIZE)
        # Whole numbers below 2^53: exact in any order, and sqrt and division are rounded as IEEE says.
        length = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
        return np.asarray(sums / np.maximum(length, 1.0), np.float32)


class _Model:
    """A model of sentence-transformers."""

    def __init__(self, config: EmbeddingConfig) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ConfigError(
                "links.embedding.encoder=sentence-transformers needs the extra `embeddings`: pip install"
                " 'medreason-ray[embeddings]'"
            ) from error
        encoder_id(config)
        try:
            self._model: Any = SentenceTransformer(config.model, device=config.device or None)
        except (OSError, ValueError) as error:
            text = " ".join(str(error).split())
            raise ConfigError(f"links.embedding.model '{config.model}' cannot be loaded: {text[:200]}") from error

    def __call__(self, texts: Sequence[str]) -> Vectors:
        found: Vectors = self._model.encode(
            list(texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        ).astype(np.float32)
        found[[not text.strip() for text in texts]] = 0
        return found


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    left = iter(texts)
    while batch := list(islice(left, _TEXTS)):
        yield batch


def _grams(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and bucket of each n-gram of each text, folded, with a blank before and behind; none of a blank text."""
    padded = [f" {key} " if key else "" for key in map(name_key, texts)]
    length = np.array([len(text) for text in padded], np.int64)
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    row = np.repeat(np.arange(len(texts)), length)
    left = np.repeat(np.cumsum(length), length) - np.arange(len(codes))
    rows, buckets = [row[:0]], [row[:0]]
    for size in _GRAMS:
        count = max(0, len(codes) - size + 1)
        hashed = np.full(count, size, np.uint64)
        for place in range(size):
            hashed = _mix(hashed * np.uint64(0x9E3779B97F4A7C15) + codes[place : place + count])
        whole = left[:count] >= size
        rows.append(row[:count][whole])
        buckets.append((hashed[whole] >> np.uint64(64 - _BITS)).astype(np.int64))
    return np.concatenate(rows), np.concatenate(buckets)


def _mix(numbers: _U64) -> _U64:
    """Every bit of a number into every other (MurmurHash3's last step)."""
    shift = np.uint64(33)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        numbers = (numbers ^ (numbers >> shift)) * np.uint64(factor)
    return numbers ^ (numbers >> shift)
