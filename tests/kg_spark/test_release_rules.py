"""Which chain of a question is released, which is not and why, and what of the question is given away."""

import random
import re
import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.config import ReleaseConfig, StrictConfig
from conf.outcome import Flag, Reason
from kg_spark.release.join import read_questions
from kg_spark.release.settle import settle, text_digest
from kg_spark.release.stem import SHARED_WORDS, shared_passage
from kg_spark.screening.words import words
from tests.conf.shared_data import DATA
from tests.kg_spark.drawn_release import STEM, asked, chain

EVALUATION = ReleaseConfig(purpose="evaluation")
PERMISSIVE = ReleaseConfig(licence="permissive")
UNKNOWN_EDGE = [{"edge_id": "e", "sources": ["primekg"], "licence": None}]

# Each chain bears its own fault and all that come after it, so the first that holds must be the one that is told.
FAULTS = [
    (Reason.NO_STEPS, {"steps": 0}),
    (Reason.TOO_MANY_STEPS, {"flags": ["TOO_MANY_STEPS"]}),
    (Reason.OTHER_GRAPH, {"kg_version": "older"}),
    (Reason.NO_CITATION, {"grounded": None}),
    (Reason.UNGROUNDED, {"grounded": 0.5, "bad_edges": ["e"]}),
    (Reason.AMBIGUOUS_ANSWER, {"flags": ["AMBIGUOUS_ANSWER"]}),
    (Reason.WRONG_CONCLUSION, {"flags": ["WRONG_CONCLUSION"]}),
    (Reason.REFUSED, {"flags": ["REFUSED"]}),
    (Reason.WRONG_BLIND, {"chain": False}),
    (Reason.COPIES_STEM, {"reasoning": f"It is said: {STEM.upper()}"}),
    (Reason.LICENCE, {"edges": UNKNOWN_EDGE}),
    (Reason.NOT_STRICT, {"cited_share": 0.4}),
]


def with_faults(number):
    found = chain()
    for _, changes in reversed(FAULTS[number:]):
        found |= {**changes, "flags": [*found["flags"], *changes.get("flags", [])]}
    return found


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[reason.name for reason, _ in FAULTS])
def test_the_first_reason_that_holds_is_told(number):
    every = ReleaseConfig(licence="permissive", min_tier="strict", questions="ids_only")
    told = settle(asked(with_faults(number), licence=None if number < 10 else "Apache-2.0"), every)
    assert told["reason"] == FAULTS[number][0].name


def test_a_sound_chain_is_released_with_all_that_is_known_of_it():
    found = chain(
        chain=True, judge_model="m", same_model=True, closed_book=False, masked=True, flags=["QUOTE_NOT_FOUND"]
    )
    row = settle(asked(found, foil_persuaded=True, flags=["INVERTED"]), ReleaseConfig())["release"]
    assert row == row | {
        "chain_id": "a",
        "dataset_name": "drawn",
        "question": STEM,
        "options": "Answer Choices:\nA. C\nB. E",
        "question_sha256": text_digest(STEM),
        "tier": "loose",
        "flags": ["INVERTED", "QUOTE_NOT_FOUND"],
        "closed_book_correct": False,
        "masked_correct": True,
        "foil_persuaded": True,
        "same_model": True,
        "sources": ["drawn"],
        "licences": ["Apache-2.0", "CC0-1.0"],
    }


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        *pairwise(
            [
                {"cited_share": 0.1, "chain": None, "flags": ["QUOTE_NOT_FOUND", "BROKEN_PATH"]},
                {"cited_share": 0.1, "chain": None, "flags": ["QUOTE_NOT_FOUND"]},
                {"cited_share": 0.1, "chain": True, "flags": ["QUOTE_NOT_FOUND"]},
                {"chain": None, "sample": 2},
                {"chain": None, "sample": 1},
                {"chain": True, "sample": 5},
            ]
        )
    ],
)
def test_the_better_of_two_that_hold_is_released(worse, better):
    for order in ([0, 1], [1, 0]):
        both = [chain("worse", **worse), chain("better", **better)]
        assert settle(asked(*[both[n] for n in order]), ReleaseConfig())["release"]["chain_id"] == "better"


