"""chains, cases, questions, links, nodes, edges -> checks: what can be shown of a chain without a model.

What a question's chains are held to is brought together in one row a question (its case, its links, the edges that are shown
or cited, the names of their nodes), and Python workers check its chains there (kg_spark.verification.gather, check).
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from conf.outcome import Outcome
from conf.tables import CHECKS
from kg_spark.columns import struct_type
from kg_spark.verification.check import Context, check
from kg_spark.verification.gather import CASE, QUESTION, gather, shown_edges

_ROWS_AT_ONCE = 64
"""Questions held as Python objects at a time: some 100 kB each."""


def run(
    chains: DataFrame,
    cases: DataFrame,
    questions: DataFrame,
    links: DataFrame,
    nodes: DataFrame,
    edges: DataFrame,
    *,
    kg_version: str,
    max_steps: int,
) -> Outcome:
    """Check every chain; none is rejected here.

    Args:
        chains: the table; its rows are the units.
        cases: the table.
        questions: the table.
        links: the table.
        nodes: the table, for names.
        edges: the table.
        kg_version: of nodes and edges.
        max_steps: steps that a chain could be asked for.
    """
    rows = gather(chains, cases, questions, links, nodes, known=shown_edges(chains, cases, edges))
    checks = rows.mapInArrow(
        partial(_check_batches, kg_version=kg_version, max_steps=max_steps), struct_type(CHECKS.schema)
    )
    return Outcome(tables={"checks": checks}, units_in=chains.count())


def _check_batches(batches: Iterator[pa.RecordBatch], *, kg_version: str, max_steps: int) -> Iterator[pa.RecordBatch]:
    """The rows of `checks` of the chains of each row."""
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
            rows = batch.slice(start, _ROWS_AT_ONCE).to_pylist()
            checked = [each for row in rows for each in _checked(row, kg_version, max_steps)]
            yield pa.RecordBatch.from_pylist(checked, schema=CHECKS.schema)


def _checked(row: dict[str, Any], kg_version: str, max_steps: int) -> Iterator[dict[str, Any]]:
    context = Context(
        case=row["case"] or dict.fromkeys(CASE),
        question=row["asked"] or dict.fromkeys(QUESTION),
        links=row["links"] or [],
        names={node["node_id"]: tuple(filter(None, node["names"])) for node in row["named"] or ()},
        edges={edge["edge_id"]: edge for edge in row["known"] or ()},
        kg_version=kg_version,
        max_steps=max_steps,
    )
    for chain in row["chains"]:
        yield check(chain, context)
