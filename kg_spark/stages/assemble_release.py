"""questions, cases, chains, verdicts, edges -> checks, release: every cited edge looked up, what holds is released.

A step that claims `kg` support is grounded when every edge it cites stands in `edges` as claimed (id, ends, relation)
and on a path of this question's own case. A chain with one ungrounded step, or without any citation, is not released. A
path is not yet evidence: that the edges exist is all that is checked here.

Of several chains of a question the best is released: one that was answered right blind before one that was not asked, before
one that was answered wrong; then the better grounded; then the first. Where all that were asked were answered wrong, none is.

Source: MedReason (arXiv:2504.00993) drops what is answered wrong blind.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.outcome import Outcome, Reason
from conf.tables import RELEASE
from kg_spark import columns

_UNKNOWN = "unknown"


def run(questions: DataFrame, cases: DataFrame, chains: DataFrame, verdicts: DataFrame, edges: DataFrame) -> Outcome:
    """Check every chain and release the sound ones.

    Args:
        questions: the table.
        cases: the table.
        chains: the table; its questions are the units.
        verdicts: the table.
        edges: the table.
    """
    cited = _cited(chains, cases, edges).persist()
    checks = _checks(chains, cited).persist()
    judged = _best(chains, checks, verdicts).persist()
    reason = (
        F.when(F.expr("grounded is null"), Reason.NO_CITATION.name)
        .when(F.expr("grounded < 1"), Reason.UNGROUNDED.name)
        .when(F.expr("agrees <=> false"), Reason.WRONG_BLIND.name)
    )
    sound = judged.where(reason.isNull())
    release = columns.conform(_rows(sound, questions, cases, verdicts, cited), RELEASE).persist()
    lost = judged.where(reason.isNotNull()).select(
        F.lit("question").alias("entity"),
        F.col("question_id").alias("key"),
        reason.alias("reason"),
        F.concat_ws(" ", F.array("chain_id"), "bad_edges").alias("detail"),
    )
    return Outcome(
        tables={"checks": checks, "release": release},
        units_in=chains.select("question_id").distinct().count(),
        rejects=lost,
        facts={"release_digest": columns.content_digest(release, RELEASE.stable_columns)},
    )


def _best(chains: DataFrame, checks: DataFrame, verdicts: DataFrame) -> DataFrame:
    """One chain a question with its checks and `agrees`, the verdict of the arm `chain` (null: not judged)."""
    blind = verdicts.where("arm = 'chain'").select("chain_id", "agrees")
    order = Window.partitionBy("question_id").orderBy(
        F.expr("case when agrees then 0 when agrees is null then 1 else 2 end"),
        F.desc_nulls_last("grounded"),
        "sample",
        "chain_id",
    )
    found = chains.where("arm = 'answer'").join(checks, "chain_id").join(blind, "chain_id", "left")
    return found.withColumn("place", F.row_number().over(order)).where("place = 1")


def _cited(chains: DataFrame, cases: DataFrame, edges: DataFrame) -> DataFrame:
    """chain_id, question_id, step, edge_id, path_id, holds, and the edge's sources and licence: one row a citation."""
    steps = chains.select("chain_id", "question_id", F.posexplode("steps").alias("step", "said")).where(
        "said.support = 'kg'"
    )
    claims = steps.select("chain_id", "question_id", "step", F.explode("said.edges").alias("claim"))
    claims = claims.select("chain_id", "question_id", "step", "claim.*")
    in_case = cases.select("question_id", "edges", F.explode(F.flatten("pairs.paths")).alias("path"))
    step = F.explode(F.flatten("path.steps")).alias("number")
    shown = in_case.select("question_id", "edges", F.col("path.path_id").alias("path_id"), step)
    shown = shown.select("question_id", "path_id", F.col("edges")[F.col("number")]["edge_id"].alias("edge_id"))
    shown = shown.distinct().withColumn("in_case", F.lit(True))
    real = edges.select(
        "edge_id", F.col("src").alias("r_src"), F.col("relation").alias("r_relation"), F.col("dst").alias("r_dst"),
        "sources", "licence",
    )  # fmt: skip
    joined = claims.join(real, "edge_id", "left").join(shown, ["question_id", "path_id", "edge_id"], "left")
    same = (
        (F.col("src") == F.col("r_src")) & (F.col("relation") == F.col("r_relation")) & (F.col("dst") == F.col("r_dst"))
    )
    holds = F.coalesce(same & F.col("in_case"), F.lit(False))
    return joined.withColumn("holds", holds)


