"""Vectors of mentions and of nodes -> the nearest nodes: exact, whatever the size of a block and the BLAS beneath.

A blocked product in float32 says which nodes can be among the nearest; their cosines are then summed again in float64, in
one order, and only these are compared and returned. What the first product may be off by (`_slack`) is allowed for, so the
answer is that of brute force in float64: the same for any block, thread or machine.

100,000 x 129,375 x 384 within type takes 17.6 s of one core's CPU and 0.5 GB, faiss' flat index 16.3 s (float32, ties as
they fall), and more than twice that with numpy's argpartition in place of the compiled scan: no reason to depend on faiss.

Source: MedReason, get_topk_similar_entities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from medreason_ray.linking.arrays import Rows, Scores, Vectors

F = TypeVar("F", bound=Callable[..., Any])

_BLOCK = 512
_WIDTH = 2048  # nodes a product: 512 x 2048 float32 stay in the cache until they are scanned
_SPARE = 6  # further nodes kept from the first product, so that near ties rarely need a row to be gone through again


def nearest(
    mentions: Vectors, nodes: Vectors, k: int, floor: float, *, block: int = _BLOCK, width: int = _WIDTH
) -> tuple[Rows, Scores]:
    """The k nodes nearest to each mention, by cosine; of equal ones the smaller row first.

    Args:
        mentions: (m, d), rows of unit length, or all zeros.
        nodes: (n, d), rows of unit length, or all zeros; all of the mentions' own type.
        k: candidates per mention, at least 1; fewer when n < k.
        floor: cosine in [-1, 1] below which a candidate is masked.
        block: mentions a product; changes nothing but speed and memory.
        width: nodes a product; likewise.

    Returns:
        (m, k) rows of `nodes`, best first, -1 where masked; (m, k) cosines, NaN where masked.

    Raises:
        ValueError: the two sides differ in d, or k < 1.

    Source: MedReason, get_topk_similar_entities (k 10, floor 0.7).
    """
    if mentions.ndim != 2 or nodes.ndim != 2 or mentions.shape[1] != nodes.shape[1]:
        raise ValueError(f"mentions {mentions.shape} and nodes {nodes.shape} differ in the size of a vector")
    if k < 1:
        raise ValueError(f"k is {k}, at least 1 is needed")
    mentions, nodes = (np.ascontiguousarray(side, np.float32) for side in (mentions, nodes))
    slack = _slack(nodes.shape[1])
    rows = np.full((len(mentions), k), -1, np.int64)
    scores = np.full((len(mentions), k), np.nan)
    for first in range(0, len(mentions), block):
        part = slice(first, first + block)
        near = np.full((len(mentions[part]), k + _SPARE), -np.inf, np.float32)
        found = np.full(near.shape, -1, np.int64)
        for start in range(0, len(nodes), width):
            _scan(mentions[part] @ nodes[start : start + width].T, start, floor - slack, near, found)
        _settle(mentions[part], nodes, near, found, floor, slack, rows[part], scores[part])
    return rows, scores


def _slack(size: int) -> float:
    """Twice what a float32 product of two unit vectors may be off by, in any order of summing (Higham 2002, 3.1)."""
    return 2 * size * 2.0**-24


def _compiled(function: F) -> F:
    """The function in machine code, without the interpreter's lock, kept on disk between processes."""
    return cast("F", numba.njit(nogil=True, cache=True)(function))


@_compiled
def _scan(products: Vectors, start: int, least: float, near: Vectors, found: Rows) -> None:
    """Put a block's products among the best so far: near and found, (b, kept), best first."""
    kept = near.shape[1]
    for i in range(products.shape[0]):
        bar = np.float32(max(near[i, kept - 1], least))
        for j in range(products.shape[1]):
            product = products[i, j]
            if product > bar:
                place = kept - 1
                while place > 0 and near[i, place - 1] < product:
                    near[i, place], found[i, place] = near[i, place - 1], found[i, place - 1]
                    place -= 1
                near[i, place], found[i, place] = product, start + j
                bar = np.float32(max(near[i, kept - 1], least))


@_compiled
def _settle(
    mentions: Vectors,
    nodes: Vectors,
    near: Vectors,
    found: Rows,
    floor: float,
    slack: float,
    rows: Rows,
    scores: Scores,
) -> None:
    """Exact cosines of what was found, in order; all nodes again where one that was dropped may belong there."""
    kept = found.shape[1]
    k = rows.shape[1]
    for i in range(mentions.shape[0]):
        for place in range(kept):
            if found[i, place] >= 0:
                _place(mentions[i], nodes, found[i, place], floor, rows[i], scores[i])
        dropped = near[i, kept - 1]
        if found[i, kept - 1] >= 0 and (rows[i, k - 1] < 0 or dropped + slack >= scores[i, k - 1]):
            rows[i, :] = -1
            scores[i, :] = np.nan
            for row in range(nodes.shape[0]):
                _place(mentions[i], nodes, row, floor, rows[i], scores[i])


@_compiled
def _place(mention: Vectors, nodes: Vectors, row: int, floor: float, rows: Rows, scores: Scores) -> None:
    """Put one node where its exact cosine belongs, if it does."""
    cosine = 0.0
    for axis in range(mention.shape[0]):
        cosine += np.float64(mention[axis]) * np.float64(nodes[row, axis])
    if not cosine >= floor:
        return
    place = rows.shape[0]
    while place > 0 and _is_before(cosine, row, scores[place - 1], rows[place - 1]):
        if place < rows.shape[0]:
            rows[place], scores[place] = rows[place - 1], scores[place - 1]
        place -= 1
    if place < rows.shape[0]:
        rows[place], scores[place] = row, cosine


@_compiled
def _is_before(cosine: float, row: int, other: float, other_row: int) -> bool:
    return other_row < 0 or cosine > other or (cosine == other and row < other_row)