def test_where_the_best_does_not_hold_another_that_does_is_released_and_forms_a_pair():
    best, other = chain("best", chain=True, flags=["WRONG_CONCLUSION"]), chain("other", cited_share=0.1)
    unclear = chain("unclear", kg_version="older")
    told = settle(asked(best, other, unclear), ReleaseConfig())
    assert told["release"]["chain_id"] == "other"
    assert [(pair["chosen"], pair["rejected"], pair["pair_kind"]) for pair in told["pairs"]] == [
        ("other", "best", "WRONG_CONCLUSION")
    ]


def test_a_question_is_closed_for_what_is_wrong_with_its_best_chain():
    findings = [{"step": 0, "flag": "WRONG_CONCLUSION", "detail": "names E"}]
    best = chain("best", chain=True, flags=["WRONG_CONCLUSION"], findings=findings)
    told = settle(asked(chain("other", steps=0, cited_share=None, chain=False), best), ReleaseConfig())
    assert (told["release"], told["reason"], told["detail"]) == (None, "WRONG_CONCLUSION", "best names E")


@pytest.mark.parametrize(
    ("of_chain", "of_question", "strict"),
    [
        ({"cited_share": 0.5}, {"answer_coverage": 0.8, "flags": ["PARTIAL_ANSWER"]}, True),
        ({"cited_share": 0.49}, {}, False),
        ({"cited_share": None}, {}, False),
        ({}, {"answer_coverage": 0.79}, False),
        ({}, {"answer_margin": 0.0}, False),
        ({}, {"answer_margin": None}, False),
        ({}, {"answer_margin": None, "options": [], "answer_key": ""}, True),
        ({}, {"flags": ["NO_RIVAL"]}, False),
        ({}, {"flags": ["NEEDS_IMAGE"]}, False),
        ({"flags": [Flag.BROKEN_PATH.name]}, {}, False),
        ({"flags": ["NEVER_HEARD_OF"]}, {}, False),
    ],
)
def test_strict_is_what_passes_every_check(of_chain, of_question, strict):
    question = asked(chain(**of_chain), **of_question)
    assert settle(question, ReleaseConfig())["release"]["tier"] == ("strict" if strict else "loose")
    assert settle(question, ReleaseConfig(min_tier="strict"))["reason"] == (None if strict else "NOT_STRICT")


def test_thresholds_are_configuration():
    lax = ReleaseConfig(strict=StrictConfig(cited_share=0.1, ignore_flags=("INVERTED",)))
    assert settle(asked(chain(cited_share=0.2), flags=["INVERTED"]), lax)["release"]["tier"] == "strict"


@pytest.mark.parametrize(
    ("question", "edge", "reason"),
    [
        ("Apache-2.0", "CC0-1.0", None),
        ("Apache-2.0", "CC-BY-SA-4.0", "edge e of drawn: CC-BY-SA-4.0"),
        ("Apache-2.0", "CC-BY-NC-4.0 OR CC0-1.0", None),
        ("Apache-2.0", "CC-BY-NC-4.0 AND CC0-1.0", "edge e of drawn: CC-BY-NC-4.0 AND CC0-1.0"),
        ("Apache-2.0", None, "edge e of drawn: unknown"),
        (None, "CC0-1.0", "questions of drawn: unknown"),
        ("CC-BY-NC-4.0", "CC0-1.0", "questions of drawn: CC-BY-NC-4.0"),
    ],
)
def test_permissive_takes_only_what_is_known_to_be(question, edge, reason):
    edges = [{"edge_id": "e", "sources": ["drawn"], "licence": edge}]
    given_away = asked(chain(edges=edges), licence=question)
    told = settle(given_away, PERMISSIVE)
    assert (told["reason"], told["detail"]) == (("LICENCE", f"a {reason}") if reason else (None, None))
    assert settle(given_away, ReleaseConfig())["release"]["licences"] == sorted(
        {question or "unknown", edge or "unknown"}
    )


def test_a_published_test_set_is_never_released_for_training():
    question = asked(is_test_set=True)
    assert settle(question, ReleaseConfig(questions="full"))["reason"] == "CONTAMINATED"
    assert settle(question, EVALUATION)["release"] is not None


