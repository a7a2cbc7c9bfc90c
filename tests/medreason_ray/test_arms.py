"""What blind answers show, counted by question: rates, pairs, and what the foil says of the filter."""

import re
from itertools import product

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from conf.config import Config, LakeConfig
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.tables import CHAINS, TABLES, VERDICTS
from medreason_ray.review.arms import Cell, measure, summarise
from medreason_ray.review.funnel import arms_sections


def cell(questions: int, closed_book=None, chain=None, masked=None, foil=None, persuaded=None) -> Cell:
    return Cell(questions, closed_book, chain, masked, foil, persuaded)


def rates(*cells: Cell) -> dict[str, tuple[int, int]]:
    return {rate.name: (rate.hits, rate.of) for rate in summarise(cells).rates}


def foiled(questions: int, truth: int, foil: int) -> tuple[Cell, ...]:
    """So many questions, of which the chain persuades of some and the foil of others, as rarely together as may be."""
    both = max(0, truth + foil - questions)
    counts = {(True, True): both, (True, False): truth - both, (False, True): foil - both}
    counts[False, False] = questions - sum(counts.values())
    return tuple(cell(n, True, chain, True, not persuaded, persuaded) for (chain, persuaded), n in counts.items() if n)


def test_each_arm_has_its_accuracy_over_the_questions_that_it_was_asked():
    found = rates(cell(30, True, True, True), cell(10, False, True, False), cell(5, None, False, None), cell(5))
    assert [found[f"{arm}_accuracy"] for arm in ("closed_book", "chain", "masked")] == [(30, 40), (40, 45), (30, 40)]


def test_uplift_counts_what_was_wrong_closed_book_only():
    found = rates(
        cell(30, True, True, True),
        cell(6, False, True, True),
        cell(3, False, True, False),
        cell(1, False, False, False),
    )
    assert (found["chain_uplift"], found["masked_uplift"], found["chain_kept"]) == ((9, 10), (6, 10), (30, 30))


def test_the_foil_stands_beside_the_truth_of_the_same_questions():
    found = rates(cell(50, True, True), cell(8, True, True, True, True, False), cell(2, True, False, True, False, True))
    assert (found["truth_persuasion"], found["foil_persuasion"], found["foil_accuracy"]) == ((8, 10), (2, 10), (8, 10))


def test_an_interval_is_wilson_s():
    [rate] = [each for each in summarise([cell(8, True), cell(2, False)]).rates if each.name == "closed_book_accuracy"]
    # Wilson's for 8 of 10, from R: prop.test(8, 10, correct = FALSE).
    assert (rate.low, rate.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_paired_arms_are_compared_on_what_they_differ_in():
    [pair] = summarise([cell(90, True, True), cell(9, False, True), cell(1, True, False)]).pairs
    # Two-sided binomial of 1 in 10.
    assert (pair.only_first, pair.only_second, pair.p) == (9, 1, pytest.approx(22 / 1024))


@pytest.mark.parametrize(
    ("questions", "truth", "foil", "discriminates", "said"),
    [
        (400, 360, 40, True, "less than half as often .*: the filter has discriminating power."),
        (400, 360, 300, False, "at least half as often .*: the filter has no discriminating power."),
        (12, 8, 5, False, "no discriminating power; these are too few questions to be sure."),
        (12, 8, 3, None, "less than half as often .* too few questions to say"),
        (10, 0, 4, False, "the truth never did"),
        (10, 0, 0, False, "no discriminating power"),
    ],
)
def test_a_filter_that_a_foil_passes_half_as_often_has_no_discriminating_power(
    questions, truth, foil, discriminates, said
):
    found = summarise(foiled(questions, truth, foil))
    assert found.discriminates is discriminates
    assert re.search(said, found.findings[0])


def test_without_a_foil_nothing_is_said_of_the_filter():
    found = summarise([cell(10, True, True)])
    assert (found.foil_over_truth, found.discriminates, "not known" in found.findings[0]) == (None, None, True)


def test_where_nobody_was_asked_there_is_nothing_to_show():
    found = summarise([cell(10)])
    assert (found.rates, found.findings, found.metrics()) == ((), (), {})


def test_the_writer_s_own_judgement_is_told():
    assert "same_model" in summarise([cell(1, True, True)], same_model=True).findings[-1]


def test_metrics_have_stable_names_and_finite_numbers_where_the_truth_persuaded():
    found = summarise(foiled(40, 30, 10)).metrics()
    assert {"arms/closed_book_accuracy", "arms/chain_uplift", "arms/foil_persuasion_low", "arms/foil_over_truth"} - set(
        found
    ) == {"arms/chain_uplift"}
    assert found["arms/foil_over_truth"] == pytest.approx(1 / 3)


# From the tables


def put(lake: Lake, name: str, rows: list[dict]) -> None:
    table = TABLES[name]
    metadata = user_metadata(step("generate_chains"), table, "one", {})
    full = [dict.fromkeys(table.schema.names) | row for row in rows]
    write_deltalake(
        lake.uri(name),
        pa.Table.from_pylist(full, table.schema),
        commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
    )


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Eight questions, each of the ways in which closed book, chain and foil may fall; two chains each, the second all wrong."""
    lake = Lake(Config(lake=LakeConfig(root=str(tmp_path))))
    chains, verdicts = [], []
    for number, (closed, chain, persuaded) in enumerate(product((True, False), repeat=3)):
        question = f"q{number}"
        for sample, arm in ((1, "answer"), (0, "answer"), (0, "foil")):
            chains.append(
                {"chain_id": f"{question}{arm}{sample}", "question_id": question, "sample": sample, "arm": arm}
            )
        said = {
            ("answer0", "closed_book"): (closed, None),
            ("answer0", "chain"): (chain, chain),
            ("answer0", "masked"): (None, None),
            ("answer1", "closed_book"): (closed, None),
            ("answer1", "chain"): (False, False),
            ("foil0", "foil"): (False, persuaded),
        }
        verdicts += [
            {
                "chain_id": f"{question}{chain_of}",
                "question_id": question,
                "arm": arm,
                "agrees": agrees,
                "persuaded": persuaded,
            }
            | {"judge_model": "http/j", "same_model": False, "method": "match"}
            for (chain_of, arm), (agrees, persuaded) in said.items()
        ]
    put(lake, CHAINS.name, chains)
    put(lake, VERDICTS.name, verdicts)
    return lake


def test_a_question_counts_once_with_its_first_chain(lake):
    found = measure(lake)
    counts = {rate.name: (rate.hits, rate.of) for rate in found.rates}
    assert (found.judges, found.same_model) == (("http/j",), False)
    assert counts == {
        "closed_book_accuracy": (4, 8),
        "chain_accuracy": (4, 8),
        "foil_accuracy": (0, 8),
        "chain_uplift": (2, 4),
        "chain_kept": (2, 4),
        "truth_persuasion": (4, 8),
        "foil_persuasion": (4, 8),
    }


def test_they_are_shown_with_their_intervals_and_in_a_sentence(lake):
    shown = {section.title: section for section in arms_sections(lake)}
    assert ("right closed book", 4, 8, "0.500", "0.215 to 0.785") in shown[
        "what blind answers show, one chain a question"
    ].rows
    assert "no discriminating power" in str(shown["what the filter is worth"].rows[0][0])
