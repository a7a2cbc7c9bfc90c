"""Mutants: each differs from its chain in what it says it changes and in nothing else; those that are as true are known."""

import pytest

from kg_spark.verification.corpus import PARTS, Sample, parse, read
from kg_spark.verification.corpus_rows import Row, names_in
from kg_spark.verification.mutant import Mutant
from kg_spark.verification.mutants import IN_TEXT, STRUCTURAL, TEXT_ONLY, plant

SAMPLES = [sample for part in PARTS for sample in read(part)]
PLANTED = [(sample, mutant) for sample in SAMPLES for mutant in plant(sample, SAMPLES)]


def planted(*kinds: str, in_text: bool = False) -> list[tuple[Sample, Mutant]]:
    return [(s, m) for s, m in PLANTED if m.kind in kinds and m.in_text == in_text]


def citations(chain: Row) -> list[list[Row]]:
    return [step["edges"] for step in chain["steps"]]


def changed_steps(sample: Sample, mutant: Mutant) -> list[tuple[Row, Row]]:
    pairs = zip(sample.chain["steps"], mutant.chain["steps"], strict=True)
    return [(old, new) for old, new in pairs if old != new]


def changed_claim(sample: Sample, mutant: Mutant) -> tuple[Row, Row]:
    [(old, new)] = changed_steps(sample, mutant)
    [before], [after] = old["edges"], new["edges"]
    assert before["edge_id"] != after["edge_id"]
    assert old["text"] != new["text"]
    return before, after


def test_every_kind_is_planted():
    kinds = {(mutant.kind, mutant.in_text) for _, mutant in PLANTED}
    assert kinds == {(kind, False) for kind in (*STRUCTURAL, *TEXT_ONLY)} | {(kind, True) for kind in IN_TEXT}


def test_a_chain_has_the_same_mutants_wherever_it_is_met():
    again = read("dev")[7]
    assert plant(again, SAMPLES) == [mutant for sample, mutant in PLANTED if sample is again]


def test_whatever_is_planted_leaves_the_rest_of_the_row():
    derived = {"steps", "evidence", "reasoning", "conclusion"}
    for sample, mutant in PLANTED:
        if mutant.kind != "other_question":
            assert {k: v for k, v in mutant.chain.items() if k not in derived} == {
                k: v for k, v in sample.chain.items() if k not in derived
            }
        assert mutant.chain != sample.chain


def test_words_change_and_citations_do_not():
    for sample, mutant in [*planted(*TEXT_ONLY), *planted(*IN_TEXT, in_text=True)]:
        assert citations(mutant.chain) == citations(sample.chain)
        assert mutant.chain["conclusion"] == sample.chain["conclusion"]
        [(old, new)] = changed_steps(sample, mutant)
        assert old["text"] != new["text"]
        assert {**old, "text": "", "mentions": []} == {**new, "text": "", "mentions": []}


def test_a_swapped_relation_keeps_its_ends():
    for sample, mutant in planted("swap_relation", "contraindication_swap"):
        before, after = changed_claim(sample, mutant)
        assert (before["src"], before["dst"]) == (after["src"], after["dst"])
        assert before["relation"] != after["relation"]


def test_a_reversed_edge_changes_its_ends_for_each_other():
    for sample, mutant in planted("reverse_edge"):
        [(old, new)] = changed_steps(sample, mutant)
        [before], [after] = old["edges"], new["edges"]
        assert (before["src"], before["dst"], before["relation"]) == (after["dst"], after["src"], after["relation"])


def test_another_node_is_of_the_type_and_an_invented_one_of_no_graph():
    for sample, mutant in planted("same_type_node", "invented_node"):
        before, after = changed_claim(sample, mutant)
        assert before["relation"] == after["relation"]
        lost = {before["src"], before["dst"]} - {after["src"], after["dst"]}
        come = {after["src"], after["dst"]} - {before["src"], before["dst"]}
        [old], [new] = lost, come
        if mutant.kind == "same_type_node":
            assert sample.nodes[old].type == sample.nodes[new].type
        else:
            assert all(new not in each.nodes for each in SAMPLES)


def test_a_dropped_step_is_missing_and_the_others_are_not():
    for sample, mutant in planted("dropped_step"):
        left = list(mutant.chain["steps"])
        gone = [step for step in sample.chain["steps"] if step not in left]
        assert len(gone) == 1
        assert gone[0]["edges"]
        assert [step for step in sample.chain["steps"] if step is not gone[0]] == left


