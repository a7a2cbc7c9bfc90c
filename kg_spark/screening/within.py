"""Questions with MinHash bands -> the near-duplicates among them: joined by band in Spark, judged pair by pair in Python.

Growth: a question makes `screen.bands` rows of two numbers, which are shuffled once; a band of n questions makes n(n-1)/2
pairs, or n-1 beyond `screen.bucket`, which bounds them by bands x questions x bucket / 2. What holds is collected on the
driver, a hundred bytes a pair.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.config import ScreenConfig
from kg_spark.columns import struct_type
from kg_spark.screening.batches import ALIKE, alike
from kg_spark.screening.duplicates import Alike, close


def near_duplicates(questions: DataFrame, config: ScreenConfig) -> dict[str, Alike]:
    """The questions that repeat an earlier one, each with that one.

    Args:
        questions: question_id, answer, content, bands.
        config: screen.
    """
    members = questions.select("question_id", F.explode("bands").alias("band"))
    # Nearly every band has one member: those are dropped before lists are made, which Spark makes by sorting.
    shared = members.groupBy("band").count().where("count > 1").select("band")
    buckets = members.join(shared, "band").groupBy("band").agg(F.array_sort(F.collect_list("question_id")).alias("ids"))
    placed = buckets.select("ids", F.posexplode("ids").alias("place", "second")).where("place > 0")
    before = F.when(F.size("ids") > config.bucket, F.slice("ids", 1, 1)).otherwise(
        F.slice("ids", F.lit(1), F.col("place"))
    )
    pairs = placed.select(F.explode(before).alias("first"), "second").distinct()
    told = questions.select(F.col("question_id").alias("first"), "content", "answer")
    other = questions.select(
        F.col("question_id").alias("second"), F.col("content").alias("other"), F.col("answer").alias("other_answer")
    )
    texts = pairs.join(told, "first").join(other, "second")
    found = texts.mapInArrow(alike(config), struct_type(ALIKE)).toArrow()
    return close(Alike(**row) for row in found.to_pylist())
