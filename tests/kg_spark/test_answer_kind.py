"""What an answer's form and a stem's wording say: its kind, and the flags of its question."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg_spark.questions.answer_kind import answer_kind
from kg_spark.questions.flags import flags
from tests.kg_spark.test_questions import questions

GO_ON = {"entity", "phrase"}


def kinds(file: str) -> Counter[str]:
    """How many answers of a real file are of each kind."""
    return Counter(answer_kind(q.question, q.options, q.answer_key, q.answer) for q in questions(file))


@given(question=st.text(max_size=60), answer=st.text(max_size=60), rival=st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_answer_has_a_kind(question: str, answer: str, rival: str) -> None:
    kind = answer_kind(question, [("A", answer), ("B", rival)], "A", answer)
    assert kind in GO_ON | {"yes_no_maybe", "numeric", "ordering", "combination", "statement"}


OURS = {
    "entity": [
        "Metoprolol",
        "Tetralogy of Fallot",
        "Ruptured popliteal cyst",
        "Head and neck cancer",
        "Upper and lower endoscopy",
        "Factor IX",
        "5-alpha reductase",
        "24 hour urine protein",
        "Hepatitis A virus",
        "Gram-negative, oxidase-positive rods",
    ],
    "phrase": [
        "Cross-linking of DNA",
        "Blockade of the sodium channel in phase 0",
        "Raised renin activity",
        "Administer IV fluids",
        "Blocks reuptake of dopamine and serotonin",
        "A drug that inhibits the proteasome",
        "CT scan of the chest and pelvis",
        "Interaction of actin and myosin heads",
        "Recommend an autopsy",
    ],
    "yes_no_maybe": ["Yes", "no", "Maybe.", "True", "No, the risk is the same"],
    "numeric": [
        "250 mg",
        "67%",
        "Two weeks",
        "1 in 4",
        "3:1",
        "45/(45 + 15)",
        "Less than 5%",
        "Between 6 and 12 months",
        "10mg IM haloperidol",
        "pH of 7.2",
        "0.04",
        "65 or older",
    ],
    "ordering": ["Atria > ventricles > AV node", "Skin → fascia → muscle", "G1 >> S"],
    "combination": [
        "Ceftriaxone and doxycycline",
        "Both the liver and the spleen",
        "Rifampin, isoniazid, and ethambutol",
        "Potassium: low, bicarbonate: high",
        "↑ TSH, ↓ free T4",
        "↓ ↑ ↓",
        "Increased preload, decreased afterload",
        "Dilation of the arteriole and constriction of the venule",
        "Stop heparin and start argatroban",
        "Proximal tubule; aldosterone",
        "Surgery followed by radiation",
        "I, III, and IV",
        "All of the above",
        "| Na | K |\n| --- | --- |\n| low | high |",
    ],
    "statement": [
        "The patient should stop driving",
        "It spreads by droplets",
        "Aspirin lowers the risk of stroke",
        "Can be passed on by touch",
        "Tell the surgeon that the count is wrong",
        "Reassure the mother",
        "Report the resident to the board",
        "Repeat the smear if it bleeds",
        "“How do you feel about that?”",
        "Wait for a week. Then repeat the test.",
        "No further treatment",
        "None of the above",
        "Figure C",
    ],
}


@pytest.mark.parametrize(("kind", "answer"), [(kind, answer) for kind, answers in OURS.items() for answer in answers])
def test_the_kind_of_an_answer_of_ours(kind: str, answer: str) -> None:
    assert answer_kind("Which?", [], "", answer) == kind


@pytest.mark.parametrize(
    ("kind", "answer", "rival"),
    [
        ("numeric", "Repeat the smear in 3 years", "Repeat the smear in 5 years"),
        ("phrase", "Repeat the smear in 3 years", "Treat at once"),
        ("ordering", "Node B, node A, node C", "Node A, node B, node C"),
        ("statement", "E", "D"),
        ("entity", "E", "Thiamine"),
    ],
)
def test_a_rival_bears_witness(kind: str, answer: str, rival: str) -> None:
    assert answer_kind("Which?", [("A", answer), ("B", rival)], "A", answer) == kind


def test_values_of_columns_are_a_combination() -> None:
    options = [("A", "Normal, raised"), ("B", "Raised, normal"), ("C", "Raised, raised")]
    assert answer_kind("Calcium and phosphate?", options, "A", "Normal, raised") == "combination"


@pytest.mark.parametrize(
    ("file", "least", "most"),
    [
        ("medqa_test.jsonl", 0.83, 0.87),
        ("medbullets_op4.jsonl", 0.87, 0.91),
        ("MedXpertQA_test.jsonl", 0.76, 0.80),
        ("HLE_biomed.jsonl", 0.42, 0.52),
        ("pubmedqa_pqal.json", 0.0, 0.0),
    ],
)
def test_the_share_of_real_answers_that_go_on(file: str, least: float, most: float) -> None:
    found = kinds(file)
    assert least <= sum(found[kind] for kind in GO_ON) / found.total() <= most


@pytest.mark.parametrize(
    "question",
    [
        "His ECG is shown. What is the diagnosis?",
        "The rash (see image) is new. What is it?",
        "A CT was made as seen in Figure B. What is it?",
        "A blood smear was made and is shown below. What is it?",
        "Which cell is marked by the arrow?",
    ],
)
def test_a_stem_that_speaks_of_a_picture_needs_it(question: str) -> None:
    assert flags(question, []) == ["NEEDS_IMAGE"]


@pytest.mark.parametrize(
    "question",
    [
        "CT shows a mass of the pancreas. What is it?",
        "Laboratory values are shown below:\nNa 140. What is it?",
        "Studies have shown that statins help. Which is used?",
        "She worries about her body image. What is it?",
        "Which drug is given to avoid relapse?",
        "Which of the following explains why he is not cured?",
        "He does not smoke. Which drug helps?",
    ],
)
def test_a_stem_that_only_sounds_so_has_no_flag(question: str) -> None:
    assert flags(question, [("A", "Aspirin"), ("B", "Heparin")]) == []


@pytest.mark.parametrize(
    "question",
    [
        "All of the following are causes EXCEPT:",
        "Which of the following is not a cause?",
        "He has asthma. Which drug should not be given?",
        "Which diagnosis is least likely?",
        "Which drug is contraindicated?",
        "Which of the following drugs should most be avoided in this man?",
        "Which of these would NOT be expected?",
    ],
)
def test_a_question_for_what_does_not_fit_is_inverted(question: str) -> None:
    assert flags(question, []) == ["INVERTED"]


def test_options_that_are_marks_in_a_picture_need_it() -> None:
    assert flags("Which point is meant?", [("A", "A"), ("B", "B")]) == ["NEEDS_IMAGE"]


@pytest.mark.parametrize(
    ("file", "flag", "least", "most"),
    [
        ("medbullets_op4.jsonl", "NEEDS_IMAGE", 110, 135),
        ("medqa_test.jsonl", "NEEDS_IMAGE", 100, 118),
        ("MedXpertQA_test.jsonl", "NEEDS_IMAGE", 2, 8),
        ("medqa_test.jsonl", "INVERTED", 5, 12),
        ("MedXpertQA_test.jsonl", "INVERTED", 12, 22),
    ],
)
def test_flags_of_a_real_file(file: str, flag: str, least: int, most: int) -> None:
    assert least <= sum(flag in flags(one.question, one.options) for one in questions(file)) <= most
