"""Tables in a catalog: registered where they lie, once, and what cannot be is one line. A local catalog stands for Unity's."""

from dataclasses import replace
from pathlib import Path

import pytest

from conf.config import Config, LakeConfig
from conf.lake import Lake
from conf.outcome import ConfigError, ContractError
from kg_spark.catalog import check_catalog, register
from tests.medreason_ray.lakes import question, write

pytestmark = pytest.mark.slow


@pytest.fixture
def config(spark, tmp_path):
    write(tmp_path / "it's a lake", questions=[question("q")], rejects=[])
    spark.sql("create schema if not exists spark_catalog.medreason_drawn")
    yield LakeConfig(root=str(tmp_path / "it's a lake"), catalog="spark_catalog", schema="medreason_drawn")
    spark.sql("drop schema spark_catalog.medreason_drawn cascade")


def test_a_table_is_read_by_its_name_and_follows_later_commits(spark, config):
    lake = Lake(Config(lake=config))
    for _ in range(2):
        register(spark, config, lake, ["questions", "rejects", "release"])
    write(Path(config.root), questions=[question("q"), question("r")])
    assert {row["tableName"] for row in spark.sql("show tables in medreason_drawn").collect()} == {
        "questions",
        "rejects",
    }
    assert spark.table("spark_catalog.medreason_drawn.questions").count() == 2


def test_a_name_that_means_another_place_is_told(spark, config, tmp_path):
    register(spark, config, Lake(Config(lake=config)), ["questions"])
    write(tmp_path / "other", questions=[question("q")])
    other = replace(config, root=str(tmp_path / "other"))
    with pytest.raises(ContractError, match=r"lies at .*it's a lake.*, not at .*other/questions: drop it"):
        register(spark, other, Lake(Config(lake=other)), ["questions"])


def test_a_schema_that_may_not_be_used_is_one_line_before_any_work(spark, config):
    with pytest.raises(ConfigError, match="schema spark_catalog.nowhere cannot be used .*grant USE CATALOG") as told:
        check_catalog(spark, replace(config, schema="nowhere"))
    assert "\n" not in str(told.value)
