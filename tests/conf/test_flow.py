"""The flow, the tables and what is printed from them agree."""

from pathlib import Path

import pytest

from conf.flow import FLOW, writer
from conf.identity import digest, edge_id, name_key
from conf.outcome import Outcome, Reason, check_row_law
from conf.table import markdown
from conf.tables import TABLES

ROOT = Path(__file__).resolve().parents[2]


def test_every_table_read_was_written_by_an_earlier_step():
    written: set[str] = set()
    for step in FLOW:
        assert set(step.reads) <= written, step.name
        written |= set(step.writes)


def test_every_table_is_written_by_one_step_but_the_shared_ones():
    assert {name for name in TABLES if writer(name) is None} == {"node_vectors", "replies", "rejects"}
    assert len([name for step in FLOW for name in step.writes]) == len({n for step in FLOW for n in step.writes})


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_table_s_key_is_among_its_columns_and_each_has_a_sentence(table):
    assert set(table.key) <= set(table.schema.names)
    assert [column.name for column in table.columns if not column.metadata.get(b"doc")] == []


def test_the_printed_tables_are_those_of_the_code():
    assert (ROOT / "docs" / "tables.md").read_text() == "\n".join(markdown(TABLES.values())) + "\n"


def test_every_reason_is_a_sentence():
    assert [reason.name for reason in Reason if len(reason.value.split()) < 4] == []


@pytest.mark.parametrize(("out", "rejected", "merged"), [(7, 2, 0), (8, 3, 0), (7, 2, 2)])
def test_a_lost_or_invented_unit_stops_the_step(out, rejected, merged):
    step = next(step for step in FLOW if step.name == "screen_questions")
    outcome = Outcome(tables={}, units_in=10, merged={"same": merged})
    with pytest.raises(RuntimeError, match="row law"):
        check_row_law(step, outcome, out, {("question", "NO_CASE"): rejected, ("row", "NOT_JSON"): 5})


def test_an_edge_s_id_knows_its_direction_only_when_it_has_one():
    assert edge_id("b", "ppi", "ppi", "a", symmetric=True) == edge_id("a", "ppi", "ppi", "b", symmetric=True)
    assert edge_id("b", "treats", "t", "a", symmetric=False) != edge_id("a", "treats", "t", "b", symmetric=False)


def test_ids_are_pinned():
    assert (digest("a", "b"), name_key("  Straße\tX ")) == ("f04cdced9736a69d", "strasse x")
