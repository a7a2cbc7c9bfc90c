"""nodes, edges -> index: the graph as CSR arrays in memory-mapped files, both directions of every edge.

An undirected walk needs a node's edges whichever way they run, so each edge stands in two rows, with a mark for the
direction. Rows are sorted by (target, cost, edge), so the first entry of a step is its cheapest edge and all its edges
follow. The index lies beside the tables (any storage); each machine copies it once to a local disk and checks it,
then every process maps the same pages. PrimeKG's 8.1 million entries take 149 MB: 14 bytes an entry, 8 an edge id.

Files: offsets int64 (n + 1); target, cost, edge_row int32 and step int16 (entries); edge_ids uint8 (m, 8), the bytes
of the 16 hex digits; node_type int16 (n), a place in the manifest's types; node_text uint8 and node_text_offsets int64
(n + 1), the node ids one after the other in UTF-8. `step` is 4 * code of the relation + 1 where the walk goes from src
to dst, + 2 where from dst to src, + 3 for symmetric edges. An edge's row is the rank of its edge_id, a node's the rank
of its node_id. An edge that joins a node to itself has no entry: no path walks it. manifest.json comes last: a folder
without one is no index.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from conf.outcome import ContractError
from kg_spark.paths.folder import Folder, local_copy
from kg_spark.paths.graph_columns import RELATION, edge_columns, node_columns
from kg_spark.paths.search import I32, Graph

FORMAT = 2
MANIFEST = "manifest.json"
_RELATIONS = 2**13
"""An int16 holds the code of so many relations and the direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an index folder holds."""

    format: int
    kg_version: str
    nodes: int
    edges: int
    entries: int
    relations: Sequence[Mapping[str, Any]]
    """By code: the columns RELATION of `edges`."""
    types: Sequence[str]
    """nodes.type by code."""
    files: Mapping[str, Mapping[str, Any]]
    """dtype, shape, bytes and sha256 by file name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """An index opened on this machine; all arrays are read-only maps of its files. Equal only to itself."""

    manifest: Manifest
    graph: Graph
    edge_row: I32
    step: NDArray[np.int16]
    edge_ids: NDArray[np.uint8]
    node_type: NDArray[np.int16]
    node_ids: pa.LargeStringArray
    """node_id by number, without a copy."""


def ensure_index(
    nodes: DataFrame, edges: DataFrame, *, folder: str, local_dir: str, kg_version: str
) -> Callable[[], Index]:
    """Build the index unless `folder` holds this version's; what opens it in a worker, once a process.

    It is opened here first, so that a corrupted one is refused before any task starts.

    Args:
        nodes: node_id, number, type.
        edges: edge_id, src, dst, symmetric, cost and RELATION.
        folder: where the index lies; a folder or URI that every machine sees.
        local_dir: as in `open_index`.
        kg_version: content digest of the graph, costs included.

    Raises:
        ContractError: as `build_index` and `open_index`.
    """
    try:
        read_manifest(Folder(folder), kg_version)
    except ContractError:
        build_index(nodes, edges, folder, kg_version=kg_version)
    opener = partial(_opened, folder, local_dir, kg_version)
    opener()
    return opener


def build_index(nodes: DataFrame, edges: DataFrame, folder: str, *, kg_version: str) -> Manifest:
    """Write the index of a graph, in place of whatever lies in `folder`.

    Args:
        nodes: node_id, number (rank of node_id, from 0), type.
        edges: edge_id (16 hex digits), src, dst, symmetric, cost (1/65536) and RELATION; none may be null.
        folder: local folder, replaced in one step, or URI, whose manifest is written last.
        kg_version: written into the manifest.

    Raises:
        ContractError: numbers are not ranks, an edge's end is not in `nodes`, a value is null or an edge_id is no id.
    """
    relations = sorted(tuple(row) for row in edges.select(*RELATION).distinct().collect() if None not in row)
    if len(relations) > _RELATIONS:
        raise ContractError(f"edges hold {len(relations)} relations, the index at most {_RELATIONS}")
    ids, types, node_type = node_columns(nodes)
    arrays = {**layout(len(ids), **edge_columns(nodes, edges, relations)), "node_type": node_type}
    text: dict[str, NDArray[Any]] = {"node_text_offsets": np.frombuffer(ids.buffers()[1], np.int64)[: len(ids) + 1]}
    text["node_text"] = np.frombuffer(ids.buffers()[2] or b"", np.uint8)[: text["node_text_offsets"][-1]]
    with Folder(folder).replacing(last=MANIFEST) as staging:
        files = {f"{name}.npy": _save(staging / f"{name}.npy", array) for name, array in {**arrays, **text}.items()}
        manifest = Manifest(
            format=FORMAT,
            kg_version=kg_version,
            nodes=len(ids),
            edges=len(arrays["edge_ids"]),
            entries=len(arrays["target"]),
            relations=[dict(zip(RELATION, row, strict=True)) for row in relations],
            types=types,
            files=files,
        )
        (staging / MANIFEST).write_text(json.dumps(asdict(manifest), sort_keys=True, indent=1))
    return manifest


