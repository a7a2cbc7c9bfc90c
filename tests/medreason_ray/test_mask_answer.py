"""A masked chain names its answer nowhere, however the name is written, and loses nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medreason_ray.linking.folding import canonical_name
from medreason_ray.stages.mask_answer import MARK, masked

REST = set("so it is work a s crises in plaques an heart by and acute then x treats".split())  # noqa: SIM905
"""Words of the texts below that are no name."""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("So it is GOUT.", ["gout"]),
        ("So it is Gout's work.", ["gout"]),
        ("A diabetic's diabetes", ["Diabetes"]),
        ("hypertensive crises in Hypertension", ["hypertension"]),
        ("thrombotic thromboses", ["thrombosis"]),
        ("psoriatic plaques", ["psoriasis"]),
        ("an infarcted heart, an infarct", ["infarction"]),
        ("anaemic by anemias", ["anaemia"]),
        ("Non-small-cell lung carcinomas", ["non small cell lung carcinoma"]),
        ("beta-blockers and β blockers", ["beta blocker"]),
        ("Acute MI", ["myocardial infarction"]),
        ("ileocaecal resection disease (ICRD), then ICRD", ["ileocaecal resection disease"]),
        ("Tylenol", ["acetaminophen"]),
        ("Sjögren syndrome, Sjogren's syndrome", ["Sjögren syndrome"]),
        ("x -[treats]-> Gout", ["gout"]),
    ],
)
def test_a_name_in_any_writing_is_masked(text, names):
    words = masked(text, names).replace(MARK, " ").casefold()
    assert set("".join(char if char.isalpha() else " " for char in words).split()) <= REST


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("It was there.", ["WAS"]),
        ("Goutweed is a herb.", ["gout"]),
        ("An asthma attack", ["attack of asthma"]),
        ("He took a pill.", ["A"]),
        ("mi casa", ["myocardial infarction"]),
        ("Nothing of it", []),
    ],
)
def test_what_is_no_name_of_the_answer_stays(text, names):
    assert masked(text, names) == text


def test_a_gene_that_reads_like_a_word_is_masked_as_it_is_written():
    assert masked("It was WAS.", ["WAS"]) == f"It was {MARK}."


def test_neighbouring_marks_are_one_so_that_they_do_not_count_the_words():
    assert masked("gout gouty-arthritis\ngout", ["gout", "gouty arthritis"]) == f"{MARK}\n{MARK}"


_WORDS = st.sampled_from(
    ["gout", "Diabetes", "mellitus", "of", "the", "toe", "MI", "mice", "β", "(", ")", "-[treats]->", ".", "\n"]
)
_NAMES = st.lists(
    st.sampled_from(["gout", "diabetes mellitus", "the toe", "mellitus", "myocardial infarction"]), max_size=4
)


@given(text=st.lists(_WORDS, max_size=14).map(" ".join), names=_NAMES)
def test_no_name_is_left_and_what_is_left_stood_there(text, names):
    found = masked(text, names)
    words = canonical_name(found.replace(MARK, "\u2042")).split()
    for name in names:
        wanted = canonical_name(name).split()
        assert [words[place : place + len(wanted)] for place in range(len(words))].count(wanted) == 0
    place = 0
    for part in found.split(MARK):
        place = text.index(part, place) + len(part)


@given(text=st.text(max_size=80), names=st.lists(st.text(max_size=12), max_size=4))
def test_any_text_and_any_names_are_taken(text, names):
    assert isinstance(masked(text, names), str)
