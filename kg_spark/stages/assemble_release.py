"""questions, screened, cases, chains, verdicts, checks, links, nodes, edges -> release, preference_pairs: what holds.

Spark brings together all that is known of a question; what becomes of it is decided in plain Python, a question at a time
(kg_spark.release), so that every rule of it is tried without Spark.

Source: MedReason (arXiv:2504.00993) drops what is answered wrong blind.
"""

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.config import ReleaseConfig
from conf.outcome import Outcome
from conf.tables import PREFERENCE_PAIRS, RELEASE
from kg_spark.columns import content_digest, struct_type
from kg_spark.first_rows import first_rows
from kg_spark.release.mutant_pairs import mutant_pairs
from kg_spark.release.settle import settle
from kg_spark.verification.gather import EDGE, edges_between, gather

_SETTLED = pa.schema(
    [
        pa.field("question_id", pa.string()),
        pa.field("release", pa.struct(list(RELEASE.schema))),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("pairs", pa.list_(pa.struct(list(PREFERENCE_PAIRS.schema)))),
    ]
)
_ASKED = (
    "question_id", "dataset", "id_in_dataset", "question", "options", "answer_key", "answer", "licence", "is_test_set",
)  # fmt: skip
_ROWS_AT_ONCE = 256  # of some 20 kB, as Python objects ten times that
_NO_IDS = "array<string>"
_EDGE = (*EDGE, "display_relation", "predicate")


def run(
    questions: DataFrame,
    screened: DataFrame,
    cases: DataFrame,
    chains: DataFrame,
    verdicts: DataFrame,
    checks: DataFrame,
    links: DataFrame,
    nodes: DataFrame,
    edges: DataFrame,
    *,
    config: ReleaseConfig,
    taken: str = "",
) -> Outcome:
    """Release the sound chains, one a question.

    Args:
        questions: the table.
        screened: the table.
        cases: the table.
        chains: the table; its questions are the units.
        verdicts: the table.
        checks: the table.
        links: the table; like nodes for mutants alone.
        nodes: the table.
        edges: the table.
        config: release.
        taken: cases that chains were asked for; kept in the commit for the next round (conf.rounds).
    """
    asked = _asked(questions, screened, cases)
    asked = asked.join(_chains(chains, cases, verdicts, checks, edges), "question_id")
    persuaded = verdicts.where("arm = 'foil'").groupBy("question_id").agg(F.max("persuaded").alias("foil_persuaded"))
    asked = asked.join(persuaded, "question_id", "left")
    settled = asked.mapInArrow(_settler(config), struct_type(_SETTLED)).persist()
    first = first_rows(settled.where("release is not null"), config.target_rows, taken)
    release = first.rows.select("release.*").persist()
    pairs = first.rows.select(F.inline("pairs"))
    if config.mutant_pairs:
        shown = release.where("question is not null").select("chain_id")
        chosen = chains.join(shown, "chain_id", "left_semi")
        known = edges_between(chosen, cases, edges, _EDGE)
        gathered = gather(chosen, cases, questions, links, nodes, known=known, more=("reasoning",))
        pairs = pairs.unionByName(gathered.mapInArrow(_mutants(config), struct_type(PREFERENCE_PAIRS.schema)))
    lost = settled.where("reason is not null").select(
        F.lit("question").alias("entity"), F.col("question_id").alias("key"), "reason", "detail"
    )
    return Outcome(
        tables={"release": release, "preference_pairs": pairs},
        units_in=chains.select("question_id").distinct().count(),
        rejects=lost.unionByName(first.rejects),
        facts={"release_digest": content_digest(release, RELEASE.stable_columns), **first.facts},
    )


