"""The relations of conf.semantics, held against every relation of ../shared/data, and a user's own file of them."""

import json
from pathlib import Path

import pytest

from conf import semantics
from conf.outcome import ConfigError
from conf.semantics import find_relation, relations
from tests.conf.shared_data import primekg_shape, table

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
