"""The linker against gold: how it is scored, that the frozen half is the one that was frozen, and that its gate holds."""

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest

from conf.config import LinksConfig
from conf.outcome import ConfigError
from medreason_ray.linking.benchmark import by_linker, by_plain_names, read_graph, read_hard, read_stems, score
from medreason_ray.linking.linker import Linker
from medreason_ray.linking.scoring import GoldMention, Predicted, Score

DATA = Path(__file__).parents[3] / "shared" / "data"
FROZEN = "f277cc4e1ac50715a2592b14bf3dab10cd73f1ecc2d0f03fcbc37753e3dd457b"


def gold(start: int, *nodes: str, assertion: str = "present") -> GoldMention:
    return GoldMention(start=start, end=start + 5, assertion=assertion, nodes=frozenset(nodes))


def linked(start: int, node: str, assertion: str = "present") -> Predicted:
    return Predicted(start=start, end=start + 5, assertion=assertion, node=node, type="disease", method="exact")


def test_nodes_are_judged_by_text_and_spans_by_both_ends() -> None:
    total = Score()
    annotated = [gold(0, "A", "A2"), gold(9, "A2", "A3"), gold(20, "B"), gold(30), gold(40, "C", assertion="optional")]
    total.add(annotated, [linked(0, "A"), linked(10, "A3", "absent"), linked(40, "C"), linked(50, "D")])
    figures = total.summary()
    # A and A3 mean one thing, which is found; B is not; D is wrong, C counts neither way.
    assert (figures["node_precision"], figures["node_recall"]) == (0.6667, 0.5)
    assert (figures["mention_precision"], figures["mention_recall"]) == (0.3333, 0.25)
    assert figures["assertion_accuracy"] == 0.5


def test_the_frozen_half_is_the_one_that_was_frozen() -> None:
    content = (files("medreason_ray.linking") / "gold" / "frozen.jsonl").read_bytes()
    assert hashlib.sha256(content).hexdigest() == FROZEN


def test_a_folder_without_the_data_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hetionet-v1.0-nodes.tsv: No such file"):
        read_graph(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "hetionet").is_dir(), reason=f"the real graph is not at {DATA}")
def test_the_linker_keeps_its_gates() -> None:
    nodes = read_graph(DATA)
    find = by_linker(Linker(nodes, LinksConfig()))
    frozen = score(list(read_stems(DATA, "frozen")), find).summary()
    assert frozen["node_precision"] >= 0.85
    assert frozen["node_f1"] >= 0.75
    assert score(list(read_hard()), find).summary()["node_f1"] >= 0.90
    assert score(list(read_hard()), by_plain_names(nodes)).summary()["node_f1"] < 0.6
