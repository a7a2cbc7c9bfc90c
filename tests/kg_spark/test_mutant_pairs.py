"""A released chain is set against copies of itself that are wrong, the same ones wherever its rows come from. No Spark."""

import random
from typing import Any

import pytest

from conf.config import ReleaseConfig
from kg_spark.release.mutant_pairs import mutant_pairs
from kg_spark.verification.corpus import Sample, read
from kg_spark.verification.mutants import STRUCTURAL, TEXT_ONLY

MANY = 100


def gathered(sample: Sample, seed: int = 0) -> dict[str, Any]:
    """The sample as kg_spark.verification.gather brings it together, its lists in an order of no meaning."""
    named = [{"node_id": node.node_id, "type": node.type, "names": list(node.names)} for node in sample.nodes.values()]
    lists = {"named": named, "known": list(sample.edges.values()), "links": list(sample.links)}
    for each in lists.values():
        random.Random(seed).shuffle(each)
    return {"chains": [sample.chain], "case": sample.case, "asked": sample.question, **lists}


@pytest.mark.parametrize("number", range(0, 90, 15))
def test_pairs_are_wrong_copies_of_the_chain_told_by_their_kind(number):
    sample = read("dev")[number]
    pairs = mutant_pairs(gathered(sample), ReleaseConfig(mutant_pairs=MANY))
    kinds = {pair["pair_kind"].removeprefix("mutant:").removesuffix("_in_text") for pair in pairs}
    assert len(pairs) > 3
    assert kinds <= {*STRUCTURAL, *TEXT_ONLY} - {"other_question"}
    assert {pair["chosen"] for pair in pairs} == {sample.chain["chain_id"]}
    assert all(pair["rejected_text"] != pair["chosen_text"] == sample.chain["reasoning"] for pair in pairs)
    assert len({pair["pair_id"] for pair in pairs}) == len({pair["rejected"] for pair in pairs}) == len(pairs)


def test_neither_the_order_of_what_spark_collects_nor_the_number_asked_for_changes_a_pair():
    sample = read("dev")[3]
    every = mutant_pairs(gathered(sample), ReleaseConfig(mutant_pairs=MANY))
    assert mutant_pairs(gathered(sample, seed=1), ReleaseConfig(mutant_pairs=MANY)) == every
    assert mutant_pairs(gathered(sample, seed=2), ReleaseConfig(mutant_pairs=2)) == every[:2]


def test_a_permissive_release_cites_no_further_edge_in_a_pair():
    taken = [
        {
            pair["pair_kind"]
            for pair in mutant_pairs(gathered(read("dev")[3]), ReleaseConfig(mutant_pairs=MANY, licence=licence))
        }
        for licence in ("permissive", "any")
    ]
    assert taken[0] < taken[1]
    assert not taken[0] & {
        "mutant:swap_relation",
        "mutant:reverse_edge",
        "mutant:same_type_node",
        "mutant:invented_node",
    }
