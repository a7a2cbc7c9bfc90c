"""Node ids of conf.identity, held against every id of ../shared/data."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf import semantics
from conf.identity import member_xrefs, node_id
from conf.semantics import find_relation
from tests.conf.shared_data import MALFORMED, table


def hetionet_ids() -> Iterator[str | None]:
    for row in table("hetionet/hetionet-v1.0-nodes.tsv"):
        yield node_id("hetionet", row["id"], row["kind"])


def drugmechdb_ids() -> dict[str, str | None]:
    return {row["id"]: node_id("biolink", row["id"], row["label"]) for row in table("drugmechdb/nodes.tsv")}


def test_every_hetionet_node_has_an_id_of_its_own() -> None:
    found = list(hetionet_ids())
    assert None not in found
    assert len(set(found)) == len(found) == 47_031


def test_every_drugmechdb_node_has_an_id_but_those_that_lost_a_character() -> None:
    assert {raw for raw, found in drugmechdb_ids().items() if found is None} == MALFORMED


def test_two_drugmechdb_nodes_become_one_only_where_they_bear_one_name() -> None:
    ids = drugmechdb_ids()
    names: dict[str, list[str]] = {}
    for row in table("drugmechdb/nodes.tsv"):
        names.setdefault(ids[row["id"]] or row["id"], []).append(row["name"])
    merged = [bearers for bearers in names.values() if len(bearers) > 1]
    assert all(len(set(bearers)) == 1 for bearers in merged)
    assert len(merged) == 7  # six byte-order marks behind an id, one InterPro id without its I


def test_every_node_of_the_primekg_sample_has_an_id() -> None:
    rows = table("primekg_sample/benchmark_pathways_nodes.csv")
    assert [row for row in rows if node_id("primekg", row["node_id"], row["node_type"]) is None] == []


def test_every_line_of_the_demo_graph_is_understood() -> None:
    demo = Path(semantics.__file__).parent / "demo"
    with (demo / "nodes.tsv").open(encoding="utf-8") as nodes, (demo / "edges.tsv").open(encoding="utf-8") as edges:
        unknown = [
            row for row in csv.DictReader(nodes, delimiter="\t") if node_id("biolink", row["id"], row["label"]) is None
        ]
        unknown += [
            row for row in csv.DictReader(edges, delimiter="\t") if not find_relation("biolink", row["predicate"])
        ]
    assert unknown == []


def test_every_cross_reference_of_drugmechdb_but_one_can_be_read() -> None:
    ends = [end for row in table("drugmechdb/xrefs.tsv") for end in (*row["id"].split(","), row["xref"])]
    assert [end for end in ends if node_id("biolink", end, "Drug") is None] == ["DB:DB010473"]  # a digit too many


def test_every_curie_reads_back_as_itself() -> None:
    found = {*hetionet_ids(), *drugmechdb_ids().values()} - {None}
    assert [curie for curie in found if curie and node_id("biolink", curie, "") != curie] == []


@pytest.mark.parametrize(
    ("vocabulary", "raw_id", "raw_type", "raw_source", "curie"),
    [
        ("primekg", "9796", "gene/protein", "NCBI", "NCBIGene:9796"),
        ("primekg", "1250", "effect/phenotype", "HPO", "HP:0001250"),
        ("primekg", "13924_12592", "disease", "MONDO_grouped", "MONDO_grouped:13924_12592"),
        ("primekg", "13924_12592", "disease", "", "MONDO_grouped:13924_12592"),
        ("primekg", "R-HSA-109582", "pathway", "REACTOME", "REACT:R-HSA-109582"),
        ("primekg", "D000393", "exposure", "CTD", "MESH:D000393"),
        ("hetionet", "Gene::2625", "Gene", "", "NCBIGene:2625"),
        ("hetionet", "Side Effect::C0000727", "Side Effect", "", "UMLS:C0000727"),
        ("hetionet", "Disease::DOID:0050156", "Disease", "", "DOID:0050156"),
        ("hetionet", "Pathway::WP100_r74146", "Pathway", "", "WIKIPATHWAYS:WP100"),
        ("biolink", "UniProt:P35354", "Protein", "", "UniProtKB:P35354"),
        ("biolink", "UniProt:Q07817-1", "Protein", "", "UniProtKB:Q07817-1"),
        ("biolink", "reactome:R-HSA-416476\ufeff", "Pathway", "", "REACT:R-HSA-416476"),
        ("biolink", "DB:B02362", "Drug", "", "DrugBank:DB02362"),
        ("biolink", "DB:DBDB08902", "Drug", "", "DrugBank:DB08902"),
        ("biolink", "DRUGBANK:DB00001", "Drug", "", "DrugBank:DB00001"),
        ("biolink", "taxonomy:10239", "OrganismTaxon", "", "NCBITaxon:10239"),
        ("biolink", "InterPro:cd15058", "GeneFamily", "", "CDD:cd15058"),
    ],
)
def test_a_raw_id_becomes_its_curie(vocabulary: str, raw_id: str, raw_type: str, raw_source: str, curie: str) -> None:
    assert node_id(vocabulary, raw_id, raw_type, raw_source) == curie


def test_a_prefix_that_no_row_knows_is_the_graph_s_own_in_triples_only():
    assert node_id("biolink", "NOWHERE:1", "Drug", "") == "NOWHERE:1"
    assert node_id("hetionet", "NOWHERE::1", "Drug", "") is None


@pytest.mark.parametrize(
    ("vocabulary", "raw_id", "raw_type", "raw_source"),
    [
        ("primekg", "9796.0", "gene/protein", "NCBI"),
        ("primekg", "13924_12592", "disease", "MONDO"),
        ("primekg", "5132", "disease", "Orphanet"),
        ("primekg", "٥١٣٢", "disease", "MONDO"),
        ("hetionet", "Gene::", "Gene", ""),
        ("biolink", "GO:005507", "BiologicalProcess", ""),
        ("biolink", "UniProt:P3535", "Protein", ""),
        ("biolink", "MESH:C524865,MESH:C519125", "Drug", ""),
        ("biolink", "", "", ""),
    ],
)
def test_what_cannot_be_read_one_way_only_is_unknown(
    vocabulary: str, raw_id: str, raw_type: str, raw_source: str
) -> None:
    assert node_id(vocabulary, raw_id, raw_type, raw_source) is None


@given(
    st.integers(0, 9_999_999),
    st.sampled_from([("disease", "MONDO"), ("effect/phenotype", "HP"), ("anatomy", "UBERON")]),
)
def test_zeros_in_front_of_a_primekg_number_change_nothing(number: int, kind: tuple[str, str]) -> None:
    written = {node_id("primekg", f"{number:0{width}}", kind[0]) for width in range(9)}
    assert written == {f"{kind[1]}:{number:07}"}


@given(st.lists(st.integers(0, 9_999_999), min_size=2, max_size=9))
def test_a_grouped_disease_stands_for_each_of_its_members(numbers: list[int]) -> None:
    group = "_".join(map(str, numbers))
    members = tuple(f"MONDO:{number:07}" for number in numbers)
    assert member_xrefs("primekg", group, "disease", "MONDO_grouped") == members
    assert member_xrefs("biolink", f"MONDO_grouped:{group}", "Disease") == members


@given(
    st.text(max_size=30),
    st.sampled_from(["primekg", "hetionet", "biolink"]),
    st.sampled_from(["Disease", "pathway", "Drug"]),
)
def test_whatever_a_file_holds_an_id_is_a_curie_or_unknown(text: str, vocabulary: str, raw_type: str) -> None:
    found = node_id(vocabulary, text, raw_type)
    assert found is None or node_id("biolink", found, "") == found


def test_a_single_disease_has_no_members() -> None:
    assert member_xrefs("primekg", "5132", "disease", "MONDO") == ()
