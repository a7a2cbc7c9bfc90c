"""The corpus of sound chains: it is as large as it says, keeps its own law, and a broken line of it is one clear line."""

import re

import pyarrow as pa
import pytest

from conf.outcome import ContractError
from conf.table import Table
from conf.tables import CASES, CHAINS, EDGES, LINKS, QUESTIONS
from kg_spark.verification.corpus import PARTS, Sample, parse, read
from kg_spark.verification.corpus_rows import names_in

SAMPLES = [sample for part in PARTS for sample in read(part)]

CASE = """
metformin:
  stem: >
    A man of 54 with T2DM has an HbA1c of 8.4 %.
  options: drug | *metformin | glyburide
  nodes: |
    disease: type 2 diabetes = T2DM
  edges: |
    1 metformin -[indication]-> T2DM
  paths: |
    T2DM > metformin
  steps: |
    "HbA1c of 8.4 %" The HbA1c is 8.4 %.
    [1] T2DM is treated with metformin.
    => Metformin is the answer.
"""

NEGATED = re.compile(r"\b(no|not|never|neither|without|fails?|unlikely|decreas\w+|reduc\w+|lower\w*)\b", re.IGNORECASE)


def test_the_corpus_is_as_large_as_it_says():
    steps = [step["text"] for sample in SAMPLES for step in sample.chain["steps"]]
    assert len(SAMPLES) == 149
    assert len(steps) >= 700
    assert sum(NEGATED.search(text) is not None for text in steps) >= 190
    assert len({sample.chain["chain_id"] for sample in SAMPLES}) == len(SAMPLES)


def test_rows_are_rows_of_their_tables():
    for sample in SAMPLES:
        edges = list(sample.edges.values())
        for table, rows in (
            (CASES, [sample.case]),
            (CHAINS, [sample.chain]),
            (QUESTIONS, [sample.question]),
            (LINKS, sample.links),
            (EDGES, edges),
        ):
            assert isinstance(table, Table)
            assert all(set(row) == set(table.schema.names) for row in rows), (sample.name, table.name)
            pa.Table.from_pylist(rows, schema=table.schema)


def test_a_step_names_nothing_but_what_it_rests_on():
    def rests_on(sample: Sample, step: dict) -> set[str]:
        if step["support"] == "kg":
            return {edge[end] for edge in step["edges"] for end in ("src", "dst")}
        quote = step["quote"]
        return set(names_in(sample.question["question"][quote["start"] : quote["end"]], sample.nodes.values()))

    beside = [
        (sample.name, step["text"])
        for sample in SAMPLES
        for step in sample.chain["steps"]
        if step["support"] != "background" and set(step["mentions"]) - rests_on(sample, step)
    ]
    assert beside == []


def test_a_cited_path_is_walked_whole_and_in_order():
    broken = []
    for sample in SAMPLES:
        first: dict[str, int] = {}
        for place, step in enumerate(sample.chain["steps"]):
            for edge in step["edges"]:
                first.setdefault(edge["edge_id"], place)
        for pair in sample.case["pairs"]:
            for path in (path for path in pair["paths"] if path["path_id"] in sample.chain["evidence"]):
                hops = [{sample.case["edges"][n]["edge_id"] for n in hop} for hop in path["steps"]]
                told = [min((first[edge] for edge in hop if edge in first), default=-1) for hop in hops]
                if -1 in told or told != sorted(told) or pair["side"] != "answer":
                    broken.append((sample.name, path["text"]))
    assert broken == []


def test_a_conclusion_names_the_answer_and_no_other_option():
    for sample in SAMPLES:
        options = {link["node_id"]: link["side"] for link in sample.links if link["side"] != "question"}
        named = [
            options[node] for node in names_in(sample.chain["conclusion"], sample.nodes.values()) if node in options
        ]
        assert named == ["answer"], (sample.name, sample.chain["conclusion"])


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("*metformin", "metformin", "one option must be marked with *"),
        ("-[indication]->", "-[cures]->", "relations.yaml has no relation 'cures' from drug to disease"),
        ("1 metformin -[", "1 metfromin -[", "no node is called 'metfromin'"),
        ("1 metformin -[indication]-> T2DM", "metformin treats T2DM", "'metformin treats T2DM' is not an edge"),
        ('"HbA1c of 8.4 %"', '"HbA1c of 8.5 %"', "the stem does not say 'HbA1c of 8.5 %'"),
        ("[1] T2DM", "[2] T2DM", "cites edge 2, which there is not"),
        ("T2DM > metformin", "T2DM > glyburide", "no edge joins two neighbours of path 'T2DM > glyburide'"),
        ("with T2DM has", "with asthma has", "the stem does not name 'type 2 diabetes', where a path begins"),
        ("=> Metformin", "Metformin", "the last of its steps is not the conclusion"),
        ("disease: type", "illness: type", "'illness' is no type"),
        ("  stem: >", "  question: >", "key 'question' is missing or unknown"),
    ],
)
def test_a_broken_case_is_told_in_one_line(right: str, wrong: str, told: str):
    assert len(list(parse(CASE, "dev", "dev_x.yaml"))) == 1
    with pytest.raises(ContractError) as error:
        list(parse(CASE.replace(right, wrong), "dev", "dev_x.yaml"))
    text = str(error.value)
    assert text.startswith("dev_x.yaml: metformin: ")
    assert told in text
    assert "\n" not in text
