"""The index of a graph: opened as it was built, or refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conf.outcome import ContractError
from kg_spark.paths.csr import build_index, open_index
from tests.kg_spark.path_graphs import KG, Edge, World, index_of, name, node_type, random_graph


@pytest.fixture
def small(spark: SparkSession, tmp_path: Path) -> Path:
    """The folder of a small index."""
    world = World(spark=spark, n=4, edges=random_graph(2, 4, 12), links=[])
    build_index(world.nodes, world.edge_frame, str(tmp_path / "lake"), kg_version=KG)
    return tmp_path / "lake"


@pytest.mark.slow
def test_an_index_opens_as_it_was_built(small: Path, tmp_path: Path) -> None:
    index, wanted = open_index(str(small), str(tmp_path / "local"), KG), index_of(4, random_graph(2, 4, 12))
    assert index.node_ids.to_pylist() == wanted.node_ids.to_pylist()
    assert np.array_equal(index.edge_ids, wanted.edge_ids)
    assert all(np.array_equal(have, want) for have, want in zip(index.graph, wanted.graph, strict=True))
    relations = [e.relation for e in sorted(random_graph(2, 4, 12), key=lambda e: e.edge_id)]
    assert [index.manifest.relations[code] for code in index.step >> 2] == [relations[row] for row in index.edge_row]
    assert [index.manifest.types[code] for code in index.node_type] == [node_type(number) for number in range(4)]


@pytest.mark.slow
def test_a_corrupted_index_is_refused(small: Path, tmp_path: Path) -> None:
    path = small / "target.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"corrupted, target\.npy has another checksum"):
        open_index(str(small), str(tmp_path / "local"), KG)
    path.unlink()
    with pytest.raises(ContractError, match=r"corrupted, target\.npy is missing"):
        open_index(str(small), str(tmp_path / "local"), KG)
    assert not any(each.is_dir() for each in (tmp_path / "local").iterdir())


@pytest.mark.slow
def test_a_stale_index_is_refused_and_one_of_another_format_too(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=f"is of graph {KG}, not fedcba9876543210"):
        open_index(str(small), str(tmp_path / "local"), "fedcba9876543210")
    manifest = json.loads((small / "manifest.json").read_text())
    (small / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    with pytest.raises(ContractError, match="has format 1, not 2"):
        open_index(str(small), str(tmp_path / "local"), KG)
    with pytest.raises(ContractError, match="no path index in"):
        open_index(str(tmp_path / "nowhere"), str(tmp_path / "local"), KG)


@pytest.mark.slow
def test_a_damaged_local_copy_is_made_again(small: Path, tmp_path: Path) -> None:
    first = open_index(str(small), str(tmp_path / "local"), KG)
    [copied] = (tmp_path / "local").glob("*/target.npy")
    copied.unlink()
    assert np.array_equal(open_index(str(small), str(tmp_path / "local"), KG).graph.target, first.graph.target)


@pytest.mark.slow
def test_a_graph_whose_numbers_are_no_ranks_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    nodes = spark.createDataFrame([(name(1), 0, "t"), (name(0), 1, "t")], "node_id string, number int, type string")
    edges = World(spark=spark, n=2, edges=[Edge(src=0, dst=1)], links=[]).edge_frame
    with pytest.raises(ContractError, match="not the rank of node_id"):
        build_index(nodes, edges, str(tmp_path / "lake"), kg_version=KG)
    fewer = nodes.selectExpr("node_id", "1 - number as number", "type").where("number = 0")
    with pytest.raises(ContractError, match="a dst is not among the nodes"):
        build_index(fewer, edges, str(tmp_path / "lake"), kg_version=KG)
    assert not (tmp_path / "lake").exists()
