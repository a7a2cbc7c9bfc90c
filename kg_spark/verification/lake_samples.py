"""chains, cases, questions, links, nodes, edges of a lake -> samples, so that chains of one's own can be measured.

Read with delta-rs alone: no JVM is started for a measurement. The chains are those of the smallest ids, a random draw that
every run repeats. Nobody knows whether a model's chain is right, so a finding against one is not called a false alarm.
"""

from collections.abc import Collection, Iterable
from typing import Any

import pyarrow.compute as pc

from conf.lake import Lake
from kg_spark.verification.corpus import Sample
from kg_spark.verification.corpus_rows import Node, Row

TABLES = ("chains", "cases", "questions", "links", "nodes", "edges")
CHAINS = 300
"""Chains measured at most: 300 give a rate of 0.95 an interval of 0.05."""


def read_lake(lake: Lake) -> list[Sample]:
    """Samples of the lake's chains towards the answer; none where the lake has no chains."""
    if any(lake.commit(name) is None for name in TABLES):
        return []
    ids = _rows(lake, "chains", pc.field("arm") == "answer", ["chain_id"])
    chosen = sorted(row["chain_id"] for row in ids)[:CHAINS]
    chains = sorted(_where(lake, "chains", "chain_id", chosen), key=lambda row: str(row["chain_id"]))
    asked = {row["question_id"] for row in chains}
    cases = {row["question_id"]: row for row in _where(lake, "cases", "question_id", asked)}
    questions = {row["question_id"]: row for row in _where(lake, "questions", "question_id", asked)}
    links: dict[str, list[Row]] = {question: [] for question in asked}
    for row in _where(lake, "links", "question_id", asked):
        links[row["question_id"]].append(row)
    ends = {edge[end] for case in cases.values() for edge in case["edges"] for end in ("src", "dst")}
    named = ends | {row["node_id"] for rows in links.values() for row in rows}
    nodes = {row["node_id"]: _node(row) for row in _where(lake, "nodes", "node_id", named)}
    facts: dict[str, list[Row]] = {}
    for row in _rows(lake, "edges", pc.field("src").isin(list(ends)) & pc.field("dst").isin(list(ends))):
        facts.setdefault(row["src"], []).append(row)
    return [
        _sample(chain, cases[question], questions[question], links[question], nodes, facts)
        for chain in chains
        if (question := chain["question_id"]) in cases and question in questions
    ]


def _sample(
    chain: Row, case: Row, question: Row, links: list[Row], nodes: dict[str, Node], facts: dict[str, list[Row]]
) -> Sample:
    ends = {edge[end] for edge in case["edges"] for end in ("src", "dst")}
    own = ends | {link["node_id"] for link in links}
    return Sample(
        name=chain["chain_id"],
        part="lake",
        chain=chain,
        case=case,
        question=question,
        links=links,
        nodes={node: nodes[node] for node in sorted(own) if node in nodes},
        edges={row["edge_id"]: row for src in sorted(ends) for row in facts.get(src, ()) if row["dst"] in ends},
    )


def _node(row: Row) -> Node:
    return Node(node_id=row["node_id"], type=row["type"], names=(row["name"], *(row["synonyms"] or ())))


def _where(lake: Lake, table: str, column: str, values: Collection[str]) -> Iterable[Row]:
    return _rows(lake, table, pc.field(column).isin(list(values)))


def _rows(lake: Lake, table: str, condition: Any, columns: list[str] | None = None) -> list[Row]:
    opened = lake.open(table)
    assert opened is not None, table
    # Without threads: a process that has read a table by threads may abort as it ends.
    found = opened.to_pyarrow_dataset().to_table(filter=condition, columns=columns, use_threads=False)
    return found.to_pylist()  # type: ignore[no-any-return]
