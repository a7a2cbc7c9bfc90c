"""raw files -> nodes, edges, graph_profile: the sources read, checked, merged and stated once.

Frames that several others follow from are checkpointed (locally), which cuts their plans: with persist() alone Spark
prints every plan inside every other one at each step, 19 s of a demo's build and at last out of memory.

Every line of every file becomes a node or an edge, is merged into one (a fact that is stated twice, a node that two
sources share) and counted, or is rejected with its content and a reason.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from conf.config import KgConfig
from conf.identity import digest, node_id
from conf.outcome import ConfigError, ContractError, Outcome
from conf.semantics import generic_names
from conf.tables import EDGES, NODES
from kg_spark import columns
from kg_spark.graph import edges as facts
from kg_spark.graph import merge, profile, statements
from kg_spark.sources.graph import RawGraph, read_graph, union
from kg_spark.sources.lines import read_delimited, with_line_key


def load(session: SparkSession, config: KgConfig) -> dict[str, object]:
    """The raw files as statements: what `run` takes.

    Raises:
        ConfigError: no source is given, a name is given twice, or a file is missing or empty.
        ContractError: a file lacks a column, is not UTF-8, is cut short, or its delimiter is not what its ending says.
    """
    names = [source.name for source in config.sources]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"kg.sources must name at least one source, each once; it names {', '.join(names) or 'none'}")
    graphs = [read_graph(session, source, number) for number, source in enumerate(config.sources)]
    return {"graphs": graphs, "xrefs": _xrefs(session, config.xrefs)}


def run(graphs: Sequence[RawGraph], xrefs: DataFrame, *, config: KgConfig) -> Outcome:
    """Build the graph.

    Args:
        graphs: one a source, in the order of kg.sources.
        xrefs: a, b: CURIEs that mean one thing.
        config: kg.

    Raises:
        ContractError: a file has more rejected lines than kg.max_reject_share, or no node of a type in
            kg.require_shared is shared by two sources.
    """
    session = xrefs.sparkSession
    order = [source.name for source in config.sources]
    stated = union([graph.nodes for graph in graphs])
    source_nodes = statements.resolve(stated)
    merged = merge.merge(session, source_nodes.nodes, xrefs, order, merge_names=config.merge_names)
    extra = Path(config.relations) if config.relations else None
    found = facts.orient(
        session, union([graph.edges for graph in graphs]), (source_nodes.keys, merged.moved), extra, order
    )
    lines = _own_lines(stated, source_nodes.verdicts).persist()
    rejected = union([*[graph.bad for graph in graphs], _bad_nodes(lines), found.rejected]).persist()
    files = {name: count for graph in graphs for name, count in graph.lines.items()}
    _check_share(rejected, files, config.max_reject_share)
    edges = facts.with_cost(found.edges, config.damping).localCheckpoint()
    nodes = profile.placed(_generic(session, merged.nodes), edges).localCheckpoint()
    counts = profile.profile(nodes, edges, merged)
    shared = _section(counts, "shared_by_type")
    _check_shared(shared, config)
    profiled = session.createDataFrame(counts, "section string, name string, value double").coalesce(1)
    accepted = lines.where("reason is null").count()
    out_nodes, out_edges = nodes.where("own_line").count(), edges.count()
    return Outcome(
        tables={"nodes": nodes, "edges": edges, "graph_profile": profiled},
        units_in=sum(files.values()),
        units_out=out_nodes + out_edges,
        rejects=with_line_key(rejected.withColumn("detail", F.col("line"))),
        merged={"node_stated_again": accepted - out_nodes, "edge_stated_again": found.accepted_lines - out_edges},
        facts={"kg_version": kg_version(nodes, edges)},
        notices=_notices(graphs, shared, counts, rejected),
    )


def kg_version(nodes: DataFrame, edges: DataFrame) -> str:
    """Digest of the graph's content: the same for the same facts, however and whenever they were built."""
    parts = (
        columns.content_digest(columns.conform(nodes, NODES), NODES.stable_columns),
        columns.content_digest(columns.conform(edges, EDGES), EDGES.stable_columns),
    )
    return digest(*parts)


