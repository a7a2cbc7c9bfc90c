"""screened, questions, links, paths, nodes, edges -> cases: one row a question with all that a model is shown.

Ray streams this table and never joins, so names, phrases and sentences are written out here. An edge that several paths
walk stands once, in `edges`, and the paths number it: with 120 paths a row stays under 30 kB.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.config import CasesConfig
from conf.outcome import Outcome, Reason
from conf.tables import CASES
from kg_spark.columns import struct_type
from kg_spark.stages.find_paths import NEGATIVE

_PAIR = ("side", "option_key", "source", "target")
_NAME_CHARS = 100  # a longer synonym is a formula that no chain writes out; a node may have hundreds


def run(
    screened: DataFrame,
    questions: DataFrame,
    links: DataFrame,
    paths: DataFrame,
    nodes: DataFrame,
    edges: DataFrame,
    *,
    config: CasesConfig,
) -> Outcome:
    """Write the cases.

    Args:
        screened: the table; its questions are the units.
        questions: the table.
        links: the table; what it says is absent or a relative's is told beside the paths, the answer's names for masking.
        paths: the table.
        nodes: the table, for names.
        edges: the table, for phrases.
        config: cases.
    """
    shown = _shown(paths, config).persist()
    numbered = _numbered(_steps(shown), _sentences(nodes, edges)).persist()
    pairs = _pairs(shown, numbered, nodes)
    asked = screened.join(questions.drop("flags"), "question_id")
    with_paths = (
        asked.join(pairs, "question_id").join(_edges(numbered), "question_id").join(_best(paths), "question_id")
    )
    with_paths = with_paths.join(_negatives(links, nodes), "question_id", "left")
    with_paths = with_paths.join(_answer_names(links, nodes), "question_id", "left").withColumns(
        {name: _filled(name) for name in ("negatives", "answer_names")}
    )
    open_question = F.size("options") == 0
    own_best = F.col("best_answer")
    margin = F.when(~open_question, F.coalesce(own_best - F.col("best_option"), own_best))
    alone = ~open_question & F.col("best_option").isNull()
    flags = F.when(alone, F.array_union("flags", F.array(F.lit("NO_RIVAL")))).otherwise(F.col("flags"))
    cases = with_paths.withColumn("answer_margin", margin).withColumn("flags", F.array_sort(flags)).persist()
    lost = asked.join(cases.select("question_id"), "question_id", "left_anti")
    return Outcome(
        tables={"cases": cases},
        units_in=screened.count(),
        rejects=lost.select(
            F.lit("question").alias("entity"),
            F.col("question_id").alias("key"),
            F.lit(Reason.NO_CASE.name).alias("reason"),
            F.substring("answer", 1, 200).alias("detail"),
        ),
    )


def _negatives(links: DataFrame, nodes: DataFrame) -> DataFrame:
    """question_id, negatives: the names of what the question denies or ascribes to relatives, in order."""
    denied = links.where(F.col("side") == "question").where(F.col("assertion").isin(*NEGATIVE))
    named = denied.join(nodes.select("node_id", "name"), "node_id")
    return named.groupBy("question_id").agg(
        F.array_sort(F.collect_set(F.struct("name", "assertion"))).alias("negatives")
    )


def _answer_names(links: DataFrame, nodes: DataFrame) -> DataFrame:
    """question_id, answer_names: all names of the nodes that the answer is linked to, sorted; what a reader may not see."""
    bears = F.filter(
        F.coalesce("synonyms", F.array().cast("array<string>")), lambda name: F.length(name) <= _NAME_CHARS
    )
    named = nodes.select("node_id", F.explode(F.array_union(F.array("name"), bears)).alias("name"))
    of_answer = links.where(F.col("side") == "answer").select("question_id", "node_id").join(named, "node_id")
    return of_answer.groupBy("question_id").agg(F.array_sort(F.collect_set("name")).alias("answer_names"))


def _filled(name: str) -> Column:
    """A list of the case, empty where there is nothing to list."""
    return F.coalesce(name, F.array().cast(struct_type(CASES.schema)[name].dataType))


def _best(paths: DataFrame) -> DataFrame:
    """Best score to the answer, and to any other option (null where none has a path); only questions with the former."""
    first = F.get("paths", F.lit(0))["score"]
    best = paths.groupBy("question_id").agg(
        F.max(F.when(F.col("side") == "answer", first)).alias("best_answer"),
        F.max(F.when(F.col("side") == "option", first)).alias("best_option"),
        F.first("kg_version").alias("kg_version"),
    )
    return best.where("best_answer is not null")


def _shown(paths: DataFrame, config: CasesConfig) -> DataFrame:
    """The paths that a case shows, one a row, numbered by `place`: the answer's first, then as the ranker put them.

    Each pair's best comes before any pair's second, so that `max_paths` cuts the tails; learnt scores of two pairs are too
    little alike to let one pair's second pass another's best. A quarter of the places is for the other options' paths where
    there are so many: a foil is written from them, and what has many paths to its answer needs one as well.
    """
    each = paths.select("question_id", *_PAIR, F.explode("paths").alias("path")).where(
        F.col("path.rank") <= config.paths_per_pair
    )
    ranked = (
        F.col("path.rank"),
        F.col("path.score").desc(),
        F.col("path.cost"),
        F.col("path.hops"),
        F.col("path.nodes"),
        *_PAIR[1:],
    )
    question = Window.partitionBy("question_id")
    of_options = F.count(F.when(F.col("side") == "option", 1)).over(question)
    most_of_options = F.least(of_options, F.lit(config.max_paths // 4))
    of_answer = F.least(
        F.count(F.when(F.col("side") == "answer", 1)).over(question), config.max_paths - most_of_options
    )
    most = F.when(F.col("side") == "answer", of_answer).otherwise(config.max_paths - of_answer)
    in_side = Window.partitionBy("question_id", "side").orderBy(*ranked)
    kept = each.withColumn("most", most).withColumn("number", F.row_number().over(in_side)).where("number <= most")
    return kept.withColumn("place", F.row_number().over(question.orderBy("side", *ranked))).drop("most", "number")


def _steps(shown: DataFrame) -> DataFrame:
    """question_id, place, hop, pos, edge_id, forward, right: each edge of each step, with the node it leads to."""
    length = F.size("path.edges")
    step = F.arrays_zip(
        F.col("path.edges").alias("edges"),
        F.col("path.forward").alias("forward"),
        F.slice("path.nodes", F.lit(2), length).alias("right"),
    )
    hops = shown.select("question_id", "place", F.posexplode(step).alias("hop", "step"))
    each = F.posexplode(F.arrays_zip(F.col("step.edges").alias("edge_id"), F.col("step.forward").alias("forward")))
    spread = hops.select("question_id", "place", "hop", F.col("step.right").alias("right"), each.alias("pos", "edge"))
    return spread.select("question_id", "place", "hop", "right", "pos", "edge.edge_id", "edge.forward")


def _sentences(nodes: DataFrame, edges: DataFrame) -> DataFrame:
    """Each edge with its phrases and the sentence that states it in its own direction."""
    name = nodes.select("node_id", "name")
    src = name.select(F.col("node_id").alias("src"), F.col("name").alias("src_name"))
    dst = name.select(F.col("node_id").alias("dst"), F.col("name").alias("dst_name"))
    named = edges.join(src, "src").join(dst, "dst")
    sentence = F.concat("src_name", F.lit(" "), "phrase", F.lit(" "), "dst_name", F.lit("."))
    return named.select(
        "edge_id",
        "src",
        "relation",
        "dst",
        "phrase",
        "inverse_phrase",
        "src_name",
        "dst_name",
        sentence.alias("sentence"),
    )


def _numbered(steps: DataFrame, sentences: DataFrame) -> DataFrame:
    """Steps with their edge's words, and `number`: the edge's place in the case, best path first."""
    first = steps.groupBy("question_id", "edge_id").agg(F.min(F.struct("place", "hop", "pos")).alias("first"))
    order = Window.partitionBy("question_id").orderBy("first")
    number = first.withColumn("number", F.row_number().over(order) - 1).select("question_id", "edge_id", "number")
    return steps.join(number, ["question_id", "edge_id"]).join(sentences, "edge_id")


def _edges(numbered: DataFrame) -> DataFrame:
    """question_id, edges: every edge of the case once, in order of its number."""
    once = numbered.dropDuplicates(["question_id", "number"])
    edge = F.struct("number", "edge_id", "src", "relation", "dst", "sentence")
    listed = once.groupBy("question_id").agg(F.array_sort(F.collect_list(edge)).alias("edges"))
    kept = F.transform(
        "edges", lambda e: F.struct(*[e[c].alias(c) for c in ("edge_id", "src", "relation", "dst", "sentence")])
    )
    return listed.select("question_id", kept.alias("edges"))


def _pairs(shown: DataFrame, numbered: DataFrame, nodes: DataFrame) -> DataFrame:
    """question_id, pairs: the answer's pairs first, each with its paths as text, best first."""
    words = F.when(F.col("forward"), F.col("phrase")).otherwise(F.col("inverse_phrase"))
    right = F.when(F.col("right") == F.col("dst"), F.col("dst_name")).otherwise(F.col("src_name"))
    said = numbered.withColumn("words", words).withColumn("right_name", right)
    hops = said.groupBy("question_id", "place", "hop").agg(
        F.array_sort(F.collect_list(F.struct("pos", "number", "words"))).alias("edges"),
        F.min("right_name").alias("right_name"),
    )
    phrases = F.array_join(F.array_distinct(F.col("edges.words")), "; ")
    text = F.concat(F.lit(" -["), phrases, F.lit("]-> "), "right_name")
    steps = hops.select(
        "question_id", "place", F.struct("hop", F.col("edges.number").alias("numbers"), text.alias("text")).alias("s")
    )
    walked = steps.groupBy("question_id", "place").agg(F.array_sort(F.collect_list("s")).alias("s"))
    start = nodes.select(F.col("node_id").alias("source"), F.col("name").alias("start"))
    named = shown.join(start, "source").join(walked, ["question_id", "place"])
    path = F.struct(
        "place",
        F.col("path.path_id").alias("path_id"),
        F.concat("start", F.array_join(F.col("s.text"), "")).alias("text"),
        F.col("path.hops").alias("hops"),
        F.col("path.cost").alias("cost"),
        F.col("s.numbers").alias("steps"),
    )
    by_pair = named.groupBy("question_id", *_PAIR).agg(F.array_sort(F.collect_list(path)).alias("paths"))
    pair = F.struct(F.col("paths")[0]["place"].alias("place"), *_PAIR, _without_place("paths").alias("paths"))
    listed = by_pair.groupBy("question_id").agg(F.array_sort(F.collect_list(pair)).alias("pairs"))
    kept = F.transform("pairs", lambda p: F.struct(*[p[c].alias(c) for c in (*_PAIR, "paths")]))
    return listed.select("question_id", kept.alias("pairs"))


def _without_place(name: str) -> Column:
    columns = ("path_id", "text", "hops", "cost", "steps")
    return F.transform(name, lambda path: F.struct(*[path[c].alias(c) for c in columns]))
