"""Laws of the graph: every line is accounted for, a fact stands once and runs as declared, sources meet where declared."""

import csv
import gzip
import shutil
import subprocess

import pytest

from conf.identity import digest, edge_id
from conf.lake import Lake
from conf.loading import load
from conf.outcome import ConfigError, ContractError
from jobs import build_kg as build_kg_job
from jobs._run import execute
from tests.kg_spark.graphs import REAL, built, configured, edge_texts, reasons, rows, triples, write

NODES = (
    "DEMO:1|Metformin|Drug",
    "DEMO:2|Type 2 diabetes|Disease",
    "DEMO:3|Polyuria|PhenotypicFeature",
    "DEMO:4|Insulin|Protein",
    "DEMO:5|Insulin receptor|Protein",
)
EDGES = (
    "DEMO:1|treats|DEMO:2",
    "DEMO:3|manifestation of|DEMO:2",
    "DEMO:5|molecularly interacts with|DEMO:4",
    "DEMO:1|prevents|DEMO:2",
)

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def built_once(spark, tmp_path_factory):
    """The folder of the small graph's lake, and what its build reported."""
    folder = tmp_path_factory.mktemp("once")
    return folder / "lake", built(configured(folder / "lake", triples(folder, NODES, EDGES)))


@slow
def test_every_line_becomes_a_node_or_an_edge_is_merged_or_is_rejected_with_its_reason(spark, tmp_path):
    bad_nodes = {
        "DEMO:6||Disease": "MISSING_FIELD",
        "DEMO:7|NaN|Disease": "MISSING_FIELD",
        "DEMO:8|41.5|Disease": "NAME_IS_NUMBER",
        "DEMO:9|Gout|Planet": "UNKNOWN_TYPE",
        "no prefix|Gout|Disease": "UNKNOWN_PREFIX",
        "DEMO:10|Gout|Disease": "CONFLICTING_NODE",
        "DEMO:10|Gout|Drug": "CONFLICTING_NODE",
        "DEMO:11|too|many|fields": "WRONG_COLUMNS",
        "DEMO:20|M\N{REPLACEMENT CHARACTER}ni\N{REPLACEMENT CHARACTER}re|Disease": "NOT_UTF8",
    }
    bad_edges = {
        "DEMO:1|treats|DEMO:99": "UNKNOWN_NODE",
        "DEMO:1|treats|DEMO:10": "UNKNOWN_NODE",
        "DEMO:1|adores|DEMO:2": "UNKNOWN_RELATION",
        "DEMO:1|treats|DEMO:1": "SELF_LOOP",
        "DEMO:1||DEMO:2": "MISSING_FIELD",
        "DEMO:1|treats": "TRUNCATED_LINE",
    }
    edges = (*EDGES, EDGES[0], "DEMO:4|molecularly interacts with|DEMO:5", *bad_edges)
    source = triples(tmp_path, (*NODES, *bad_nodes, NODES[0]), edges)
    path = tmp_path / "mine" / "edges.tsv"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    path = tmp_path / "mine" / "nodes.tsv"
    path.write_bytes(path.read_bytes().replace("\N{REPLACEMENT CHARACTER}".encode(), b"\xe9"))
    lake = tmp_path / "lake"
    report = built(configured(lake, source, kg__max_reject_share=1))
    assert reasons(spark, lake) == {**bad_nodes, **bad_edges}
    assert report.units_in == len(NODES) + 1 + len(bad_nodes) + len(edges)
    assert (report.units_out, report.merged) == (9, {"node_stated_again": 1, "edge_stated_again": 2})
    assert edge_texts(spark, lake) == [
        "Insulin interacts at the molecular level with Insulin receptor",
        "Metformin prevents Type 2 diabetes",
        "Metformin treats Type 2 diabetes",
        "Polyuria is a manifestation of Type 2 diabetes",
    ]