def _xrefs(session: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Pairs of CURIEs from TSV files of two columns, a list joined by `,` or `|` declaring each; unreadable ids nothing."""
    curie = F.udf(lambda raw: node_id("biolink", raw, "") if raw else None, StringType(), useArrow=True)
    empty = session.createDataFrame([], "a string, b string")
    frames = [empty]
    for number, path in enumerate(paths):
        key = f"kg.xrefs[{number}]"
        raw = read_delimited(session, path, [("id", "subject_id"), ("xref", "object_id")], source="xrefs", key=key)
        one = next(name for name in ("id", "subject_id") if name in raw.rows.columns)
        other = next(name for name in ("xref", "object_id") if name in raw.rows.columns)
        each = raw.rows.select(F.explode(F.split(one, "[,|]")).alias("one"), other)
        each = each.select("one", F.explode(F.split(other, "[,|]")).alias("other"))
        pairs = each.select(curie(F.trim("one")).alias("a"), curie(F.trim("other")).alias("b"))
        frames.append(pairs.where("a is not null and b is not null"))
    return union(frames).distinct().persist()


def _own_lines(stated: DataFrame, verdicts: DataFrame) -> DataFrame:
    """file, line, reason, detail of every line that states only a node."""
    keys = ("source", "key", "raw_type", "name")
    own, judged = stated.where("own_line").alias("own"), verdicts.alias("judged")
    same = [F.col(f"own.{name}").eqNullSafe(F.col(f"judged.{name}")) for name in keys]
    joined = own.join(judged, same[0] & same[1] & same[2] & same[3], "left")
    return joined.select("own.file", "own.line", "judged.reason", "judged.detail")


def _bad_nodes(lines: DataFrame) -> DataFrame:
    return lines.where("reason is not null")


def _check_share(rejected: DataFrame, files: Mapping[str, int], share: float) -> None:
    counts = rejected.groupBy("file", "reason").count().collect()
    for name, lines in files.items():
        reasons = {row["reason"]: row["count"] for row in counts if row["file"] == name}
        bad = sum(reasons.values())
        if bad > share * lines:
            worst = max(sorted(reasons), key=lambda reason: reasons[reason])
            example = rejected.where((F.col("file") == name) & (F.col("reason") == worst)).agg(F.min("line")).first()
            text = str(example[0])[:120] if example else ""
            raise ContractError(
                f"{name}: {bad} of {lines} lines rejected, over kg.max_reject_share={share}; {reasons[worst]} are"
                f" {worst}, such as '{text}': mend the file (the graph stays as it was)"
            )


def _check_shared(shared: Mapping[str, int], config: KgConfig) -> None:
    missing = [kind for kind in config.require_shared if not shared.get(kind)]
    if missing:
        raise ContractError(
            f"no {missing[0]} is shared by two of the sources {', '.join(s.name for s in config.sources)}:"
            " kg.xrefs lacks their cross-references (kg.require_shared)"
        )


def _generic(session: SparkSession, nodes: DataFrame) -> DataFrame:
    names = session.createDataFrame(sorted(generic_names()), "type string, name_key string")
    marked = names.withColumn("generic", F.lit(True))
    return nodes.join(F.broadcast(marked), ["type", "name_key"], "left").fillna(value=False, subset=["generic"])


def _section(counts: Sequence[profile.Count], section: str) -> dict[str, int]:
    return {name: int(value) for where, name, value in counts if where == section}


def _notices(
    graphs: Sequence[RawGraph], shared: Mapping[str, int], counts: Sequence[profile.Count], rejected: DataFrame
) -> tuple[str, ...]:
    lines = [notice for graph in graphs for notice in graph.notices]
    if len(graphs) > 1:
        listed = ", ".join(f"{kind} {count}" for kind, count in shared.items()) or "none"
        lines.append(f"nodes shared by two or more sources: {listed}")
        unclear = _section(counts, "graph").get("ambiguous_xrefs", 0)
        lines.append(
            f"cross-references with several targets, which merged nothing: {unclear} (graph_profile lists them)"
        )
    cut = rejected.where(F.col("reason") == "TRUNCATED_LINE").select("file", "line").collect()
    lines += [f"{row['file']} ends in the middle of a line: '{row['line'][:80]}'" for row in cut]
    return tuple(lines)