def _checks(chains: DataFrame, cited: DataFrame) -> DataFrame:
    """The row of `checks` of every chain."""
    supports = F.col("steps.support")
    total = F.size("steps")
    shares = chains.select(
        "chain_id",
        (_count(supports, "kg") / total).alias("cited_share"),
        (_count(supports, "background") / total).alias("background_share"),
        _count(supports, "kg").alias("kg_steps"),
    )
    by_step = cited.groupBy("chain_id", "step").agg(F.min("holds").alias("holds"))
    sound = by_step.groupBy("chain_id").agg(F.count_if("holds").alias("sound_steps"))
    bad = cited.where("not holds").groupBy("chain_id").agg(F.array_sort(F.collect_set("edge_id")).alias("bad_edges"))
    joined = shares.join(sound, "chain_id", "left").join(bad, "chain_id", "left")
    return joined.select(
        "chain_id",
        "cited_share",
        "background_share",
        F.when(F.col("kg_steps") > 0, F.coalesce("sound_steps", F.lit(0)) / F.col("kg_steps")).alias("grounded"),
        F.coalesce("bad_edges", F.array().cast("array<string>")).alias("bad_edges"),
    )


def _count(supports: Column, kind: str) -> Column:
    return F.size(F.filter(supports, lambda support: support == kind))


def _rows(sound: DataFrame, questions: DataFrame, cases: DataFrame, verdicts: DataFrame, cited: DataFrame) -> DataFrame:
    """The columns of `release`."""
    asked = questions.select(
        F.col("question_id"),
        F.col("dataset").alias("dataset_name"),
        "id_in_dataset",
        "question",
        "answer",
        _printed("options").alias("options"),
        F.col("licence").alias("question_licence"),
    )
    case = cases.select("question_id", "answer_margin", "pairs", F.col("edges").alias("shown"))
    origin = cited.groupBy("chain_id").agg(
        F.array_sort(F.array_distinct(F.flatten(F.collect_list("sources")))).alias("sources"),
        F.collect_set(F.coalesce("licence", F.lit(_UNKNOWN))).alias("edge_licences"),
    )
    judge = verdicts.where("arm = 'chain'").select("chain_id", "judge_model")
    joined = sound.join(asked, "question_id").join(case, "question_id").join(origin, "chain_id", "left")
    joined = joined.join(judge, "chain_id", "left")
    own = F.array(F.coalesce("question_licence", F.lit(_UNKNOWN)))
    return joined.select(
        *[F.col(name) for name in joined.columns if name not in {"evidence", "sources"}],
        _evidence().alias("evidence"),
        F.coalesce("sources", F.array().cast("array<string>")).alias("sources"),
        F.array_sort(F.array_union(own, F.coalesce("edge_licences", F.array().cast("array<string>")))).alias(
            "licences"
        ),
        F.lit("loose").alias("tier"),
    )


def _printed(name: str) -> Column:
    """MedReason's options: a heading and a line an option; empty for an open question."""
    lines = F.transform(name, lambda option: F.concat(option["key"], F.lit(". "), option["text"]))
    return F.when(F.size(name) == 0, F.lit("")).otherwise(
        F.concat(F.lit("Answer Choices:\n"), F.array_join(lines, "\n"))
    )


def _evidence() -> Column:
    """The cited paths as text, with the edge ids of each step, in the order in which the case shows them."""
    paths = F.filter(F.flatten("pairs.paths"), lambda path: F.array_contains(F.col("evidence"), path["path_id"]))
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