def layout(
    n: int,
    *,
    edge_ids: NDArray[np.uint8],
    src: I32,
    dst: I32,
    symmetric: NDArray[np.bool_],
    relation: I32,
    cost: I32,
) -> dict[str, NDArray[Any]]:
    """The arrays of an index, read-only; edges in any order.

    Args:
        n: nodes.
        edge_ids: (m, 8)
        src: (m) node numbers.
        dst: (m) node numbers.
        symmetric: (m)
        relation: (m) codes from 0.
        cost: (m) 1/65536.
    """
    rank = np.argsort(edge_ids.view(">u8").ravel(), kind="stable")
    src, dst, cost = src[rank], dst[rank], cost[rank]
    there, back = (4 * relation[rank] + np.where(symmetric[rank], 3, way) for way in (1, 2))
    rows = np.flatnonzero(src != dst).astype(np.int32)
    owner, target = np.concatenate([src[rows], dst[rows]]), np.concatenate([dst[rows], src[rows]])
    edge_row, price = np.concatenate([rows, rows]), np.concatenate([cost[rows], cost[rows]])
    order = np.lexsort((edge_row, price, target, owner))
    arrays: dict[str, NDArray[Any]] = {
        "offsets": np.cumsum(np.bincount(owner + 1, minlength=n + 1), dtype=np.int64),
        "target": target[order].astype(np.int32),
        "cost": price[order].astype(np.int32),
        "edge_row": edge_row[order],
        "step": np.concatenate([there[rows], back[rows]])[order].astype(np.int16),
        "edge_ids": edge_ids[rank],
    }
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def open_index(folder: str, local_dir: str, kg_version: str) -> Index:
    """The index on this machine, copied there and checked unless it has been before (then in some milliseconds).

    Args:
        folder: where it was built.
        local_dir: folder on this machine's disk; empty: one of this user's in the machine's temp.
        kg_version: the graph that the caller reads.

    Raises:
        ContractError: there is none, it is corrupted, of another format or of another graph, or cannot be copied.
    """
    manifest, digest = read_manifest(Folder(folder), kg_version)
    local = local_copy(Folder(folder), local_dir, digest, manifest.files)
    arrays = {name.removesuffix(".npy"): _mapped(local / name) for name in manifest.files}
    text = [None, pa.py_buffer(arrays["node_text_offsets"]), pa.py_buffer(arrays["node_text"])]
    return Index(
        manifest=manifest,
        graph=Graph(arrays["offsets"], arrays["target"], arrays["cost"]),
        edge_row=arrays["edge_row"],
        step=arrays["step"],
        edge_ids=arrays["edge_ids"],
        node_type=arrays["node_type"],
        node_ids=pa.Array.from_buffers(pa.large_string(), manifest.nodes, text),
    )


@lru_cache(maxsize=1)
def _opened(folder: str, local_dir: str, kg_version: str) -> Index:
    """`open_index`, once a process."""
    return open_index(folder, local_dir, kg_version)


def read_manifest(folder: Folder, kg_version: str) -> tuple[Manifest, str]:
    """The manifest and the digest of its text.

    Raises:
        ContractError: there is none, it cannot be read, or it is of another format or graph.
    """
    try:
        text = folder.read(MANIFEST)
        manifest = Manifest(**json.loads(text))
    except FileNotFoundError as error:
        raise ContractError(f"no path index in {folder.uri}: run find_paths again") from error
    except (OSError, ValueError, TypeError) as error:
        raise ContractError(f"the path index in {folder.uri} has no readable manifest: {_again(folder)}") from error
    if manifest.format != FORMAT:
        raise ContractError(
            f"the path index in {folder.uri} has format {manifest.format}, not {FORMAT}: {_again(folder)}"
        )
    if manifest.kg_version != kg_version:
        raise ContractError(
            f"the path index in {folder.uri} is of graph {manifest.kg_version}, not {kg_version}: {_again(folder)}"
        )
    return manifest, hashlib.sha256(text).hexdigest()


def _again(folder: Folder) -> str:
    return f"remove {folder.uri} and run find_paths again"


def _save(path: Path, array: NDArray[Any]) -> dict[str, Any]:
    np.save(path, array)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    return {"dtype": str(array.dtype), "shape": list(array.shape), "bytes": size, "sha256": digest}


def _mapped(path: Path) -> NDArray[Any]:
    array = np.load(path, mmap_mode="r")
    return np.asarray(array)
