"""paths.engine=auto: csr only where its index can be opened, and built unless it stands already."""

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.config import PathsConfig, SparkConfig
from kg_spark import session
from kg_spark.paths import engine

EDGES = 1_000  # 36 kB opened, 800 kB while built


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    return spark.range(EDGES)


@pytest.mark.parametrize(
    ("executor", "driver", "built", "chosen"),
    [
        (100_000, 1_000_000, False, "csr"),
        (100_000, 500_000, False, "graphframes"),
        (100_000, 500_000, True, "csr"),
        (50_000, 1_000_000, True, "graphframes"),
    ],
)
def test_auto_takes_csr_where_the_index_fits_and_can_be_had(
    frame: DataFrame, monkeypatch: pytest.MonkeyPatch, executor: int, driver: int, built: bool, chosen: str
) -> None:
    monkeypatch.setattr(engine, "memory", lambda _: (executor, driver))
    name, why = engine.choose_engine(frame, frame, PathsConfig(), has_index=lambda: built)
    assert name == chosen
    assert "an executor has 0 MB" in why
    assert ("built already" in why) == built
    assert ("takes 1 MB, the driver has" in why) == (not built)


def test_a_driver_has_its_heap_and_no_more_than_its_machine(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine.memory(spark) == (2 << 30, 2 << 30)  # the fixture's driver_memory
    monkeypatch.setattr(engine.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__)
    assert engine.memory(spark) == (4_096_000, 4_096_000)


def test_what_the_driver_collects_is_bounded_only_where_the_user_says_so() -> None:
    name = "spark.driver.maxResultSize"
    assert session._settings(SparkConfig())[name] == "0"
    assert session._settings(SparkConfig(conf={name: "3g"}))[name] == "3g"
