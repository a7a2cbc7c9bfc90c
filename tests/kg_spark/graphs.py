"""Small graphs on disk, built by the real job's store."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from conf.config import Config
from conf.flow import step
from conf.lake import Lake
from conf.loading import load
from conf.outcome import StageReport
from kg_spark.stages import build_kg
from kg_spark.store import SparkStore

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


def write(path: Path, *lines: str) -> Path:
    """A file of lines, `|` for a tab."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line.replace("|", "\t") + "\n" for line in lines), encoding="utf-8")
    return path


def triples(folder: Path, nodes: tuple[str, ...], edges: tuple[str, ...], name: str = "mine") -> str:
    """A source of two files as an argument of kg.sources."""
    write(folder / name / "nodes.tsv", "id|name|label", *nodes)
    write(folder / name / "edges.tsv", "source|predicate|target", *edges)
    return f"{{name: {name}, nodes: {folder}/{name}/nodes.tsv, edges: {folder}/{name}/edges.tsv}}"


def configured(lake: Path, *sources: str, **more: Any) -> Config:
    """A configuration with those sources and a lake of its own."""
    arguments = [f"{key.replace('__', '.')}={value}" for key, value in more.items()]
    return load([f"lake.root={lake}", f"kg.sources=[{','.join(sources)}]", *arguments])


def built(config: Config) -> StageReport:
    """The graph in the config's lake."""
    store = SparkStore(config, Lake(config))
    return store.run(step("build_kg"), build_kg.run, load=partial(build_kg.load, config=config.kg), config=config.kg)


def rows(spark: SparkSession, lake: Path, table: str) -> list[dict[str, Any]]:
    """A table as dictionaries."""
    return [row.asDict(recursive=True) for row in spark.read.format("delta").load(str(lake / table)).collect()]


def edge_texts(spark: SparkSession, lake: Path) -> list[str]:
    """Every edge as `name -[phrase]-> name`, sorted."""
    names = {row["node_id"]: row["name"] for row in rows(spark, lake, "nodes")}
    return sorted(f"{names[edge['src']]} {edge['phrase']} {names[edge['dst']]}" for edge in rows(spark, lake, "edges"))


def reasons(spark: SparkSession, lake: Path) -> Mapping[str, str]:
    """Content and reason of every rejected line."""
    return {row["detail"].replace("\t", "|"): row["reason"] for row in rows(spark, lake, "rejects")}
