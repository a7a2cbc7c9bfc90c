"""How well paths tell the right option from the wrong ones: figures that a hand can check."""

from dataclasses import replace

import pyarrow as pa
import pytest

from conf.config import PathsConfig
from kg_spark.paths.composition import composition
from kg_spark.paths.csr import Index
from kg_spark.paths.separation import Pairs, read_options, read_pairs, separation
from tests.kg_spark.path_graphs import Edge, index_of, name

CARRIES, ENDS = 0, 1


@pytest.fixture(scope="module")
def index() -> Index:
    """The right option is three cheap hops away, over an edge that may only end a path; a wrong one is a dear hop away."""
    return index_of(
        7,
        [
            Edge(src=0, dst=2, cost=1, twin=CARRIES),
            Edge(src=2, dst=5, cost=1, twin=ENDS),
            Edge(src=5, dst=1, cost=1, twin=CARRIES),
            Edge(src=0, dst=3, cost=9, twin=CARRIES),
        ],
    )


@pytest.fixture(scope="module")
def pairs(index: Index) -> Pairs:
    """`one`: A is right, B wrong, C wrong and apart. `two`: nothing is linked. `open`: no options."""
    options = {"one": "ABC", "two": "AB", "open": ""}
    questions = [
        {"question_id": key, "dataset": "d", "answer_key": "A", "options": [{"key": k, "text": k} for k in keys]}
        for key, keys in options.items()
    ]
    ends = [("question", "", 0), ("question", "", 6), ("answer", "A", 1), ("option", "B", 3), ("option", "C", 4)]
    links = [{"question_id": "one", "side": side, "option_key": k, "node_id": name(node)} for side, k, node in ends]
    # Node 6 is too general to start a path.
    nodes = [{"node_id": name(number), "generic": number == 6} for number in range(7)]
    tables = [pa.Table.from_pylist(rows) for rows in (questions, links, nodes)]
    return read_pairs(read_options(tables[0], tables[0]).rows, *tables[1:], index=index)


def test_the_right_option_is_compared_with_the_wrong_ones_of_its_question(index: Index, pairs: Pairs) -> None:
    rows = {(row.semantics, row.rule): row for row in separation(pairs, index, PathsConfig())}
    figures = {key: (row.auc, row.right_best, row.right_has_path, row.wrong_has_path) for key, row in rows.items()}
    third = pytest.approx(1 / 3)
    assert figures["any", "shortest"] == ((0.5 + 0.5) / 2, (0 + 0.5) / 2, 0.5, third)
    assert figures["any", "path_degree_product"] == ((1 + 0.5) / 2, (1 + 0.5) / 2, 0.5, third)
    assert figures["clinical", "path_degree_product"] == ((0.25 + 0.5) / 2, (0 + 0.5) / 2, 0.0, third)
    assert {(row.questions, round(row.chance, 6)) for row in rows.values()} == {(2, round((1 / 3 + 1 / 2) / 2, 6))}
    assert all(row.low <= row.auc <= row.high for row in rows.values())


def test_the_classes_of_paths_are_counted_under_both_semantics(index: Index, pairs: Pairs) -> None:
    shares = {(s.semantics, s.group, s.name): s.share for s in composition(pairs, index, PathsConfig())}
    assert shares["any", "kind inside", "location"] == 1.0
    assert shares["any", "kind inside", "causal"] == 0.0
    assert shares["any", "refused", "place, taxon, likeness or contraindication inside"] == 1.0
    assert shares["any", "refused", "none of these"] == 0.0
    assert shares["clinical", "kind", "causal"] == 0.0  # no path is left


def test_a_contraindication_is_no_therapy(index: Index, pairs: Pairs) -> None:
    told = {"kind": "therapeutic", "polarity": "contraindicated"}
    relations = [
        {**relation, **(told if code == ENDS else {})} for code, relation in enumerate(index.manifest.relations)
    ]
    forbidden = replace(index, manifest=replace(index.manifest, relations=relations))
    shares = composition(pairs, forbidden, PathsConfig())
    assert {s.name: s.share for s in shares if (s.semantics, s.group) == ("any", "kind")} == {
        "causal": 1.0,
        "contraindication": 1.0,
    }
