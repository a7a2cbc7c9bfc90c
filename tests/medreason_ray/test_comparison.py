"""Two lakes side by side: each row once, with what differs on its way, and the counts are those of an anti-join."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import QueryBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.outcome import ContractError
from medreason_ray.review import comparison
from medreason_ray.review.comparison import Run, compare, config_diff, side_by_side
from medreason_ray.review.funnel import Section, funnel
from medreason_ray.review.snapshot import details, fates, released_columns
from tests.medreason_ray.lakes import case, chain, lake_of, link, question, rejected, released, write

NONE = Run(label="a", lake="/lake", versions={}, params={}, prompts={}, facts={})

DRAWN = st.lists(
    st.tuples(
        st.sampled_from(["absent", "rejected", "one text", "other text"]), st.sampled_from(["rejected", "one text"])
    ),
    min_size=1,
    max_size=6,
)


def compared(a, b):
    return {each.question_id: each for each in compare(fates(a), fates(b), released_columns(a) & released_columns(b))}


def drawn_lake(root: Path, drawn: list[str]):
    names = {f"q{n}": fate for n, fate in enumerate(drawn)}
    return write(
        root,
        questions=[question(name) for name, fate in names.items() if fate != "absent"],
        release=[released(name, fate) for name, fate in names.items() if fate.endswith("text")],
        rejects=[rejected(name) for name, fate in names.items() if fate == "rejected"],
    )


@settings(max_examples=12, deadline=None)
@given(DRAWN)
def test_the_counts_are_those_of_an_anti_join(drawn):
    with tempfile.TemporaryDirectory() as folder:
        a = drawn_lake(Path(folder) / "a", [before for before, _ in drawn])
        b = drawn_lake(Path(folder) / "b", [after for _, after in drawn])
        found = comparison.summed(list(compared(a, b).values()), NONE, NONE, set(), [])
        query = """
            select (select count(*) from a left anti join b on a.question_id = b.question_id) lost,
                   (select count(*) from b left anti join a on a.question_id = b.question_id) added,
                   (select count(*) from a join b on a.question_id = b.question_id
                       where a.reasoning <> b.reasoning) changed,
                   (select count(*) from a join b on a.question_id = b.question_id
                       where a.reasoning = b.reasoning) same"""
        joined = QueryBuilder().register("a", a.open("release")).register("b", b.open("release"))
        [counted] = pa.table(joined.execute(query).read_all()).to_pylist()
        assert found.counts == counted


WHY = {
    "links": ({"links": [link("q", "FEVER")]}, {"links": [link("q", "PAIN")]}),
    "paths": ({"cases": [case("q", "one")]}, {"cases": [case("q", "one", "two")]}),
    "graph": ({"cases": [case("q", "one")]}, {"cases": [case("q", "one", kg_version="h")]}),
    "prompt": ({"chains": [chain("q")]}, {"chains": [chain("q", prompt_hash="other")]}),
    "model": ({"chains": [chain("q")]}, {"chains": [chain("q", model="other")]}),
    "text": ({"chains": [chain("q")]}, {"chains": [chain("q", "Thus.")]}),
    "question": ({}, {"questions": [question("q", options=[{"key": "A", "text": "yes"}])]}),
    "checks": (
        {"checks": [{"chain_id": "chain-q", "question_id": "q", "arm": "answer", "flags": []}]},
        {"checks": [{"chain_id": "chain-q", "question_id": "q", "arm": "answer", "flags": ["BROKEN_PATH"]}]},
    ),
    "verdict": (
        {
            "chains": [chain("q")],
            "verdicts": [{"chain_id": "chain-q", "arm": "chain", "method": "match", "agrees": True}],
        },
        {
            "chains": [chain("q")],
            "verdicts": [{"chain_id": "chain-q", "arm": "chain", "method": "match", "agrees": False}],
        },
    ),
}


@pytest.mark.parametrize("part", WHY)
def test_the_part_that_differs_is_named_and_no_other(tmp_path, part):
    first, second = WHY[part]
    common = {"questions": [question("q")], "release": [released("q")]}
    a, b = write(tmp_path / "a", **common | first), write(tmp_path / "b", **common | second)
    assert compared(a, b)["q"].why == (part,)


def test_what_closed_a_lost_row_is_not_a_cause_of_it(tmp_path):
    common = {"questions": [question("q")]}
    way = {"cases": [case("q", "one")], "chains": [chain("q")], "release": [released("q")]}
    a = write(tmp_path / "a", **common, links=[link("q", "FEVER")], **way)
    b = write(tmp_path / "b", **common, links=[link("q", "PAIN")], cases=[], rejects=[rejected("q", detail="no way")])
    lost = compared(a, b)["q"]
    assert (lost.status, lost.why, lost.closed.reason, lost.closed.detail) == ("lost", ("links",), "NO_CASE", "no way")


def test_another_version_of_the_graph_alone_changes_no_row(tmp_path):
    a = write(tmp_path / "a", questions=[question("q")], release=[released("q")])
    b = write(tmp_path / "b", questions=[question("q")], release=[released("q", kg_version="h")])
    assert compared(a, b)["q"].status == "same"


def test_a_changed_row_names_its_columns(tmp_path):
    a = write(tmp_path / "a", questions=[question("q")], release=[released("q")])
    b = write(tmp_path / "b", questions=[question("q")], release=[released("q", "Thus.", tier="strict")])
    assert compared(a, b)["q"].columns == ("reasoning", "tier")


def test_a_lake_is_read_at_the_version_that_is_asked_for(tmp_path):
    write(tmp_path, questions=[question("q")], release=[released("q")])
    write(tmp_path, release=[])
    assert [lake_of(tmp_path, at).commit("release").rows for at in ({"release": 0}, {})] == [1, 0]
    assert compared(lake_of(tmp_path, {"release": 0}), lake_of(tmp_path))["q"].status == "lost"


def test_a_folder_that_is_no_lake_is_told(tmp_path):
    with pytest.raises(ContractError, match="no table 'questions'"):
        fates(lake_of(tmp_path))


@pytest.mark.parametrize("read", [fates, lambda lake: details(lake, ["q"])])
def test_files_that_vacuum_removed_are_told(tmp_path, read):
    lake = write(tmp_path, questions=[question("q")])
    for file in tmp_path.rglob("*.parquet"):
        file.unlink()
    with pytest.raises(
        ContractError, match="questions in .* at the run's version .* files that VACUUM removed are gone"
    ):
        read(lake)


def test_funnels_are_joined_by_their_words():
    def section(*rows):
        return Section(title="t", columns=("reason", "n"), rows=rows)

    [joined] = side_by_side([section(("NO_PATH", 3), ("NO_CASE", 1))], [section(("NO_PATH", 5), ("NO_LINK", 2))])
    assert joined.columns == ("reason", "n A", "n B", "difference")
    assert joined.rows == (("NO_PATH", 3, 5, 2), ("NO_CASE", 1, 0, -1), ("NO_LINK", 0, 2, 2))


def test_two_funnels_meet_row_by_row_whatever_was_answered_blind(tmp_path):
    def answered(folder, *right):
        told = {"arm": "chain", "method": "match"}
        said = [{"chain_id": f"chain-q{n}", "question_id": f"q{n}", "agrees": each} for n, each in enumerate(right)]
        chains = [chain(one["question_id"]) for one in said]
        return funnel(write(tmp_path / folder, chains=chains, verdicts=[told | one for one in said]))

    joined = {each.title: each.rows for each in side_by_side(answered("a", True, True), answered("b", True, False))}
    assert joined == {
        "questions": (("with a chain", 2, 2, 0),),
        "blind answers by arm": (("chain", "match", 2, 1, -1, 0, 1, 1, 0, 0, 0),),
    }


def test_what_can_change_a_result_comes_first_in_the_difference_of_configs():
    a, b = {"a.cores": "1", "paths.slack": "0", "same": "x"}, {"a.cores": "2", "paths.slack": "1", "same": "x"}
    assert config_diff(a, b, {"a.cores"}) == [("paths.slack", "0", "1", True), ("a.cores", "1", "2", False)]


def test_whatever_comes_from_data_is_escaped_on_the_page(tmp_path):
    evil = "</pre><script>alert(1)</script>"
    a = write(tmp_path / "a", questions=[question("q", question=evil, answer=evil)], release=[released("q", evil)],
              links=[link("q", evil)])  # fmt: skip
    b = write(tmp_path / "b", questions=[question("q", question=evil, answer=evil)], links=[link("q", "PAIN")],
              rejects=[rejected("q", reason=evil, detail=evil)])  # fmt: skip
    named = Run(label=evil, lake=evil, versions={evil: 1}, params={evil: evil}, prompts={}, facts={evil: evil})
    other = Run(label="b", lake="b", versions={}, params={evil: "other"}, prompts={}, facts={})
    found = comparison.summed(list(compared(a, b).values()), named, other, set(), [])
    shown = comparison.chosen(found, 5)
    html = comparison.page(found, shown, details(a, ["q"]), details(b, ["q"]))
    assert html.count("<script>") == 1
    assert "alert(1)" in html
    assert "http" not in html.replace("http-equiv", "")