def test_a_spliced_chain_begins_one_path_and_ends_another():
    for sample, mutant in planted("spliced_paths"):
        last = mutant.chain["steps"][-1]["edges"][0]
        paths = {path["path_id"]: path for pair in sample.case["pairs"] for path in pair["paths"]}
        assert last["hop"] == paths[last["path_id"]]["hops"] - 1
        assert last["edge_id"] in sample.edges


def test_a_wrong_conclusion_names_one_other_option_and_the_steps_stay():
    for sample, mutant in planted("wrong_option"):
        assert mutant.chain["steps"] == sample.chain["steps"]
        options = {link["node_id"]: link["side"] for link in sample.links if link["side"] != "question"}
        named = names_in(mutant.chain["conclusion"], sample.nodes.values())
        assert [options[node] for node in named if node in options] == ["option"]


def test_another_questions_chain_is_that_chain_under_this_ones_id():
    for sample, mutant in planted("other_question"):
        assert mutant.chain["question_id"] == sample.chain["question_id"]
        assert any(mutant.chain["steps"] == other.chain["steps"] for other in SAMPLES if other is not sample)


CASE = """
drawn:
  stem: >
    A woman of 40 with gout and asthma, whose father has gout, takes aspirin. She has no fever.
  options: drug | *colchicine | naproxen
  nodes: |
    drug: aspirin
    disease: gout | asthma
    gene: TUBB
  edges: |
    EDGES
  paths: |
    PATHS
  steps: |
    STEPS
    => Colchicine is the answer.
"""


def drawn(edges: str, paths: str, *steps: str) -> Sample:
    text = CASE
    for name, lines in (("EDGES", edges.split("; ")), ("PATHS", paths.split("; ")), ("STEPS", steps)):
        text = text.replace(name, "\n    ".join(lines))
    [sample] = parse(text, "dev", "drawn.yaml")
    return sample


@pytest.mark.parametrize(
    ("kind", "sample"),
    [
        (
            "reverse_edge",
            drawn(
                "1 aspirin -[drug_drug]-> colchicine",
                "aspirin > colchicine",
                "[1] Aspirin interacts with colchicine.",
            ),
        ),
        (
            "contraindication_swap",
            drawn(
                "1 colchicine -[indication]-> gout; 2 colchicine -[contraindicated in]-> gout",
                "gout > colchicine",
                "[1] Colchicine is used to treat gout.",
            ),
        ),
        (
            "same_type_node",
            drawn(
                "1 colchicine -[indication]-> gout; 2 colchicine -[CtD]-> asthma; 3 naproxen -[CtD]-> gout;"
                " 4 aspirin -[treats]-> gout",
                "gout > colchicine",
                "[1] Colchicine is used to treat gout.",
            ),
        ),
        (
            "dropped_step",
            drawn(
                "1 colchicine -[indication]-> gout; 2 colchicine -[CtD]-> gout",
                "gout > colchicine",
                "[1] Colchicine is used to treat gout.",
                "[2] Gout is treated with colchicine.",
            ),
        ),
        (
            "opposite_verb",
            drawn(
                "1 colchicine -[prevents]-> gout; 2 colchicine -[causes]-> gout",
                "gout > colchicine",
                "[1] Colchicine prevents gout.",
            ),
        ),
        (
            "negation",
            drawn(
                "1 colchicine -[indication]-> gout",
                "gout > colchicine",
                "[1] Colchicine never fails and so relieves gout.",
            ),
        ),
        (
            "association_as_cause",
            drawn(
                "1 colchicine -[associated with]-> gout; 2 colchicine -[causes]-> gout",
                "gout > colchicine",
                "[1] Colchicine is associated with gout.",
            ),
        ),
        (
            "wrong_sex_or_age",
            drawn(
                "1 colchicine -[indication]-> gout",
                "gout > colchicine",
                '"She has no fever" She has no fever.',
                "[1] Colchicine is used to treat gout.",
            ),
        ),
    ],
)
def test_a_mutant_as_true_as_its_chain_is_equivalent(kind: str, sample: Sample):
    [mutant] = [mutant for mutant in plant(sample, []) if mutant.kind == kind and not mutant.in_text]
    assert mutant.equivalent


def test_a_mutant_that_the_graph_does_not_state_is_not_equivalent():
    sample = drawn("1 colchicine -[indication]-> gout", "gout > colchicine", "[1] Colchicine is used to treat gout.")
    mutants = [mutant for mutant in plant(sample, []) if mutant.kind in STRUCTURAL]
    assert len(mutants) >= 7
    assert not any(mutant.equivalent for mutant in mutants)
