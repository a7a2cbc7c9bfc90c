"""nodes -> node_vectors: the vector of each node's name, made once for a graph and an encoder, and read ever after.

A sub-step of link_entities, not a step of the flow: its table is append-only like `replies`, because with a large model it
is what was paid for. Actors commit as they go, so a run that was killed goes on where the last commit was; a row that was
appended twice is equal to its twin, for a vector follows from name, encoder and graph alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
from deltalake import DeltaTable
from ray.data import ActorPoolStrategy

from conf.config import EmbeddingConfig
from conf.lake import Lake
from conf.tables import NODE_VECTORS
from medreason_ray.ledger import Ledger
from medreason_ray.linking.arrays import Vectors
from medreason_ray.linking.encoders import Encoder, Rarity, encoder_id, open_encoder, rarity_of
from medreason_ray.linking.neighbours import NodeVectors
from medreason_ray.store import arrow_table

OpenEncoder = Callable[[EmbeddingConfig, Rarity], Encoder]

_ORDER = [("type", "ascending"), ("node_id", "ascending")]


def node_vectors(
    nodes: pa.Table,
    *,
    kg_version: str,
    config: EmbeddingConfig,
    lake: Lake,
    open_encoder: OpenEncoder = open_encoder,
) -> NodeVectors:
    """The vectors of all nodes: read from the lake, after those that lack were made and appended there by Ray actors.

    Ray must be connected where more than one batch (`commit_rows`) lacks, or any with a model; else it is not used.

    Args:
        nodes: node_id, name and type of conf.tables.NODES, in any order; null names and types count as empty.
        kg_version: of these nodes; vectors of another graph are not looked at.
        config: encoder, model; actors and commit_rows, which change nothing but speed.
        lake: where node_vectors lies; it is made there if need be.
        open_encoder: makes the encoder on each actor.

    Raises:
        ConfigError: the encoder cannot be named.
        RayTaskError: it cannot be opened on an actor, or fails there; what was committed is kept.
    """
    named = _named(nodes)
    rarity = rarity_of(named["name"].to_pylist())
    encoder = encoder_id(config)
    held = _held(lake, kg_version, encoder)
    lacking = named.filter(pc.invert(pc.is_in(named["node_id"], held["node_id"].combine_chunks())))
    if len(lacking):
        ledger = Ledger(lake.uri(NODE_VECTORS.name), lake.storage_options, NODE_VECTORS)
        ledger.create()
        _make(lacking, config, (kg_version, encoder, config, rarity, ledger, open_encoder))
        held = _held(lake, kg_version, encoder)
    return NodeVectors(nodes=named, vectors=_matrix(named, held), rarity=rarity)


def in_memory(nodes: pa.Table, config: EmbeddingConfig) -> NodeVectors:
    """The same without a lake and without Ray, for measurements and tests.

    Raises:
        ConfigError: the encoder cannot be opened.
    """
    named = _named(nodes)
    names = named["name"].to_pylist()
    rarity = rarity_of(names)
    return NodeVectors(nodes=named, vectors=open_encoder(config, rarity)(names), rarity=rarity)


class _Embedder:
    """A Ray actor's encoder, opened once."""

    def __init__(
        self,
        kg_version: str,
        encoder: str,
        config: EmbeddingConfig,
        rarity: Rarity,
        ledger: Ledger,
        open_encoder: OpenEncoder,
    ) -> None:
        self._constants = {"encoder": encoder, "kg_version": kg_version}
        self._ledger = ledger
        self._encode = open_encoder(config, rarity)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Nodes in, their vectors into the lake, the number of rows out."""
        vectors = self._encode(batch["name"].to_pylist())
        rows = batch.select(["node_id", "type"])
        for name, value in self._constants.items():
            rows = rows.append_column(name, pa.array([value] * len(batch), pa.string()))
        offsets = pa.array(np.arange(len(batch) + 1, dtype=np.int32) * np.int32(vectors.shape[1]))
        self._ledger.append(rows.append_column("vector", pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel()))))
        return pa.table({"rows": [len(batch)]})


def _make(lacking: pa.Table, config: EmbeddingConfig, arguments: tuple[Any, ...]) -> None:
    """Run the actors over the nodes, a commit a batch; what is one batch of hashing is not worth an actor's start."""
    if config.encoder == "hashing" and len(lacking) <= config.commit_rows:
        _Embedder(*arguments)(lacking)
        return
    cpus = int(ray.cluster_resources().get("CPU", 1))
    blocks = -(-len(lacking) // config.commit_rows)
    actors = max(1, min(config.actors, cpus - 1, blocks))
    made = ray.data.from_arrow(lacking).repartition(blocks).map_batches(
        _Embedder,
        fn_constructor_args=arguments,
        batch_format="pyarrow",
        batch_size=None,
        num_gpus=1 if config.device.startswith("cuda") else None,
        compute=ActorPoolStrategy(size=actors),
    )  # fmt: skip
    made.materialize()


def _named(nodes: pa.Table) -> pa.Table:
    """node_id, name, type by (type, node_id), without nulls."""
    columns = {name: pc.fill_null(nodes[name].cast(pa.string()), "") for name in ("node_id", "name", "type")}
    return pa.table(columns).sort_by(_ORDER).combine_chunks()


def _held(lake: Lake, kg_version: str, encoder: str) -> pa.Table:
    """node_id and vector of what the lake holds of this graph and encoder."""
    if not DeltaTable.is_deltatable(lake.uri(NODE_VECTORS.name), storage_options=lake.storage_options):
        return NODE_VECTORS.schema.empty_table()
    found = lake.open(NODE_VECTORS.name)
    assert found is not None
    where = f"kg_version = {_quoted(kg_version)} and encoder = {_quoted(encoder)}"
    return arrow_table(found, NODE_VECTORS.schema, where).select(["node_id", "vector"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _matrix(named: pa.Table, held: pa.Table) -> Vectors:
    """(n, d) vectors in the order of the nodes."""
    if not len(named):
        return np.empty((0, 0), np.float32)
    place = pc.index_in(named["node_id"], held["node_id"].combine_chunks()).to_numpy()
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in held["vector"].chunks]
    vectors: Vectors = np.concatenate(chunks).reshape(len(held), -1)[place]
    return vectors