@slow
def test_primekg_states_each_fact_twice_and_the_graph_once_as_it_runs(spark, tmp_path):
    header = "relation,display_relation,x_index,x_id,x_type,x_name,x_source,y_index,y_id,y_type,y_name,y_source"
    drug = "1,DB00331,drug,Metformin,DrugBank"
    disease = '2,5148,disease,"diabetes, type 2",MONDO'
    group = "3,13924_12592,disease,grouped,MONDO_grouped"
    shifted = "4,9,disease,17.0,MONDO"
    write(
        tmp_path / "kg.csv",
        header,
        f"indication,indication,{drug},{disease}",
        f"indication,indication,{disease},{drug}",
        f"disease_disease,parent-child,{disease},{group}",
        f"disease_disease,parent-child,{group},{disease}",
        f"indication,indication,{drug},{shifted}",
    )
    lake = tmp_path / "lake"
    source = f"{{name: primekg, format: primekg, edges: {tmp_path}/kg.csv}}"
    report = built(configured(lake, source, kg__max_reject_share=0.3))
    assert edge_texts(spark, lake) == [
        "Metformin is used to treat diabetes, type 2",
        "diabetes, type 2 is a parent or child term of grouped",
    ]
    assert (report.rejected, report.merged["edge_stated_again"]) == ({"NAME_IS_NUMBER": 1}, 2)
    nodes = {row["node_id"]: row for row in rows(spark, lake, "nodes")}
    assert sorted(nodes) == ["DrugBank:DB00331", "MONDO:0005148", "MONDO_grouped:13924_12592"]
    assert nodes["MONDO_grouped:13924_12592"]["xrefs"] == ["MONDO:0012592", "MONDO:0013924"]


@slow
@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not there")
def test_real_primekg_rows_go_through_the_reader(spark, tmp_path):
    columns = ("index", "id", "type", "name", "source")
    header = ["relation", "display_relation", *[f"{end}_{column}" for end in "xy" for column in columns]]
    stated = set()
    with (REAL / "primekg_sample" / "benchmark_pathways_edges.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            ends = [
                (row[f"{end}_index"], row[f"{end}_id"], row[f"{end}_type"], row[f"{end}_node"], "")
                for end in ("source", "target")
            ]
            # PrimeKG states each fact from both ends.
            stated |= {(row["relation"], row["display_relation"], *a, *b) for a, b in (ends, ends[::-1])}
    with (tmp_path / "kg.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *sorted(stated)])
    source = f"{{name: primekg, format: primekg, edges: {tmp_path}/kg.csv}}"
    report = built(configured(tmp_path / "lake", source, kg__max_reject_share=0.2))
    assert report.units_in == len(stated)
    # The sample names some ids in two ways, as it was drawn from questions; those lines are quarantined.
    assert set(report.rejected) == {"CONFLICTING_NODE"}
    assert report.units_out > 0.4 * len(stated)
    prefixes = {row["node_id"].partition(":")[0] for row in rows(spark, tmp_path / "lake", "nodes")}
    assert prefixes >= {"DrugBank", "MONDO", "NCBIGene", "GO"}


@slow
def test_sources_meet_by_curie_and_by_clear_cross_references_only(spark, tmp_path):
    one = triples(
        tmp_path,
        (
            "DB:DB00001|Lepirudin|Drug",
            "DB:DB00002|Cetuximab|Drug",
            "DB:DB00003|Dornase|Drug",
            "GO:0006954|Flame|Pathway",
        ),
        ("DB:DB00001|treats|GO:0006954",),
        "one",
    )
    two = triples(
        tmp_path,
        (
            "MESH:D000001|Refludan|Drug",
            "MESH:D000002|Erbitux|Drug",
            "GO:0006954|inflammatory response|BiologicalProcess",
            "MESH:D000003|Pulmozyme|Drug",
        ),
        ("MESH:D000001|treats|GO:0006954", "MESH:D000002|treats|GO:0006954"),
        "two",
    )
    xrefs = write(
        tmp_path / "xrefs.tsv",
        "id|xref",
        "MESH:D000001|DB:DB00001",
        "MESH:D000002|DB:DB00002",
        "MESH:D000002|DB:DB00003",
        "MESH:D000003|DB:unreadable",
    )
    lake = tmp_path / "lake"
    built(configured(lake, one, two, kg__xrefs=f"[{xrefs}]"))
    shared = {row["node_id"]: row for row in rows(spark, lake, "nodes") if len(row["sources"]) > 1}
    assert {key: (row["merged_by"], row["synonyms"]) for key, row in shared.items()} == {
        "DrugBank:DB00001": ("xref", ["Refludan"]),
        "GO:0006954": ("curie", ["inflammatory response"]),
    }
    profile = {(row["section"], row["name"]): row["value"] for row in rows(spark, lake, "graph_profile")}
    assert [name for section, name in profile if section == "ambiguous_xref"] == [
        "MESH:D000002|DrugBank:DB00002",
        "MESH:D000002|DrugBank:DB00003",
    ]
    assert profile["graph", "shared_nodes_of_other_types"] == 1
    facts = {(row["src"], row["dst"]): row["sources"] for row in rows(spark, lake, "edges")}
    assert facts["DrugBank:DB00001", "GO:0006954"] == ["one", "two"]


@slow
def test_the_graph_is_the_same_whatever_the_order_and_partitions(spark, built_once, tmp_path):
    source = triples(tmp_path, NODES[::-1], (*EDGES[2:], *EDGES[:2]))
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        report = built(configured(tmp_path / "lake", source))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert report.facts["kg_version"] == built_once[1].facts["kg_version"]


@slow
def test_a_file_with_too_many_bad_lines_leaves_the_graph_as_it_was(spark, built_once, tmp_path):
    lake = tmp_path / "lake"
    shutil.copytree(built_once[0], lake)
    config = configured(lake, triples(tmp_path, NODES, EDGES))
    before = {name: Lake(config).report(name) for name in ("nodes", "edges", "graph_profile", "rejects")}
    triples(tmp_path, NODES, (*EDGES, "DEMO:1|adores|DEMO:2"))
    with pytest.raises(ContractError, match=r"mine/edges.tsv: 1 of 5 lines rejected.*UNKNOWN_RELATION.*adores"):
        built(config)
    assert {name: Lake(config).report(name) for name in before} == before
    triples(tmp_path, NODES, EDGES)
    assert built(config).up_to_date


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not a file"),
        (b"", "is empty"),
        (b"source;predicate;target\nA;b;C\n", "the header is one field: a tab was expected"),
        (b"source\tpredicate\n", "column 'target' is missing; found: source, predicate"),
        ("source\tpredicate\ttarget\n".encode("utf-16"), "is not UTF-8"),
        (b"sourc\xe9\tpredicate\ttarget\n", "is not UTF-8: byte 5"),
    ],
    ids=["missing", "empty", "wrong delimiter", "a column missing", "UTF-16", "Latin-1"],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(spark, tmp_path, content, said):
    source = triples(tmp_path, NODES, EDGES)
    path = tmp_path / "mine" / "edges.tsv"
    path.unlink() if content is None else path.write_bytes(content)
    _refused(configured(tmp_path / "lake", source), said)


