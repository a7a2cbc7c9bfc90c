"""Typed configuration, one frozen dataclass a section; `conf.loading.load` fills it. All sections are imported from here."""

from dataclasses import dataclass, field
from typing import Literal

from conf.config_engine import (
    ChainsConfig,
    EngineConfig,
    HttpConfig,
    PlanConfig,
    VerifyConfig,
    VllmConfig,
)
from conf.config_field import option
from conf.config_graph import (
    CasesConfig,
    DownloadConfig,
    EmbeddingConfig,
    KgConfig,
    LinksConfig,
    PathsConfig,
    QuestionFileConfig,
    QuestionsConfig,
    SourceConfig,
)

__all__ = [
    "CasesConfig",
    "ChainsConfig",
    "Config",
    "DownloadConfig",
    "EmbeddingConfig",
    "EngineConfig",
    "HttpConfig",
    "KgConfig",
    "LakeConfig",
    "LinksConfig",
    "PathsConfig",
    "PlanConfig",
    "QuestionFileConfig",
    "QuestionsConfig",
    "RayConfig",
    "ReleaseConfig",
    "SourceConfig",
    "SparkConfig",
    "TrackingConfig",
    "VerifyConfig",
    "VllmConfig",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeConfig:
    """Where the tables lie."""

    root: str = option("lake/local", operational=True)
    """Folder or URI; a table is <root>/<table>."""

    storage_options: dict[str, str] = option({}, operational=True)
    """Passed to delta-rs for object stores; secrets belong in the environment."""

    vacuum_hours: int = option(168, low=0, operational=True)
    """maintain: files that were replaced so long ago are removed; below 168 a job that runs may lose files it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkConfig:
    """The Spark session."""

    provided: bool = option(default=False, operational=True)
    """Use the session that is there (Databricks, spark-submit) and set nothing on it."""

    master: str = option("local[*]", operational=True)
    """Spark master; heeded when the session is ours."""

    packages: tuple[str, ...] = option(
        (
            "io.delta:delta-spark_4.2_2.13:4.4.0",
            "org.apache.sedona:sedona-spark-shaded-4.0_2.13:1.8.0",
        ),
        operational=True,
    )
    """JARs by Maven coordinate: Delta, and a bundle that carries GraphFrames 0.9.2 for Spark 4."""

    shuffle_partitions: int = option(4, low=1, operational=True)
    """Partitions behind a shuffle; some 3 a core."""

    driver_memory: str = option("4g", operational=True)
    """Heap of a local session."""

    checkpoint_dir: str = option("", operational=True)
    """GraphFrames' connected components checkpoint here; empty: a folder of the machine's temp."""

    conf: dict[str, str] = option({}, operational=True)
    """Further Spark settings, as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayConfig:
    """The Ray cluster."""

    address: str = option("", operational=True)
    """Empty: the cluster of the environment (RAY_ADDRESS, `ray job submit`), else a local one."""

    num_cpus: int = option(8, low=1, operational=True)
    """Logical CPUs of a local cluster; Ray Data starves with 2."""

    batch_rows: int = option(256, low=1, operational=True)
    """Rows a batch of a CPU stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingConfig:
    """MLflow, on the driver only."""

    enabled: bool = option(default=True, operational=True)
    """False: nothing is logged."""

    uri: str = option("", operational=True)
    """Empty: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in the working folder."""

    experiment: str = option("medreason-ray", operational=True)
    """Name; a path such as /Shared/medreason-ray on Databricks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseConfig:
    """What is released, and what for."""

    purpose: Literal["training", "evaluation"] = "training"
    """training keeps published test sets out; an evaluation release says not_for_training."""

    dir: str = option("", operational=True)
    """Folder of the JSONL, Parquet and card; empty: <lake.root>/export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All sections. `profile` and `data` are arguments like any other."""

    profile: str = option("local", operational=True)
    """demo, real, local, cluster, databricks, or a path of a YAML file."""

    data: str = option("", operational=True)
    """A folder that profiles refer to as ${data}."""

    lake: LakeConfig = field(default_factory=LakeConfig)
    spark: SparkConfig = field(default_factory=SparkConfig)
    ray: RayConfig = field(default_factory=RayConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    kg: KgConfig = field(default_factory=KgConfig)
    questions: QuestionsConfig = field(default_factory=QuestionsConfig)
    links: LinksConfig = field(default_factory=LinksConfig)
    paths: PathsConfig = field(default_factory=PathsConfig)
    cases: CasesConfig = field(default_factory=CasesConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    chains: ChainsConfig = field(default_factory=ChainsConfig)
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    plan: PlanConfig = field(default_factory=PlanConfig)
    release: ReleaseConfig = field(default_factory=ReleaseConfig)
