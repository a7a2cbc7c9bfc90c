"""Typed configuration, one frozen dataclass a section; `conf.loading.load` fills it. All sections are imported from here."""

from dataclasses import dataclass, field, replace
from typing import Literal

from conf.config_engine import (
    MOST_STEPS,
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
    ScreenConfig,
    SourceConfig,
)
from conf.outcome import ConfigError

__all__ = [
    "MOST_STEPS",
    "CasesConfig",
    "ChainsConfig",
    "CompareConfig",
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
    "RayOnSparkConfig",
    "ReleaseConfig",
    "ScreenConfig",
    "SourceConfig",
    "SparkConfig",
    "StrictConfig",
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

    catalog: str = option("", operational=True)
    """Unity Catalog's catalog: with `schema`, each table is registered there as an external one; empty: by its place alone."""

    schema: str = option("medreason", operational=True)
    """Schema of that catalog."""


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
class RayOnSparkConfig:
    """A Ray cluster on the workers of a Spark cluster, as on Databricks, while a step of Ray's runs."""

    workers: int = option(0, low=0, operational=True)
    """Ray nodes at most; 0: Ray is not started on Spark."""

    min_workers: int = option(0, low=0, operational=True)
    """Below `workers`: the cluster grows from so many; 0: it has `workers` from the start."""

    cpus_worker: int = option(0, low=0, operational=True)
    """CPUs of a Ray node; 0: a node has all CPUs and GPUs of a Spark worker."""

    gpus_worker: int = option(0, low=0, operational=True)
    """GPUs of a Ray node, beside `cpus_worker`."""

    cpus_head: int = option(0, low=0, operational=True)
    """CPUs of the driver's machine that tasks may use; 0: none."""

    logs: str = option("", operational=True)
    """Folder for Ray's logs when the cluster ends, such as one of a Volume; empty: they are not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayConfig:
    """The Ray cluster."""

    address: str = option("", operational=True)
    """Empty: the cluster of the environment (RAY_ADDRESS, `ray job submit`), else a local one."""

    num_cpus: int = option(8, low=1, operational=True)
    """Logical CPUs of a local cluster; Ray Data starves with 2."""

    batch_rows: int = option(256, low=1, operational=True)
    """Rows a batch of a CPU stage."""

    on_spark: RayOnSparkConfig = field(default_factory=RayOnSparkConfig)


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
class StrictConfig:
    """What a chain must pass to be of the tier `strict`; any other that is released is `loose`."""

    cited_share: float = option(0.5, low=0, high=1)
    """At least so many of its steps cite edges."""

    grounded: float = option(1.0, low=0, high=1)
    """At least so many of those steps cite edges that are in the graph as claimed. Below 1 it changes nothing: such a chain is
    UNGROUNDED, and not even loose."""

    answer_coverage: float = option(0.8, low=0, high=1)
    """At least so much of the answer's words is linked to the graph."""

    answer_margin: float = option(0.0)
    """The answer's best path is better than any other option's by more than this; a question without options needs none."""

    ignore_flags: tuple[str, ...] = ("PARTIAL_ANSWER",)
    """Flags that do not count; any other makes a chain loose. PARTIAL_ANSWER says only that answer_coverage is below 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig:
    """Two runs side by side; a run is an MLflow run id, or a lake as it is now."""

    run_a: str = option("", operational=True)
    """The run that is compared with; `run_a=` for short."""

    run_b: str = option("", operational=True)
    """The run that is compared; `run_b=` for short."""

    dir: str = option("comparison", operational=True)
    """Folder of comparison.html and comparison.json."""

    shown: int = option(100, low=0, operational=True)
    """Rows of each kind shown with their chains; the JSON lists all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseConfig:
    """What is released, and what for."""

    purpose: Literal["training", "evaluation"] = "training"
    """training keeps published test sets out; an evaluation release says not_for_training."""

    target_rows: int = option(0, low=0)
    """Rows to release: cases are taken in rounds, in the order of sha256(question_id), until so many pass; 0: all that do."""

    dir: str = option("", operational=True)
    """Folder of the JSONL, Parquet and card; empty: <lake.root>/export."""

    questions: Literal["ids_only", "full"] = "ids_only"
    """ids_only: a question whose licence is not known to let it be passed on is given by id and hash, quotes as offsets."""

    licence: Literal["any", "permissive"] = "any"
    """permissive: only edges and questions known to allow commercial use without share-alike."""

    min_tier: Literal["loose", "strict"] = "loose"
    """strict: what is only loose is not released."""

    strict: StrictConfig = field(default_factory=StrictConfig)

    mutant_pairs: int = option(0, low=0)
    """Copies of a released chain with one error planted that are set against it in preference_pairs, at most; only where the
    question may be printed, for a pair without texts teaches nothing."""


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
    screen: ScreenConfig = field(default_factory=ScreenConfig)
    paths: PathsConfig = field(default_factory=PathsConfig)
    cases: CasesConfig = field(default_factory=CasesConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    judge: EngineConfig = field(default_factory=EngineConfig)
    chains: ChainsConfig = field(default_factory=ChainsConfig)
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    plan: PlanConfig = field(default_factory=PlanConfig)
    release: ReleaseConfig = field(default_factory=ReleaseConfig)
    compare: CompareConfig = field(default_factory=CompareConfig)

    @property
    def asked(self) -> tuple[EngineConfig, ...]:
        """The engines that may be asked: the writer's, and the judge's where there is one."""
        return (self.engine,) if self.judging is None else (self.engine, self.judging)

    @property
    def judging(self) -> EngineConfig | None:
        """Who answers blind and judges, as far as that can change a verdict; None where the writer does, or nobody."""
        judge = self.judge
        if judge.name == "template" or self.verify.judge == "writer" or not self.verify.arms:
            return None
        vllm = judge.vllm if judge.name == "vllm" else VllmConfig()
        return replace(judge, vllm=vllm, http=judge.http if judge.name == "http" else HttpConfig())

    def check_judge(self) -> None:
        """A model that judges its own chains may follow its own words, so it does that only where a person said that it may.

        Raises:
            ConfigError: a model writes, and who answers blind is not said.
        """
        named = self.judge.name != "template" and self.judge.model
        if self.engine.name != "template" and self.verify.arms and self.verify.judge == "other" and not named:
            raise ConfigError(
                f"engine.name={self.engine.name} writes and no other model is named to answer blind: set judge.name and "
                "judge.model, or verify.judge=writer (the writer judges its own chains), or verify.arms=[] (nobody is asked)"
            )

    @property
    def longest_chain(self) -> int:
        """Steps that a chain can rightly have: as many as its writer was told, where it was told.

        A chain by rule states each hop of the paths that it keeps, however many those are.
        """
        by_rule = self.chains.keep_paths * self.paths.max_hops
        return max(MOST_STEPS if self.chains.format == "text" else self.chains.max_steps, by_rule)