def test_a_gzip_file_cut_short_is_refused(spark, tmp_path):
    source = triples(tmp_path, NODES, EDGES).replace("edges.tsv", "edges.tsv.gz")
    whole = gzip.compress((tmp_path / "mine" / "edges.tsv").read_bytes() * 100)
    (tmp_path / "mine" / "edges.tsv.gz").write_bytes(whole[: len(whole) // 2])
    _refused(configured(tmp_path / "lake", source), "cannot be read to its end")


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 48 kB, smaller than any graph."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@slow
def test_a_full_disk_is_one_line_exit_code_2_and_no_graph(spark, tiny_disk, capsys):
    arguments = ["profile=demo", f"lake.root={tiny_disk}/lake", "tracking.enabled=false"]
    assert execute("build_kg", build_kg_job.main, arguments) == 2
    assert "the disk of the lake is full" in capsys.readouterr().err
    assert Lake(load(arguments)).report("nodes").version == -1


@slow
def test_the_ids_that_spark_computes_are_those_of_the_contract(spark, built_once):
    edges = rows(spark, built_once[0], "edges")
    assert [
        edge_id(e["src"], e["relation"], e["display_relation"], e["dst"], symmetric=e["symmetric"]) for e in edges
    ] == [e["edge_id"] for e in edges]
    assert len({digest(e["edge_id"]) for e in edges}) == len(EDGES)


@slow
@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not there")
def test_hetionet_and_drugmechdb_meet(spark, tmp_path):
    hetionet = (
        f"{{name: hetionet, format: hetionet, nodes: {REAL}/hetionet/hetionet-v1.0-nodes.tsv,"
        f" edges: {REAL}/hetionet/edges-5k.sif.gz}}"
    )
    drugmechdb = f"{{name: drugmechdb, nodes: {REAL}/drugmechdb/nodes.tsv, edges: {REAL}/drugmechdb/edges.tsv.gz}}"
    lake = tmp_path / "lake"
    built(
        configured(lake, hetionet, drugmechdb, kg__xrefs=f"[{REAL}/drugmechdb/xrefs.tsv]", kg__require_shared="[drug]")
    )
    profile = {(row["section"], row["name"]): row["value"] for row in rows(spark, lake, "graph_profile")}
    shared = {name: value for (section, name), value in profile.items() if section == "shared_by_type"}
    assert shared["drug"] >= 1040
    go = sum(shared[kind] for kind in ("biological_process", "molecular_function", "cellular_component"))
    assert go >= 600
    assert shared["anatomy"] >= 45


def _refused(config, said):
    with pytest.raises((ConfigError, ContractError)) as found:
        built(config)
    assert said in str(found.value)
    assert "\n" not in str(found.value)
    assert not (config.lake.root and Lake(config).report("nodes").rows)
