"""nodes, edges, config -> the engine that searches: csr where its index fits, else graphframes.

Two things must fit. An executor maps the opened index, 36 bytes an edge. To build it, once a graph, the driver collects and
sorts all edges: 3.1 GB for PrimeKG's 4.05 million, some 770 bytes an edge, 20 times what is opened later.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from conf.outcome import ContractError
from kg_spark.paths.csr import read_manifest
from kg_spark.paths.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

    from conf.config import PathsConfig

_OPENED_PER_EDGE, _OPENED_PER_NODE = 36, 40
_BUILT_PER_EDGE = 800


def choose_engine(
    nodes: DataFrame, edges: DataFrame, config: PathsConfig, *, has_index: Callable[[], bool]
) -> tuple[str, str]:
    """The engine, and why this one.

    Args:
        nodes: the table.
        edges: the table.
        config: its engine counts, where it is not auto; a learnt ranker needs csr.
        has_index: whether this graph's index is built already; called only under auto.
    """
    if config.engine != "auto":
        return config.engine, "paths.engine says so"
    if config.ranker == "learned":
        return "csr", "paths.ranker=learned needs it"
    executor, driver = memory(nodes.sparkSession)
    many = edges.count()
    opened, built = _OPENED_PER_EDGE * many + _OPENED_PER_NODE * nodes.count(), _BUILT_PER_EDGE * many
    there = has_index()
    building = (
        "and is built already"
        if there
        else f"to build it takes {_mb(built)}, the driver has {_mb(driver)} (spark.driver_memory)"
    )
    fits = opened < executor and (there or built < driver)
    why = f"the index takes {_mb(opened)}, an executor has {_mb(executor)}; {building}"
    return ("csr" if fits else "graphframes"), why


def has_index(folder: str, kg_version: str) -> bool:
    """Whether the folder holds this graph's index, as `kg_spark.paths.csr.ensure_index` would find it."""
    try:
        read_manifest(Folder(folder), kg_version)
    except ContractError:
        return False
    return True


def memory(session: SparkSession) -> tuple[int, int]:
    """Bytes that an executor and the driver have; locally they are one. A driver has no more than its machine."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    driver = min(machine, _bytes(session.conf.get("spark.driver.memory", "1g") or "1g"))
    if session.sparkContext.master.startswith("local"):
        return driver, driver
    return _bytes(session.conf.get("spark.executor.memory", "1g") or "1g"), driver


def _bytes(text: str) -> int:
    """Spark's notation of memory: 4g, 512m, a bare number is MiB."""
    unit = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
    digits = text.strip().lower().removesuffix("b")
    return int(digits[:-1]) * unit[digits[-1]] if digits[-1] in unit else int(digits) << 20


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