def _settler(config: ReleaseConfig) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def settled(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                rows = [settle(_whole(row), config) for row in batch.slice(start, _ROWS_AT_ONCE).to_pylist()]
                yield pa.RecordBatch.from_pylist(rows, schema=_SETTLED)

    return settled


def _mutants(config: ReleaseConfig) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def paired(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                rows = batch.slice(start, _ROWS_AT_ONCE).to_pylist()
                pairs = [pair for row in rows for pair in mutant_pairs(row, config)]
                yield pa.RecordBatch.from_pylist(pairs, schema=PREFERENCE_PAIRS.schema)

    return paired


def _whole(row: dict[str, object]) -> dict[str, object]:
    """The row with an empty list where a join found nothing."""
    return row | {name: row[name] or [] for name in ("flags", "options")}


def _asked(questions: DataFrame, screened: DataFrame, cases: DataFrame) -> DataFrame:
    """What is known of a question apart from its chains."""
    return (
        questions.select(*_ASKED)
        .join(screened.select("question_id", "answer_coverage"), "question_id")
        .join(cases.select("question_id", "flags", "answer_margin", "kg_version"), "question_id")
    )


def _chains(chains: DataFrame, cases: DataFrame, verdicts: DataFrame, checks: DataFrame, edges: DataFrame) -> DataFrame:
    """question_id, chains: each chain towards the answer with its checks, verdicts and the edges that it shows."""
    arms = verdicts.groupBy("chain_id").agg(
        *[F.max(F.when(F.col("arm") == arm, F.col("agrees"))).alias(arm) for arm in ("closed_book", "chain", "masked")],
        *[
            F.max(F.when(F.col("agrees").isNotNull(), F.col(name))).alias(name)
            for name in ("judge_model", "same_model")
        ],
    )
    shown = cases.select("question_id", F.flatten("pairs.paths").alias("paths"), F.col("edges").alias("shown"))
    own = chains.where("arm = 'answer'").join(shown, "question_id", "left")
    own = own.withColumn("walked", _evidence()).drop("paths", "shown").withColumn("cited", _cited()).persist()
    known = own.join(checks.drop("question_id", "arm"), "chain_id").join(arms, "chain_id", "left")
    known = known.join(_terms(own, edges), "chain_id", "left")
    chain = F.struct(
        "chain_id", "sample", "reasoning", "model", "prompt_hash", "kg_version",
        F.size("steps").alias("steps"),
        _quotes().alias("quotes"),
        F.col("walked").alias("evidence"),
        "cited_share", "background_share", "grounded", "bad_edges",
        F.coalesce("flags", F.array().cast(_NO_IDS)).alias("flags"),
        "findings", "closed_book", "chain", "masked", "judge_model", "same_model",
        F.coalesce("edges", F.array().cast("array<struct<edge_id:string,sources:array<string>,licence:string>>")).alias("edges"),
    )  # fmt: skip
    return known.groupBy("question_id").agg(F.collect_list(chain).alias("chains"))


def _evidence() -> Column:
    """The cited paths as text, with the edge ids of each step, in the order in which the case shows them."""
    paths = F.filter("paths", lambda path: F.array_contains(F.col("evidence"), path["path_id"]))
    listed = F.transform(
        paths,
        lambda path: F.struct(
            path["text"].alias("text"),
            F.transform(
                path["steps"], lambda step: F.transform(step, lambda number: F.col("shown")[number]["edge_id"])
            ).alias("edge_ids"),
        ),
    )
    return F.array_distinct(listed)


def _cited() -> Column:
    """Ids of the edges that the chain cites, or shows on its paths: all of them are given away with it."""
    claimed = F.flatten("steps.edges")["edge_id"]
    walked = F.flatten(F.flatten("walked.edge_ids"))
    return F.array_union(F.coalesce(claimed, F.array().cast(_NO_IDS)), F.coalesce(walked, F.array().cast(_NO_IDS)))


def _quotes() -> Column:
    """Where the steps quote the question: step from 1, characters from 0."""
    told = F.transform(
        "steps",
        lambda step, place: F.struct(
            (place + 1).cast("int").alias("step"),
            step["quote"]["start"].alias("start"),
            step["quote"]["end"].alias("end"),
        ),
    )
    return F.filter(told, lambda each: each["start"].isNotNull())


def _terms(own: DataFrame, edges: DataFrame) -> DataFrame:
    """chain_id, edges: id, sources and licence of each edge that the chain shows; nulls where the graph has no such edge."""
    shown = own.select("chain_id", F.explode("cited").alias("edge_id"))
    stated = shown.join(edges.select("edge_id", "sources", "licence"), "edge_id", "left")
    edge = F.struct("edge_id", "sources", "licence")
    return stated.groupBy("chain_id").agg(F.array_sort(F.collect_list(edge)).alias("edges"))
