"""The types and generic names of conf.semantics, held against every type of ../shared/data."""

import pytest

from conf import semantics
from conf.identity import name_key
from conf.semantics import canonical_type
from tests.conf.shared_data import primekg_shape, table


def test_every_node_type_of_the_data_is_known() -> None:
    kinds = {("hetionet", row["kind"]) for row in table("hetionet/hetionet-v1.0-nodes.tsv")}
    kinds |= {("biolink", row["label"]) for row in table("drugmechdb/nodes.tsv")}
    kinds |= {("primekg", row["node_type"]) for row in table("primekg_sample/benchmark_pathways_nodes.csv")}
    kinds |= {("primekg", row[end]) for row in primekg_shape() for end in ("x_type", "y_type")}
    assert sorted(kind for kind in kinds if canonical_type(*kind) is None) == []


def test_every_raw_type_leads_to_a_canonical_one() -> None:
    canonical = {row.type for row in semantics.node_types()}
    raw = semantics.packaged("types.yaml")["vocabularies"].values()
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
