"""Sections of the configuration: the graph, the questions, and the way from one to the other."""

from dataclasses import dataclass, field
from typing import Literal

from conf.config_field import file_option, folder_option, option


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

    benchmarks: list[str] = field(default_factory=list)
    """Datasets of role benchmark that the set is kept apart from; empty: all of that role. A dataset and split is never compared
    with itself, nor with an edition that shares its stems (screen.own_share)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenConfig:
    """When a question repeats an item of a benchmark, or another of its set (docs/decontamination.md)."""

    grams: float = option(0.3, low=0.01, high=1.0)
    """Least IDF-weighted share of the shorter stem's uncommon 8-grams that both stems hold."""

    common_stems: int = option(3, low=2, high=100)
    """An 8-gram that so many distinct stems of the benchmarks hold is common and says nothing."""

    min_grams: int = option(3, low=1)
    """Under `grams`: uncommon 8-grams in common at least; three are a run of ten words."""

    jaccard: float = option(0.5, low=0.01, high=1.0)
    """Least Jaccard similarity of the content words of stem and options."""

    fuzzy: float = option(0.8, low=0.3, high=1.0)
    """Least Levenshtein ratio of the content words in alphabetical order."""

    words: float = option(0.6, low=0.01, high=1.0)
    """Least IDF-weighted share of the shorter question's content words that both hold, for cases of 20 such words or more.
    Measured: true pairs reworded by a model 0.55 to 0.95, different ones at most 0.53; 1 leaves the rule out but for copies."""

    common_share: float = option(0.02, low=0.0, high=1.0)
    """A content word of a larger share of the benchmarks' items counts, but nominates only items that have no rarer ones."""

    entities: float = option(0.8, low=0.01, high=1.0)
    """Least share of linked entities in common, of at least `min_entities`, that flags NEAR_BENCHMARK where the answer is the
    same."""

    min_entities: int = option(4, low=1)
    """Entities that both must name for that flag."""

    own_share: float = option(0.5, low=0.01, high=1.0)
    """A benchmark that holds so many of a dataset's stems, and has so many of its own among them, is the same set under another
    name and is not compared with it."""

    bands: int = option(32, low=1, high=256)
    """MinHash bands by which near-duplicates within the set are nominated."""

    band_rows: int = option(4, low=1, high=16)
    """Hashes a band. 32 bands of 4 nominate 87 % of pairs of Jaccard 0.5 and 99 % of 0.6; for millions of questions take 6, which
    nominates 92 % from 0.7 on and a hundredth of the strangers."""

    bucket: int = option(50, low=2)
    """Questions of one band of which all pairs are compared; in a larger one each is compared with the first."""


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
