"""chains, cases, questions, links, nodes, edges -> one row a question with all that its chains are held to.

Joins are by id and go by shuffle, so the graph is never sent whole to anybody; nothing depends on the order of rows or on
partitions.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

CASE = ("answer_key", "answer", "options", "pairs", "edges", "negatives", "kg_version")
QUESTION = ("question", "options", "answer")
LINK = ("side", "option_key", "node_id", "assertion")
EDGE = ("edge_id", "src", "dst", "relation", "phrase", "inverse_phrase", "symmetric", "kind", "polarity")
NAMED = ("node_id", "type", "names")
CHAIN = ("chain_id", "question_id", "arm", "evidence", "steps", "conclusion", "kg_version")


def gather(
    chains: DataFrame,
    cases: DataFrame,
    questions: DataFrame,
    links: DataFrame,
    nodes: DataFrame,
    *,
    known: DataFrame,
    more: Sequence[str] = (),
) -> DataFrame:
    """question_id, chains, case, asked, links, known, named: lists of structs, but for the structs `case` and `asked`.

    Args:
        chains: those that are to be looked at.
        cases: the table.
        questions: the table.
        links: the table.
        nodes: the table, for types and names.
        known: question_id and, as `known`, the rows of `edges` that its chains are held to.
        more: columns of `chains` beside CHAIN.
    """
    asked = chains.select(*CHAIN, *more)
    shown = cases.select("question_id", F.struct(*CASE).alias("case"))
    linked = links.join(asked.select("question_id").distinct(), "question_id", "left_semi")
    return (
        asked.groupBy("question_id").agg(F.collect_list(F.struct(*CHAIN, *more)).alias("chains"))
        .join(shown, "question_id", "left")
        .join(questions.select("question_id", F.struct(*QUESTION).alias("asked")), "question_id", "left")
        .join(_listed(linked, LINK, "links"), "question_id", "left")
        .join(known, "question_id", "left")
        .join(_names(asked, cases, linked, nodes), "question_id", "left")
    )  # fmt: skip


def shown_edges(chains: DataFrame, cases: DataFrame, edges: DataFrame) -> DataFrame:
    """question_id, known: the rows of `edges` that the question's case shows or its chains cite."""
    cited = chains.select("question_id", F.explode(_claims()["edge_id"]).alias("edge_id"))
    shown = cases.join(chains, "question_id", "left_semi")
    wanted = cited.union(shown.select("question_id", F.explode("edges.edge_id").alias("edge_id"))).distinct()
    return _listed(wanted.join(edges.select(*EDGE), "edge_id"), EDGE, "known")


def edges_between(chains: DataFrame, cases: DataFrame, edges: DataFrame, columns: tuple[str, ...]) -> DataFrame:
    """question_id, known: every row of `edges` between two nodes of the question's case, whether a path walks it or not.

    A node is met with all its edges before their other ends are looked up, so this costs the sum of the nodes' degrees.
    """
    shown = cases.join(chains, "question_id", "left_semi")
    ends = F.array_distinct(F.concat("edges.src", "edges.dst"))
    own = shown.select("question_id", F.explode(ends).alias("node_id"))
    begun = own.join(edges.select(*columns), F.col("node_id") == F.col("src")).drop("node_id")
    other = own.select("question_id", F.col("node_id").alias("dst"))
    return _listed(begun.join(other, ["question_id", "dst"], "left_semi"), columns, "known")


def _listed(frame: DataFrame, columns: tuple[str, ...], name: str) -> DataFrame:
    """question_id and its rows as a list."""
    return frame.groupBy("question_id").agg(F.collect_list(F.struct(*columns)).alias(name))


def _claims() -> Column:
    return F.flatten(F.transform("steps", lambda step: F.coalesce(step["edges"], F.array())))


def _names(chains: DataFrame, cases: DataFrame, links: DataFrame, nodes: DataFrame) -> DataFrame:
    """question_id, named: id, type and names of every node of the question's case, citations, links and step mentions."""
    claims = _claims()
    shown = cases.join(chains, "question_id", "left_semi")
    wanted = [
        chains.select("question_id", F.explode(claims["src"]).alias("node_id")),
        chains.select("question_id", F.explode(claims["dst"]).alias("node_id")),
        chains.select("question_id", F.explode(F.flatten("steps.mentions")).alias("node_id")),
        shown.select("question_id", F.explode("edges.src").alias("node_id")),
        shown.select("question_id", F.explode("edges.dst").alias("node_id")),
        links.select("question_id", "node_id"),
    ]
    ids = wanted[0]
    for more in wanted[1:]:
        ids = ids.union(more)
    spelled = F.concat(F.array("name"), F.coalesce("synonyms", F.array().cast("array<string>")))
    return _listed(
        ids.distinct().join(nodes.select("node_id", "type", spelled.alias("names")), "node_id"), NAMED, "named"
    )
