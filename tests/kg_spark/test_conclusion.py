"""A conclusion names its option, by words, letter or node, and no other."""

import pytest

from kg_spark.verification.check import check
from tests.kg_spark.verified import DP, LINKS, PC, WD, case, chain, cited, context, flags, found, kg, link, walked

CONCLUSIONS = [
    ("Heparin.", []),
    ("So the drug of choice is heparin", []),
    ("Dataset answer: Heparin", []),
    ("Option A", []),
    ("A", []),
    ("(A).", []),
    ("The answer is A.", []),
    ("The answer is (A), by way of thrombin.", []),
    ("Choice A follows, as a drug is wanted.", []),
    ("Heparin, for a man without hepatitis B.", []),
    ("Heparin. The answer is B cell depletion for others.", []),
    ("Heparin; the answer is B. cereus for others.", []),
    ("Option A is wrong; option B is right.", ["WRONG_CONCLUSION"]),
    ("Heparin, option B.", ["WRONG_CONCLUSION"]),
    ("Heparin. The answer is B.", ["WRONG_CONCLUSION"]),
    ("It is not option A.", ["WRONG_CONCLUSION"]),
    ("It is not choice (A).", ["WRONG_CONCLUSION"]),
    ("Option A is not the answer.", ["WRONG_CONCLUSION"]),
    ("Heparin is not the right answer.", ["WRONG_CONCLUSION"]),
    ("Option Albuterol.", ["WRONG_CONCLUSION"]),
    ("B", ["WRONG_CONCLUSION"]),
    ("Dataset answer: Heparin and more", ["WRONG_CONCLUSION"]),
    ("Warfarin.", ["WRONG_CONCLUSION"]),
    ("Heparin rather than warfarin.", ["WRONG_CONCLUSION"]),
    ("The answer follows.", ["WRONG_CONCLUSION"]),
    ("This is not heparin.", ["WRONG_CONCLUSION"]),
    ("", ["WRONG_CONCLUSION"]),
]


@pytest.mark.parametrize(("conclusion", "expected"), CONCLUSIONS)
def test_the_conclusion_names_the_answer_and_no_other_option(conclusion: str, expected: list[str]) -> None:
    assert flags(conclusion=conclusion) == expected


def test_of_several_other_options_that_a_conclusion_names_the_first_is_told() -> None:
    letters = "ABCDEFGHIJ"
    asked = case(options=[{"key": letter, "text": f"{letter.lower()}zumab"} for letter in letters], answer="azumab")
    named = ", ".join(f"{letter.lower()}zumab" for letter in reversed(letters))
    row = check(chain(*walked(), conclusion=f"{named}."), context(case=asked))
    assert [each["detail"] for each in row["findings"]] == ["it names option B, 'bzumab'"]


CONTAINED = [{"key": "A", "text": "Hypertension"}, {"key": "B", "text": "Pulmonary hypertension"}]


@pytest.mark.parametrize(
    ("key", "said", "expected"),
    [
        ("A", "It is hypertension.", []),
        ("A", "It is pulmonary hypertension.", ["WRONG_CONCLUSION"]),
        ("B", "It is pulmonary hypertension.", []),
        ("B", "It is hypertension.", ["WRONG_CONCLUSION"]),
    ],
)
def test_of_options_that_contain_each_other_the_longest_is_named(key: str, said: str, expected: list[str]) -> None:
    text = {option["key"]: option["text"] for option in CONTAINED}[key]
    asked = case(options=CONTAINED, answer_key=key, answer=text)
    assert [f for f in found(*walked(), conclusion=said, case=asked) if f != "BROKEN_PATH"] == expected


def test_an_answer_that_reads_like_another_option_is_ambiguous() -> None:
    options = [{"key": "A", "text": "Heparin"}, {"key": "B", "text": " HEPARIN"}]
    assert "AMBIGUOUS_ANSWER" in found(*walked(), case=case(options=options))


def test_options_that_only_a_plural_tells_apart_are_ambiguous() -> None:
    options = [{"key": "A", "text": "Ulcer"}, {"key": "B", "text": "Ulcers"}]
    assert "AMBIGUOUS_ANSWER" in found(*walked(), case=case(options=options, answer="Ulcer"), conclusion="Ulcer.")


def test_another_name_of_another_option_s_node_names_that_option() -> None:
    names = context().names | {"W": ("warfarin", "Coumadin"), "H": ("heparin", "Liquaemin")}
    assert found(*walked(), names=names, conclusion="Liquaemin.") == []
    assert found(*walked(), names=names, conclusion="Heparin or Coumadin.") == ["WRONG_CONCLUSION"]


def test_an_open_question_needs_its_answer_named_and_has_no_rival() -> None:
    asked = case(options=[], answer_key="", answer="Heparin")
    links = [LINKS[0], link("answer", "", "H")]
    for pair in asked["pairs"]:
        pair["option_key"] = ""
    assert found(*walked(), case=asked, links=links, conclusion="Heparin is given.") == []
    assert found(*walked(), case=asked, links=links, conclusion="Aspirin is given.") == ["WRONG_CONCLUSION"]


def test_a_foil_argues_for_its_own_option() -> None:
    steps = [
        kg("PE presents with chest pain.", cited(PC, "rival")),
        kg("DVT causes PE.", cited(DP, "rival")),
        kg("Warfarin treats DVT.", cited(WD, "rival")),
    ]
    assert found(*steps, arm="foil", conclusion="Warfarin.") == []
    assert found(*steps, arm="foil", conclusion="Heparin.") == ["WRONG_CONCLUSION"]
