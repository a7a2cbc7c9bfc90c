"""What questions have in common: copies of any form are found, strangers are not, and nothing depends on the company."""

import random
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.config import ScreenConfig
from kg_spark.screening import entities, words
from kg_spark.screening.benchmark import Index, Said, build, said
from kg_spark.screening.compare import Comparison, Match, compare
from kg_spark.screening.coverage import coverage
from kg_spark.screening.duplicates import Alike, alike, bands, close

CONFIG = ScreenConfig()
LEAD = "Which of the following is the most likely diagnosis?"
CASE = (
    "A 34-year-old gardener has had a weeping blister on his forearm since he pruned roses nine days ago. Pink lumps have"
    " spread from it along the lymph vessels toward the axilla. Itraconazole is begun after a culture grows cigar-shaped yeast."
)
OTHER_CASE = (
    "A 61-year-old violinist cannot move her left eyelid and sees double when she gazes upward. A scan of the thorax shows an"
    " anterior mediastinal shadow, and ice laid on the lid lifts it. Pyridostigmine relieves the drooping within an hour."
)
OPTIONS = ("Sporotrichosis", "Cutaneous anthrax", "Cat scratch disease", "Leishmaniasis")
VOCABULARY = [
    f"{a}{b}{c}"
    for a in ("kor", "mel", "tib", "zan", "pru")
    for b in "aeiou"
    for c in ("dex", "lum", "nor", "vit", "gas")
]


def drawn(rng: random.Random, length: int = 60) -> str:
    """A stem of invented words, ended by the lead that all share."""
    return " ".join(rng.choice(VOCABULARY) + str(rng.randrange(9)) for _ in range(length)) + f". {LEAD}"


def index(*items: Said, origin: tuple[int, ...] = ()) -> Index:
    return build(items, origin or [0] * len(items), CONFIG)


def told(items: Index, *asked: Said, allowed: int = -1) -> list[Comparison]:
    return list(compare(items, asked, [allowed] * len(asked), CONFIG))


def rule(items: Index, question: str, options: tuple[str, ...] = OPTIONS) -> str | None:
    match = told(items, said(question, options, options[0]))[0].match
    return match and match.rule


KNOWN = index(said(f"{OTHER_CASE} {LEAD}", ("Myasthenia gravis", "Ptosis"), ""), said(f"{CASE} {LEAD}", OPTIONS, ""))


@pytest.mark.parametrize("order", list(permutations(OPTIONS)))
def test_a_copy_with_its_options_in_any_order_is_an_exact_one(order):
    [found] = told(KNOWN, said(f"{CASE} {LEAD}", order, ""))
    assert (found.nearest, found.similarity, found.match and found.match.score) == (1, 1.0, 1.0)


@pytest.mark.parametrize(
    ("question", "options", "expected"),
    [
        (f"{CASE} What is the best treatment?", ("Potassium iodide", "Doxycycline"), "grams"),
        (f"Consider this. {CASE.upper()} And so? {LEAD}", OPTIONS, "grams"),
        (" ".join(reversed(f"{CASE} {LEAD}".split())), OPTIONS, "jaccard"),
        (f"A stranger of 70 walks into a tavern in the snow and asks for nothing at all. {LEAD}", OPTIONS, None),
        (LEAD, ("Tetanus", "Botulism"), None),
        ("", (), None),
    ],
    ids=["other lead", "framed", "reversed", "same options", "lead alone", "empty"],
)
def test_what_is_a_copy_and_what_is_not(question, options, expected):
    assert rule(KNOWN, question, options or ("",)) == expected


CONTENT = words.content(words.words(" ".join((CASE, LEAD, *OPTIONS))))
MISSPELT = [f"{word}q" if number % 5 < 2 else word for number, word in enumerate(CONTENT)]
DRUGS = ("Voriconazole", "Amphotericin")


def backwards(*spoken: str) -> str:
    """The words turned round, so that no 8-gram is left."""
    return " ".join(reversed(" ".join(spoken).split()))


