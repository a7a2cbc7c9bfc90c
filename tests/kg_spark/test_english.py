"""English: a sentence is denied, turned round or given to another patient as a writer would do it."""

import random

import pytest

from kg_spark.verification.english import affirmed, as_cause, negated, opposed, other_age, other_dose, other_sex


def whole(text: str) -> tuple[int, int]:
    return 0, len(text)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Metformin suppresses gluconeogenesis.", "Metformin does not suppress gluconeogenesis."),
        ("Cough can be a side effect.", "Cough cannot be a side effect."),
        ("ALS has fasciculations as a sign.", "ALS does not have fasciculations as a sign."),
        ("Gout has been treated with it.", "Gout has not been treated with it."),
        ("It is what causes gout.", None),
        ("Gout.", None),
    ],
)
def test_one_verb_is_negated_as_english_does_it(right: str, wrong: str | None):
    assert negated(right, *whole(right)) == wrong


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("There is no fever.", "There is fever."),
        ("The lungs are not involved.", "The lungs are involved."),
        ("Urticaria is absent.", "Urticaria is present."),
        ("She does not wheeze and has no cough.", None),
    ],
)
def test_a_denied_finding_is_told_as_present(right: str, wrong: str | None):
    assert affirmed(right) == wrong


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ACE is inhibited by it.", "ACE is activated by it."),
        ("It predisposes to gout.", "It protects against gout."),
        ("It is the cause of gout.", None),
        ("A raised level is seen.", "A lowered level is seen."),
        ("An increased level is seen.", "A decreased level is seen."),
    ],
)
def test_a_verb_becomes_its_opposite_in_the_same_form(right: str, wrong: str | None):
    assert opposed(right, *whole(right), random.Random(0)) == wrong


def test_an_association_is_told_as_a_cause():
    text = "A rash is a phenotype of measles."
    assert as_cause(text, *whole(text), "dev") == "A rash is the cause of measles."
    assert as_cause("Virus causes measles.", 0, 21, "dev") is None


def test_a_dose_an_age_and_a_sex_change_to_what_the_stem_does_not_say():
    stem = "A 54-year-old man takes 5 mg of it and 1,200 mL of water."
    rng = random.Random(0)
    assert other_dose("He takes 5 mg.", stem, rng) in {f"He takes {n} mg." for n in (10, 50, 2, 15)}
    assert other_dose("It takes 7 mg.", stem, rng) is None
    assert other_dose("He drinks 1,200 mL.", stem, rng) in {
        f"He drinks {n} mL." for n in ("2,400", "12,000", "600", "3,600")
    }
    assert other_age("This 54-year-old man", stem, rng) in {f"This {n}-year-old man" for n in (84, 61, 34, 27)}
    assert (
        other_sex("This man and his risk: he is ill, it helped him.")
        == "This woman and her risk: she is ill, it helped her."
    )
    assert other_sex("Her risk is what worries her.") == "His risk is what worries him."
