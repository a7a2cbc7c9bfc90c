"""The learnt ranker's benchmark: its folds, its figures and what it refuses."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conf.identity import digest
from jobs.rank_benchmark import main
from kg_spark.paths.rank_data import GoldPair
from kg_spark.paths.rank_evaluation import splits
from kg_spark.paths.ranking import (
    FORMAT,
    load_model,
)

DRUGMECHDB = Path(os.environ.get("DRUGMECHDB", "../shared/data/drugmechdb"))


@pytest.mark.parametrize("scheme", ["drug", "disease", "both"])
def test_folds_share_no_drug_and_no_disease_and_test_each_pair_once(scheme):
    rng = np.random.default_rng(6)
    ends = {(int(a), int(b)) for a, b in rng.integers(0, 40, (300, 2))}
    pairs = [GoldPair(drug=a, disease=100 + b, paths=frozenset(), own=()) for a, b in sorted(ends)]
    tested: list[int] = []
    for test, train in splits(pairs, scheme, folds=4, seed=0):
        tested += test.tolist()
        for end in ("drug", "disease") if scheme == "both" else (scheme,):
            assert not {getattr(pairs[i], end) for i in test} & {getattr(pairs[i], end) for i in train}
    assert sorted(tested) == list(range(len(pairs)))


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("data=nowhere", "nowhere/nodes.tsv does not exist"),
        ("lern=true", "unknown key 'lern'"),
        ("folds=1", "folds must be at least 2"),
        ("folds=many", "folds"),
        ("seed=-1", "at least 0"),
        ("diversity=nan", "at least 0"),
        ("learn", "not key=value"),
        ("schemes=both", "say 'schemes=[both]'"),
    ],
)
def test_what_the_user_can_put_right_is_one_line(argument, told, capsys):
    code = main([argument])
    line = capsys.readouterr().err
    assert code == 2
    assert told in line
    assert line.count("\n") == 1


def mechanisms(folder: Path, chains: list[str]) -> None:
    """DrugMechDB's files of some gold paths, each written `D1 relation P1 relation X1`; a node's letter is its type."""
    types = {"D": "Drug", "P": "Protein", "A": "GrossAnatomicalStructure", "X": "Disease"}
    paths = [
        [
            [src, name.replace("_", " "), dst]
            for src, name, dst in zip(words[::2], words[1::2], words[2::2], strict=False)
        ]
        for words in map(str.split, chains)
    ]
    nodes = sorted({node for path in paths for src, _, dst in path for node in (src, dst)})
    tables = {
        "nodes.tsv": ["id\tname\ttype", *[f"{node}\t{node}\t{types[node[0]]}" for node in nodes]],
        "edges.tsv.gz": ["src\trelation\tdst", *["\t".join(link) for path in paths for link in path]],
        "gold_paths.jsonl.gz": [
            json.dumps({"drug_id": path[0][0], "disease_id": path[-1][2], "links": path}) for path in paths
        ],
    }
    for name, lines in tables.items():
        with (gzip.open if name.endswith(".gz") else open)(folder / name, "wt", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def test_what_the_pipelines_rules_and_defaults_cost_stands_beside_the_wide_search(tmp_path, capsys):
    mechanisms(
        tmp_path,
        [
            "D1 decreases_activity_of P1 causes X1",
            "D2 causes P2 causes P3 causes P4 causes P5 causes X2",  # five hops: beyond the defaults
            "D3 causes P6 occurs_in A1 causes X3",  # an edge that may not carry, inside the path
            "D4 located_in A2 location_of X4",  # two such edges at the ends, but they meet in what they share
        ],
    )
    assert main([f"data={tmp_path}"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert shown["reachable"] == shown["hit_at_1"] == 1.0
    shares = {"clinical": 0.5, "defaults": 0.25}
    assert {name: one["reachable"] for name, one in shown["searches"].items()} == shares
    for ranker in ("shipped", "path_degree_product", "shortest"):
        assert {name: one["rankers"][ranker]["hit_at_1"] for name, one in shown["searches"].items()} == shares


def test_an_edge_that_ends_nowhere_is_one_line(tmp_path, capsys):
    mechanisms(tmp_path, ["D1 causes P1 causes X1"])
    rows = (tmp_path / "nodes.tsv").read_text().splitlines()
    (tmp_path / "nodes.tsv").write_text("\n".join(row for row in rows if not row.startswith("P1")) + "\n")
    assert main([f"data={tmp_path}"]) == 2
    line = capsys.readouterr().err
    assert "edges.tsv.gz: 1 ends are not in nodes.tsv, the first is 'P1'" in line
    assert line.count("\n") == 1


def test_noise_that_has_nothing_to_add_is_one_line(tmp_path, capsys):
    mechanisms(tmp_path, ["D1 causes P1 causes X1"])
    assert main([f"data={tmp_path}", "noise=3"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("rank_benchmark: noise=3 adds no edge")
    assert line.count("\n") == 1


def test_a_pair_that_the_ranker_has_learnt_from_is_known_again_in_another_file(tmp_path, capsys):
    mechanisms(tmp_path, ["D1 causes P1 causes X1", "D2 causes P2 causes X2"])
    seen = digest("D1", "X1")[:8]
    made = {"version": "1", "gold_sha256": "of a larger file", "pairs_seen": [seen, "ffffffff"]}
    (tmp_path / "ranker.json").write_text(json.dumps({"format": FORMAT, "made": made, "measures": {}, "patterns": {}}))
    assert main([f"data={tmp_path}", f"model={tmp_path / 'ranker.json'}"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["shipped_has_seen"] == 0.5
    assert "learnt from 50.0% of these pairs" in out


def test_a_folder_that_is_not_there_to_write_to_is_told_before_anything_is_learnt(capsys):
    assert main(["learn=true", "write=nowhere/ranker.json"]) == 2
    assert capsys.readouterr().err.startswith("rank_benchmark: nowhere does not exist")


@pytest.mark.slow
@pytest.mark.skipif(not DRUGMECHDB.is_dir(), reason="DrugMechDB is not there (DRUGMECHDB=folder)")
def test_the_benchmark_ends_with_its_figures_in_json():
    command = [sys.executable, "-m", "jobs.rank_benchmark", f"data={DRUGMECHDB}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    strict = load_model()["made"]["figures"]["learnt_both"]
    assert figures["rankers"]["shipped"] == {name: figures[name] for name in figures["rankers"]["shipped"]}
    assert figures["hit_at_10"] > figures["rankers"]["path_degree_product"]["hit_at_10"]
    assert strict["hit_at_10"] >= 0.65
    assert strict["hit_at_50"] >= 0.78
    assert strict["mrr"] >= 0.42
