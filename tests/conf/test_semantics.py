"""conf.semantics and the node ids of conf.identity, held against every relation, type and id of ../shared/data."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from conf import semantics
from conf.identity import name_key
from conf.outcome import ConfigError
from conf.semantics import canonical_type, find_relation, relations

DATA = Path(__file__).parents[3] / "shared" / "data"

MALFORMED = {"GO:005507", "UniProt:P3535", "UniProt:P4984", "UniProt:41972"}
"""DrugMechDB's ids that have lost a character: no one can say which node they name."""

GOOD = {
    "vocabulary": "biolink",
    "relation": "biolink:worries_about",
    "predicate": "worries_about",
    "phrase": "worries about",
    "inverse_phrase": "is worried about by",
    "polarity": "0",
    "kind": "association",
    "may_carry": True,
}


def table(name: str) -> list[dict[str, str]]:
    """Rows of one file of the shared data; skips the test where the data are not at hand."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there: this test reads the shared data")
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="," if path.suffix == ".csv" else "\t"))


def primekg_shape() -> list[dict[str, str]]:
    path = DATA / "primekg_shape.json"
    if not path.exists():
        pytest.skip(f"{path} is not there: this test reads the shared data")
    rows: list[dict[str, str]] = json.loads(path.read_text())["relations"]
    return rows


def user_file(folder: Path, *rows: object) -> Path:
    path = folder / "relations.yaml"
    path.write_text(json.dumps(rows))
    return path


# --- relations: every source is covered


def test_every_relation_and_label_of_primekg_has_a_row() -> None:
    rows = primekg_shape()
    assert [row for row in rows if not find_relation("primekg", row["relation"], row["display_relation"])] == []


def test_primekg_has_thirty_relations_and_no_row_for_another() -> None:
    assert {row.relation for row in relations() if row.vocabulary == "primekg"} == {
        row["relation"] for row in primekg_shape()
    }


@pytest.mark.parametrize("label", ["target", "enzyme", "carrier", "transporter"])
def test_every_published_role_of_a_protein_has_a_row_of_its_own(label: str) -> None:
    row = find_relation("primekg", "drug_protein", label)
    assert row is not None
    assert row.display_relation == label


def test_a_primekg_relation_joins_the_types_that_the_file_joins() -> None:
    ends = {row["relation"]: {row["x_type"], row["y_type"]} for row in primekg_shape()}
    ours = [row for row in relations() if row.vocabulary == "primekg"]
    assert [row for row in ours if {row.subject, row.object} != ends[row.relation]] == []


def test_every_edge_of_the_primekg_sample_can_be_oriented() -> None:
    def ends(row: dict[str, str]) -> bool:
        found = find_relation("primekg", row["relation"], row["display_relation"])
        return found is not None and {found.subject, found.object} == {row["source_type"], row["target_type"]}

    rows = table("primekg_sample/benchmark_pathways_edges.csv")
    assert [row for row in rows if not ends(row)] == []


def test_hetionet_has_its_24_metaedges_and_no_other() -> None:
    ours = [row.relation for row in relations() if row.vocabulary == "hetionet"]
    assert sorted(ours) == sorted(row["abbreviation"] for row in table("hetionet/metaedges.tsv"))
    assert len(ours) == 24


def test_a_hetionet_edge_stands_as_its_row_declares() -> None:
    def stated(row: dict[str, str]) -> tuple[str, str, str]:
        return row["metaedge"], row["source"].split("::")[0], row["target"].split("::")[0]

    declared = {(row.relation, row.subject, row.object) for row in relations() if row.vocabulary == "hetionet"}
    assert {stated(row) for row in table("hetionet/edges-5k.sif.gz")} == declared


def test_a_hetionet_edge_is_shown_by_a_verb() -> None:
    assert [row for row in relations() if row.vocabulary == "hetionet" and not row.display] == []


def test_every_predicate_of_drugmechdb_has_a_row() -> None:
    predicates = {row["predicate"] for row in table("drugmechdb/edges.tsv.gz")}
    assert sorted(name for name in predicates if not find_relation("biolink", name)) == []
    assert len(predicates) == 67


@pytest.mark.parametrize(
    "written", ["biolink:has_phenotype", "has phenotype", "biolink:Has_Phenotype", " has_phenotype "]
)
def test_a_biolink_predicate_is_found_however_it_is_written(written: str) -> None:
    assert find_relation("biolink", written) == find_relation("biolink", "has phenotype") is not None


def test_a_relation_nobody_declared_has_no_row() -> None:
    assert find_relation("hetionet", "ctd") is None


# --- relations: what the rows may say


def test_place_taxon_likeness_and_contraindication_end_a_path_but_do_not_carry() -> None:
    ends = {"location", "taxon", "similarity"}
    assert [
        row for row in relations() if row.may_carry and (row.kind in ends or row.polarity == "contraindicated")
    ] == []


def test_an_association_is_never_worded_as_a_cause() -> None:
    assert [row for row in relations() if row.kind != "causal" and "caus" in row.phrase + row.inverse_phrase] == []


def test_a_treatment_runs_one_way() -> None:
    def backwards(row: semantics.Relation) -> bool:
        return row.symmetric or "treats" in row.inverse_phrase or row.phrase == row.inverse_phrase

    assert [row for row in relations() if row.kind == "therapeutic" and backwards(row)] == []


def test_a_reversed_predicate_reads_as_its_twin() -> None:
    twins = [
        ("causes", "caused by"),
        ("produces", "produced by"),
        ("disrupts", "disrupted by"),
        ("has part", "part of"),
    ]
    rows = [(find_relation("biolink", one), find_relation("biolink", other)) for one, other in twins]
    assert all(
        one and other and (one.phrase, one.inverse_phrase) == (other.inverse_phrase, other.phrase)
        for one, other in rows
    )


def test_only_relations_within_one_type_are_symmetric() -> None:
    assert [row for row in relations() if row.symmetric and row.subject != row.object] == []


def test_one_predicate_is_symmetric_wherever_it_is_used() -> None:
    kept = {"interacts_with", "binds", "associated_with"}  # between two types they have a direction to keep
    ways: dict[str, set[bool]] = {}
    for row in relations():
        ways.setdefault(row.predicate, set()).add(row.symmetric)
    assert {name for name, both in ways.items() if len(both) > 1} <= kept


# --- relations: a user's own file


def test_a_users_file_adds_its_rows(tmp_path: Path) -> None:
    found = find_relation("biolink", "biolink:worries_about", extra=user_file(tmp_path, GOOD))
    assert found is not None
    assert (found.relation, found.symmetric) == ("worries about", False)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": "red"}, "unknown column colour"),
        ({"phrase": None}, "missing column phrase"),
        ({"kind": "guess"}, "unknown kind guess"),
        ({"polarity": "++"}, "unknown polarity"),
        ({"vocabulary": "mine"}, "unknown vocabulary mine"),
        ({"subject": "Wizard"}, "unknown type Wizard"),
        ({"may_carry": "yes"}, "may_carry must be true or false"),
        ({"phrase": " "}, "phrase must be a text"),
        ({"polarity": 0}, "polarity must be a text"),
        ({"symmetric": True}, "is symmetric, so its two phrases"),
        ({"relation": "biolink:treats"}, "two rows for biolink / treats"),
    ],
)
def test_a_mistake_in_a_users_row_is_one_clear_line(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = user_file(tmp_path, {**GOOD, **change})
    with pytest.raises(ConfigError, match=says) as caught:
        relations(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["vocabulary: biolink", "- [", "- treats", "", "\x00"])
def test_a_users_file_that_is_no_list_of_rows_is_a_config_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "relations.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"relations\.yaml"):
        relations(path)


def test_a_users_file_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        relations(tmp_path / "nowhere.yaml")


# --- types


def test_every_node_type_of_the_data_is_known() -> None:
    kinds = {("hetionet", row["kind"]) for row in table("hetionet/hetionet-v1.0-nodes.tsv")}
    kinds |= {("biolink", row["label"]) for row in table("drugmechdb/nodes.tsv")}
    kinds |= {("primekg", row["node_type"]) for row in table("primekg_sample/benchmark_pathways_nodes.csv")}
    kinds |= {("primekg", row[end]) for row in primekg_shape() for end in ("x_type", "y_type")}
    assert sorted(kind for kind in kinds if canonical_type(*kind) is None) == []


def test_every_raw_type_leads_to_a_canonical_one() -> None:
    canonical = {row.type for row in semantics.node_types()}
    raw = semantics._packaged("types.yaml")["vocabularies"].values()
    assert {kind for vocabulary in raw for kind in vocabulary["types"].values()} == canonical


def test_every_canonical_type_can_be_said_in_biolink() -> None:
    assert {row.type: canonical_type("biolink", row.type) for row in semantics.node_types()} == {
        row.type: row.type for row in semantics.node_types()
    }


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("biolink:Disease", "disease"),
        ("biolink:NamedThing|biolink:SmallMolecule|biolink:Drug", "chemical"),
        ("Wizard", None),
        ("", None),
    ],
)
def test_a_list_of_categories_takes_the_first_known(written: str, known: str | None) -> None:
    assert canonical_type("biolink", written) == known


# --- licences and generic names


@pytest.mark.parametrize("source", ["hetionet", "primekg"])
def test_every_relation_says_where_it_came_from(source: str) -> None:
    ours = {row.relation for row in relations() if row.vocabulary == source}
    assert sorted(name for name in ours if not semantics.licence(source, name).upstream) == []


@pytest.mark.parametrize(
    ("source", "relation", "commercial", "share_alike", "permissive"),
    [
        ("hetionet", "CtD", True, False, True),
        ("hetionet", "CcSE", False, True, False),
        ("hetionet", "CbG", False, True, False),
        ("hetionet", "DaG", None, None, False),
        ("primekg", "indication", True, True, False),
        ("drugmechdb", "treats", True, False, True),
        ("nobody", "treats", None, None, False),
    ],
)
def test_several_licences_apply_all_at_once_and_unknown_is_not_permissive(
    source: str, relation: str, *, commercial: bool | None, share_alike: bool | None, permissive: bool
) -> None:
    found = semantics.licence(source, relation)
    assert (found.commercial, found.share_alike, found.permissive) == (commercial, share_alike, permissive)


def test_an_expression_with_an_unknown_licence_allows_nothing_for_certain() -> None:
    assert semantics.terms("CC0-1.0 AND LicenseRef-Mine").commercial is None


@pytest.mark.parametrize(
    ("dataset", "split", "benchmark"),
    [
        ("medqa", "train", False),
        ("medqa", "test", True),
        ("MedQA", "Test", True),
        ("medqa", None, True),
        ("medmcqa", "validation", True),
        ("pubmedqa", "pqal", True),
        ("mmlu", "test", True),
        ("mmlu", "validation", False),
        ("medxpertqa", "test", True),
        ("huatuo", "train", False),
        ("hle", "anything", True),
        ("medbullets", "op4", True),
        ("demo", "train", False),
        ("my_own", "test", False),
    ],
)
def test_a_published_test_set_is_a_benchmark(dataset: str, split: str | None, *, benchmark: bool) -> None:
    assert semantics.is_benchmark(dataset, split) == benchmark


def test_no_benchmark_may_be_trained_on() -> None:
    rows = semantics._packaged("licences.yaml")["datasets"]
    assert [row for row in rows if row["benchmark"] == row["train"]] == []


@pytest.mark.parametrize(
    ("kind", "name", "generic"),
    [
        ("biological_process", "Blood  Pressure", True),
        ("pathway", "Disease", True),
        ("anatomy", "head", True),
        ("anatomy", "heart", False),
        ("effect/phenotype", "tenderness", False),
        ("drug", "blood pressure", False),
    ],
)
def test_a_name_is_generic_within_its_type(kind: str, name: str, *, generic: bool) -> None:
    assert ((kind, name_key(name)) in semantics.generic_names()) == generic


def test_generic_names_are_of_canonical_types() -> None:
    assert {kind for kind, _ in semantics.generic_names()} <= {row.type for row in semantics.node_types()}
