"""Of the questions that passed the first are released, in the order that the cases were taken in."""

import pytest
from pyspark.sql import SparkSession

from conf.identity import digest
from conf.rounds import turn
from kg_spark.first_rows import first_rows

pytestmark = pytest.mark.slow

IDS = [digest("question", str(number)) for number in range(30)]
IN_TURN = sorted(IDS, key=turn)


@pytest.mark.parametrize(("passed", "target", "released"), [(30, 7, 7), (30, 0, 30), (3, 7, 3), (0, 7, 0)])
def test_the_first_are_released_and_the_others_not_needed(
    spark: SparkSession, passed: int, target: int, released: int
) -> None:
    frame = spark.createDataFrame([(each,) for each in IDS[:passed]], "question_id string")
    found = first_rows(frame, target, taken="40")
    kept, rejects = found.rows.collect(), found.rejects.collect()
    wanted = [each for each in IN_TURN if each in IDS[:passed]]
    assert sorted((row.question_id for row in kept), key=turn) == wanted[:released]
    assert sorted((row.key for row in rejects), key=turn) == wanted[released:]
    assert {(row.entity, row.reason) for row in rejects} <= {("question", "NOT_NEEDED")}
    assert found.facts == ({"taken": "40", "passed": str(passed)} if target else {})
