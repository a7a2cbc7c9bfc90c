"""A table that stays empty is committed all the same, or its step would never be up to date."""

from pathlib import Path

import pytest
from deltalake import CommitProperties, write_deltalake
from pyspark.sql import DataFrame, SparkSession

from conf.config import Config, LakeConfig
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.outcome import Outcome
from conf.tables import SCREENED, TABLES
from kg_spark.store import SparkStore
from tests.kg_spark.frames import frame

pytestmark = pytest.mark.slow

STEP = step("screen_questions")


def put(lake: Lake, run: str) -> None:
    """The tables that the step reads, empty, as another step would write them in that run."""
    for name in STEP.reads:
        text = user_metadata(step("link_entities"), TABLES[name], run, {})
        properties = CommitProperties(custom_metadata={"userMetadata": text})
        empty = TABLES[name].schema.empty_table()
        write_deltalake(lake.uri(name), empty, mode="overwrite", commit_properties=properties)


def test_an_empty_table_over_an_empty_one_carries_the_new_fingerprint(spark: SparkSession, tmp_path: Path) -> None:
    config = Config(lake=LakeConfig(root=str(tmp_path)))
    lake = Lake(config)

    def stage(questions: DataFrame, mentions: DataFrame, links: DataFrame) -> Outcome:
        del mentions, links
        return Outcome(tables={"screened": frame(spark, SCREENED, [])}, units_in=questions.count())

    for run in ("one", "two"):
        put(lake, run)
        report = SparkStore(config, lake).run(STEP, stage)
        assert not report.up_to_date
        assert lake.is_current(STEP, report.fingerprint)