@pytest.mark.parametrize(
    ("name", "question", "options", "score"),
    [
        ("grams", " ".join([*CASE.split()[:20], *VOCABULARY[:40]]), DRUGS, 0.3389),
        ("jaccard", backwards(*CONTENT[:17]), ("",), 0.5862),
        ("fuzzy", backwards(*MISSPELT), ("",), 0.9713),
        ("words", backwards(CASE, *VOCABULARY[:30]), DRUGS, 0.7586),
    ],
    ids=["its beginning in another case", "a few of its words", "misspelt", "all of it in a longer case"],
)
def test_each_rule_finds_a_copy_that_no_other_does(name, question, options, score):
    asked = said(question, options, "")
    assert told(KNOWN, asked)[0].match == Match(1, name, score)
    [without] = compare(KNOWN, [asked], [-1], replace(CONFIG, **{name: 1.1}))
    assert (without.nearest, without.match) == (1, None)


def test_an_open_question_is_compared_by_its_answer():
    opened = said("Name the thorn-borne mycosis of gardeners.", (), "Sporothrix schenckii infection")
    assert told(
        index(opened),
        said("Name the thorn-borne mycosis of gardeners.", ("Sporothrix schenckii infection", "Anthrax"), ""),
    )[0].match


def test_grams_that_three_stems_share_say_nothing_and_the_literal_rule_counts_them():
    rng = random.Random(1)
    items = index(*[said(drawn(rng), ("a1", "b2"), "") for _ in range(3)], origin=(0, 1, 1))
    [found] = told(items, said(drawn(rng), ("c3", "d4"), ""))
    assert (found.match, found.origins) == (None, 0b11)


def test_what_may_not_be_compared_is_neither_match_nor_nearest_nor_literal():
    items = index(said(f"{CASE} {LEAD}", OPTIONS, ""), said(f"{OTHER_CASE} {LEAD}", ("x",), ""), origin=(0, 1))
    [found] = told(items, said(f"{CASE} {LEAD}", OPTIONS, ""), allowed=0b10)
    assert (found.match, found.nearest, found.origins) == (None, -1, 0b10)


def test_the_same_stem_in_two_benchmarks_is_found_in_the_one_that_may_be_compared():
    items = index(*[said(f"{CASE} {LEAD}", OPTIONS, "")] * 2, origin=(0, 1))
    assert [told(items, said(CASE, ("x", "y"), ""), allowed=bits)[0].match.item for bits in (0b01, 0b10, 0b11)] == [
        0,
        1,
        0,
    ]


@given(seed=st.integers(0, 10**6), cut=st.integers(1, 29))
@settings(max_examples=25, deadline=None)
def test_a_verdict_does_not_depend_on_the_company_or_the_order(seed, cut):
    rng = random.Random(seed)
    items = [said(drawn(rng), [drawn(rng, 3) for _ in range(4)], "") for _ in range(12)]
    asked = [*rng.sample(items, 6), *[said(drawn(rng), ["p", "q"], "") for _ in range(24)]]
    rng.shuffle(asked)
    known = index(*items)
    whole = told(known, *asked)
    assert sum(one.match is not None for one in whole) == 6
    assert whole == told(known, *asked[:cut]) + told(known, *asked[cut:])
    assert whole == list(reversed(told(known, *reversed(asked))))


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_planted_copy_is_found_and_named_whatever_is_done_to_its_order(seed):
    rng = random.Random(seed)
    stems = [(drawn(rng), tuple(drawn(rng, 2) for _ in range(4))) for _ in range(8)]
    number = rng.randrange(8)
    shuffled = stems[number][0].split()
    rng.shuffle(shuffled)
    options = rng.sample(stems[number][1], 4)
    [found] = told(index(*[said(*stem, "") for stem in stems]), said(" ".join(shuffled), options, ""))
    assert found.match is not None
    assert (found.match.item, found.similarity) == (number, 1.0)


