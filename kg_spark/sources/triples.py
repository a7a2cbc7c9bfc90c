"""Any graph as two files: nodes (id, name, type) and edges (subject, predicate, object); KGX's column names fit.

Source: KGX TSV (https://github.com/biolink/kgx), DrugMechDB's node and edge lists.
"""

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from conf.config import SourceConfig
from conf.outcome import ConfigError
from kg_spark.sources.graph import RawGraph, edge_statement, no_names, no_strings, node_statement, split_list
from kg_spark.sources.lines import RawFile, pick, read_delimited

_ID = ("id", "node_id")
_NAME = ("name", "label_name")
_TYPE = ("type", "label", "category", "kind")
_SYNONYMS = ("synonyms", "synonym")
_XREFS = ("xrefs", "xref", "same_as")
_SUBJECT = ("source", "subject", "src", "head")
_PREDICATE = ("predicate", "relation", "metaedge")
_OBJECT = ("target", "object", "dst", "tail")
_DISPLAY = ("display_relation",)


def read(session: SparkSession, source: SourceConfig, key: str) -> RawGraph:
    """The two files as statements; `key` is the config key of the source, for errors."""
    if source.nodes is None:
        raise ConfigError(f"{key}.nodes must be given: a file with id, name and type")
    nodes = read_delimited(session, source.nodes, [_ID, _NAME, _TYPE], source=source.name, key=f"{key}.nodes")
    edges = read_delimited(
        session, source.edges, [_SUBJECT, _PREDICATE, _OBJECT], source=source.name, key=f"{key}.edges"
    )
    stated = nodes.rows.select(
        *node_statement(source, _field(nodes, _ID), _field(nodes, _ID), _field(nodes, _TYPE), _field(nodes, _NAME)),
        F.lit("").alias("raw_source"),
        _list(nodes, _SYNONYMS).alias("synonyms"),
        _list(nodes, _XREFS).alias("xrefs"),
        F.lit(True).alias("own_line"),
    )
    display = _field(edges, _DISPLAY) if pick(edges.rows.columns, _DISPLAY) else None
    ends = (_field(edges, _SUBJECT), _field(edges, _OBJECT))
    facts = edges.rows.select(*edge_statement(source, *ends, _field(edges, _PREDICATE), display), *no_names())
    return RawGraph(
        nodes=stated,
        edges=facts,
        bad=nodes.bad.unionByName(edges.bad),
        lines={nodes.name: nodes.lines, edges.name: edges.lines},
        notices=nodes.notices + edges.notices,
    )


def _field(raw: RawFile, names: tuple[str, ...]) -> Column:
    name = pick(raw.rows.columns, names)
    assert name is not None, names
    return F.col(f"`{name}`")


def _list(raw: RawFile, names: tuple[str, ...]) -> Column:
    name = pick(raw.rows.columns, names)
    return split_list(F.col(f"`{name}`")) if name else no_strings()
