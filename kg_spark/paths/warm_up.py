"""Set-up: every compiled function once, the way a job calls it, so that later processes find it in numba's cache.

Some 40 s on 2 cores, which the first search would otherwise take.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.config import PathsConfig
from kg_spark.paths import csr
from kg_spark.paths.arrow import search_batches
from kg_spark.paths.graph_columns import RELATION
from kg_spark.paths.search import Graph


def warm_up() -> None:
    """Search one pair of a graph of one edge, by each ranker."""
    number = np.zeros(1, np.int32)
    symmetric = np.ones(1, np.bool_)
    ids = np.zeros((1, 8), np.uint8)
    arrays = csr.layout(2, edge_ids=ids, src=number, dst=number + 1, symmetric=symmetric, relation=number, cost=number)
    known = ("relation", "predicate", "association", "0", True, "")
    index = csr.Index(
        manifest=csr.Manifest(
            format=csr.FORMAT,
            kg_version="",
            nodes=2,
            edges=1,
            entries=2,
            relations=[dict(zip(RELATION, known, strict=True))],
            types=["type"],
            files={},
        ),
        graph=Graph(arrays["offsets"], arrays["target"], arrays["cost"]),
        edge_row=arrays["edge_row"],
        step=arrays["step"],
        edge_ids=arrays["edge_ids"],
        node_type=_read_only(np.zeros(2, np.int16)),
        node_ids=pa.array(["a", "b"], pa.large_string()),
    )
    columns = {"source_number": number, "target_number": number + 1, "keep": number + 1}
    pair = pa.RecordBatch.from_pydict({name: pa.array(column) for name, column in columns.items()})
    for ranker in ("path_degree_product", "learned"):
        config = replace(PathsConfig(), ranker=ranker)
        [_] = search_batches(iter([pair]), open_index=lambda: index, config=config)


def _read_only(array: NDArray[np.int16]) -> NDArray[np.int16]:
    array.setflags(write=False)  # as a memory-mapped file's
    return array
