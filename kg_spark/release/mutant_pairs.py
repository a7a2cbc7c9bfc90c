"""A released chain with what it is held to -> pairs that set it against copies of itself with one error planted.

Only mutants that are really wrong: one that is as true as its chain (kg_spark.verification.mutants) is in no pair, nor is one
that gives away what the release keeps back.
"""

from typing import Any

from conf.config import ReleaseConfig
from conf.identity import digest
from kg_spark.verification.corpus import Sample
from kg_spark.verification.corpus_rows import Node
from kg_spark.verification.mutant import Mutant
from kg_spark.verification.mutants import plant

Row = dict[str, Any]


def mutant_pairs(gathered: Row, config: ReleaseConfig) -> list[Row]:
    """Rows of `preference_pairs`: at most release.mutant_pairs a chain, chosen by the chain's id.

    Args:
        gathered: a row of kg_spark.verification.gather, of one chain with its `reasoning`, whose question may be printed;
            `known` holds every edge between the case's nodes, for a fact that no path walks may make a mutant true.
        config: release.
    """
    [chain] = gathered["chains"]
    found = [mutant for mutant in plant(_sample(gathered, chain), ()) if _may_pair(mutant, chain, config)]
    named = sorted(
        ((digest(chain["chain_id"], mutant.name), mutant.name, mutant.chain) for mutant in found),
        key=lambda each: each[:2],
    )
    return [
        {
            "pair_id": digest(chain["chain_id"], mutant_id, f"mutant:{name}"),
            "question_id": chain["question_id"],
            "chosen": chain["chain_id"],
            "rejected": mutant_id,
            "pair_kind": f"mutant:{name}",
            "chosen_text": chain["reasoning"],
            "rejected_text": mutant["reasoning"],
        }
        for mutant_id, name, mutant in named[: config.mutant_pairs]
    ]


def _may_pair(mutant: Mutant, chain: Row, config: ReleaseConfig) -> bool:
    """Whether it is wrong, reads otherwise than its chain, and cites nothing whose terms the release does not take."""
    if mutant.equivalent or mutant.chain["reasoning"] == chain["reasoning"]:
        return False
    return config.licence != "permissive" or _cited(mutant.chain) <= _cited(chain)


def _cited(chain: Row) -> set[str]:
    return {edge["edge_id"] for step in chain["steps"] for edge in step["edges"]}


def _sample(gathered: Row, chain: Row) -> Sample:
    nodes = [
        Node(node_id=node["node_id"], type=node["type"], names=tuple(filter(None, node["names"])))
        for node in gathered["named"] or ()
    ]
    # What Spark collects has no order, and every choice of a mutant is made from lists.
    return Sample(
        name=chain["chain_id"],
        part="lake",
        chain=chain,
        case=gathered["case"],
        question=gathered["asked"],
        links=sorted(gathered["links"] or (), key=lambda link: (link["side"], link["option_key"], link["node_id"])),
        nodes={node.node_id: node for node in sorted(nodes, key=lambda node: node.node_id)},
        edges={edge["edge_id"]: edge for edge in sorted(gathered["known"] or (), key=lambda edge: edge["edge_id"])},
    )