def test_a_question_of_unknown_terms_is_given_by_its_id():
    worse = chain("worse", flags=["WRONG_CONCLUSION"])
    told = settle(asked(chain(), worse, licence=None), ReleaseConfig())
    row = told["release"]
    assert (row["question"], row["options"], row["answer"]) == (None, None, "C")
    assert (row["question_sha256"], row["quotes"]) == (text_digest(STEM), [{"step": 1, "start": 2, "end": 7}])
    assert [(pair["chosen_text"], pair["rejected_text"]) for pair in told["pairs"]] == [(None, None)]
    assert settle(asked(chain(), licence=None), ReleaseConfig(questions="full"))["release"]["question"] == STEM


def test_what_may_not_be_given_away_is_not_the_worse_half_of_a_pair():
    copies = chain("copies", flags=["WRONG_CONCLUSION"], reasoning=STEM)
    unknown = chain("unknown", flags=["WRONG_CONCLUSION"], edges=UNKNOWN_EDGE)
    assert settle(asked(chain(), copies, licence=None), ReleaseConfig())["pairs"] == []
    assert settle(asked(chain(), unknown), PERMISSIVE)["pairs"] == []


WORDS = st.lists(st.text(string.ascii_letters + "ßéλ0", min_size=1, max_size=4), min_size=0, max_size=30)


@given(stem=WORDS, before=WORDS, after=WORDS, cut=st.data())
def test_eight_words_in_a_row_are_found_however_they_are_written(stem, before, after, cut):
    start = cut.draw(st.integers(0, len(stem)))
    taken = stem[start : start + SHARED_WORDS]
    written = " ".join([*before, "-".join(word.upper() for word in taken), *after])
    found = shared_passage(", ".join(stem), written)
    if len(words(" ".join(taken))) >= SHARED_WORDS:
        assert found is not None
    if found is not None:
        assert len(found.split()) == SHARED_WORDS
        assert f" {found} " in f" {' '.join(words(' '.join(stem)))} "
        assert f" {found} " in f" {' '.join(words(written))} "


@given(st.integers(0, 10_000))
def test_no_row_whose_question_is_withheld_shares_eight_words_with_it(seed):
    draw = random.Random(seed)
    stem = words(STEM)
    start, length = draw.randrange(len(stem)), draw.randrange(4, 14)
    found = chain(reasoning=f"So {' '.join(stem[start : start + length])} it is.")
    told = settle(asked(found, licence=None), ReleaseConfig())
    row = told["release"]
    assert (row is None) == (min(length, len(stem) - start) >= SHARED_WORDS)
    if row:
        assert shared_passage(STEM, row["reasoning"]) is None


def passages(text):
    """Runs of eight words, split at blanks and stripped of their punctuation: another reading than the code's own."""
    bare = [re.sub(r"^\W+|\W+$", "", word).lower() for word in text.split()]
    found = [word for word in bare if word]
    return {tuple(found[n : n + 8]) for n in range(len(found) - 7)}


@pytest.mark.parametrize(("file", "layout"), [("medbullets_op4.jsonl", "medbullets"), ("medqa_test.jsonl", "medqa")])
def test_no_released_chain_of_a_real_exam_question_holds_eight_words_of_its_stem(file, layout):
    path = DATA / "qa" / file
    if not path.exists():
        pytest.skip(f"{path} is not there: this test reads the shared data")
    fates = {True: 0, False: 0}
    for number, each in enumerate(read_questions(str(path), layout)):
        stem = each.question.split()
        start, length = (number * 7) % max(1, len(stem) - 12), 4 + number % 9
        copies = chain("copies", reasoning=f"1. Here {' '.join(stem[start : start + length]).upper()}, so it is.")
        alone = asked(copies, question=each.question, licence=None)
        beside = asked(copies, chain("own", sample=1, cited_share=0.1), question=each.question, licence=None)
        row, other = (settle(drawn, EVALUATION)["release"] for drawn in (alone, beside))
        assert not passages(other["reasoning"]) & passages(each.question)
        assert row is None or not passages(row["reasoning"]) & passages(each.question)
        fates[row is None] += 1
    assert min(fates.values()) > 50