def test_eight_grams_need_eight_words_and_know_their_order():
    assert [len(words.grams(words.hashes(["a"] * n))) for n in (0, 7, 8, 9)] == [0, 0, 1, 1]
    forth = words.grams(words.hashes("abcdefgh"))
    assert forth != words.grams(words.hashes("hgfedcba"))


def test_case_width_endings_and_common_words_do_not_count():
    assert (
        words.content(words.words("The patient presents with Ulcers"))
        == words.content(words.words("ＵＬＣＥＲ"))
        == ["ulcer"]
    )


NAMES = [
    ("hypertension", "D1"),
    ("high blood pressure", "D1"),
    ("gout", "D2"),
    ("colchicine", "C1"),
    ("fever", "P1"),
    ("chill", "P2"),
]
STEM = "High blood pressure, gout, fever and chills; colchicine was taken."


@pytest.mark.parametrize(
    ("mine", "answer", "expected"),
    [
        (("D1", "D2", "P1", "C1"), "Tophus", (0, 1.0)),
        (("D1", "D2", "P1", "C1", "X1"), "tophus.", (0, 1.0)),
        (("D1", "D2", "P1", "X1"), "Tophus", None),
        (("D1", "D2", "P1"), "Tophus", None),
        (("D1", "D2", "P1", "C1"), "Podagra", None),
    ],
)
def test_entities_and_the_same_answer_nominate(mine, answer, expected):
    known = entities.build([(STEM, "Tophus")], NAMES)
    assert known.of_item == (frozenset({"D1", "D2", "P1", "C1"}),)
    assert entities.near(known, mine, answer, lambda _: True, CONFIG) == expected


@pytest.mark.parametrize(
    ("answer", "spans", "share"),
    [("Cross-linking of DNA", [(17, 20)], 1 / 3), ("Gout", [(0, 4)], 1.0), ("Gout", [], 0.0), ("of the", [], 0.0)],
)
def test_coverage_counts_the_answer_s_content_words(answer, spans, share):
    assert coverage(answer, spans) == pytest.approx(share)


def test_alike_questions_share_a_band_and_strangers_none():
    rng = random.Random(3)
    texts = [words.content(words.words(drawn(rng))) for _ in range(40)]
    spoilt = [text[6:] for text in texts]
    keys = [set(found) for found in bands(map(words.hashes, [*texts, *spoilt, []]), CONFIG)]
    assert keys.pop() == set()
    assert all(keys[n] & keys[n + 40] for n in range(40))
    assert not any(keys[n] & keys[m] for n in range(40) for m in range(40) if n < m)


def test_the_same_case_asked_for_something_else_is_no_near_duplicate():
    text = " ".join(words.content(words.words(CASE)))
    assert alike(text, "Sporotrichosis", text, "sporotrichosis", CONFIG) == ("jaccard", 1.0)
    assert alike(text, "Sporotrichosis", text, "Itraconazole", CONFIG) is None


def test_misspelt_words_are_alike_by_levenshtein_s_ratio_alone():
    text, misspelt = (" ".join(words.content(each)) for each in (CONTENT, MISSPELT))
    pair = (text, "Sporotrichosis", misspelt, "sporotrichosis")
    assert alike(*pair, CONFIG) == ("fuzzy", 0.9713)
    assert alike(*pair, replace(CONFIG, fuzzy=0.98)) is None


@given(
    edges=st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda edge: edge[0] < edge[1])),
    seed=st.integers(),
)
def test_of_alike_questions_the_first_stays_and_what_is_closed_is_like_one_that_stays(edges, seed):
    pairs = [Alike(str(first), str(second), "jaccard", 0.9) for first, second in sorted(edges)]
    random.Random(seed).shuffle(pairs)
    closed = close(pairs)
    stays = {str(number) for number in range(10)} - set(closed)
    assert all(not (pair.first in stays and pair.second in stays) for pair in pairs)
    assert all(pair.second == key and pair.first in stays and pair in pairs for key, pair in closed.items())
    assert closed == close(sorted(pairs, key=lambda pair: pair.first))
