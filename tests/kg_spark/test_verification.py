"""What is wrong with a chain is found, each thing by its name, and a sound chain has no finding."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg_spark.verification.check import check
from kg_spark.verification.patient import numbers
from tests.kg_spark.verified import (
    DP,
    FD,
    HD,
    HP,
    HT,
    LINKS,
    NAMES,
    PC,
    TD,
    WD,
    WG,
    case,
    chain,
    cited,
    context,
    edge,
    flags,
    found,
    general,
    kg,
    link,
    told,
    walked,
)


def test_a_sound_chain_has_no_finding_and_its_shares_are_counted() -> None:
    steps = [told("He has chest pain.", "chest pain"), *walked(), general("Time matters here.")]
    row = check(chain(*steps), context())
    assert (row["flags"], row["findings"], row["bad_edges"], row["unsupported"], row["leaks"]) == ([], [], [], [], [])
    assert (row["cited_share"], row["background_share"], row["grounded"]) == (0.6, 0.2, 1.0)


CITATIONS = {
    "an edge that is not there": (cited(HD, "long", edge_id="0" * 16), {}, "UNGROUNDED"),
    "another end": (cited(HD, "long", dst="P"), {}, "UNGROUNDED"),
    "another relation": (cited(HD, "long", relation="prevents"), {}, "UNGROUNDED"),
    "turned round": (cited(HD, "long", src="D", dst="H"), {}, "UNGROUNDED"),
    "a path of no case": (cited(HD, "long", path_id="0" * 16), {}, "UNGROUNDED"),
    "another path than it lies on": (cited(HP, "long"), {}, "UNGROUNDED"),
    "an edge that the graph lost": (cited(HD, "long"), {"edges": (PC, DP)}, "UNGROUNDED"),
    "another hop": (cited(HD, "long", hop=0), {}, "BROKEN_PATH"),
}


@pytest.mark.parametrize("name", CITATIONS)
def test_a_citation_that_does_not_hold_is_found(name: str) -> None:
    claim, changes, flag = CITATIONS[name]
    assert flag in found(*walked()[:2], kg("DVT is treated with heparin.", claim), **changes)


def test_a_symmetric_edge_may_be_cited_from_either_end() -> None:
    steps = [
        *walked()[:2],
        kg("Factor V Leiden is associated with DVT.", cited(FD, "leiden", src=FD["dst"], dst=FD["src"])),
    ]
    assert "UNGROUNDED" not in found(*steps)


WALKS = {
    "a hop is left out": ([walked()[0], walked()[2]], {}, ["BROKEN_PATH"]),
    "hops out of order": ([walked()[2], walked()[1], walked()[0]], {}, ["BROKEN_PATH"]),
    "two paths spliced": (
        [walked()[0], kg("Heparin decreases the activity of thrombin.", cited(HT, "thrombin"))],
        {},
        ["BROKEN_PATH"],
    ),
    "a path to another option": ([*walked()[:2], kg("Warfarin treats DVT.", cited(WD, "rival"))], {}, ["BROKEN_PATH"]),
    "nothing in the question begins it": (walked(), {"links": LINKS[1:]}, ["BROKEN_PATH"]),
    "what begins it is denied": (
        walked(),
        {"links": [link("question", "", "C", "absent"), *LINKS[1:]]},
        ["BROKEN_PATH"],
    ),
    "nothing in the option ends it": (walked(), {"links": LINKS[:1]}, ["BROKEN_PATH"]),
    "an edge that two paths share is stated once": ([*walked(), kg("Heparin treats PE.", cited(HP, "short"))], {}, []),
    "two hops in one step, in any order": (
        [walked()[0], kg("DVT, which heparin treats, causes PE.", cited(HD, "long"), cited(DP, "long"))],
        {},
        [],
    ),
    "two edges that compose": (
        [
            *walked(),
            kg("By blocking thrombin, heparin lowers the risk of DVT.", cited(TD, "thrombin"), cited(HT, "thrombin")),
        ],
        {},
        [],
    ),
}


@pytest.mark.parametrize("name", WALKS)
def test_a_path_is_walked_whole_and_in_order(name: str) -> None:
    steps, changes, expected = WALKS[name]
    assert found(*steps, **changes) == expected


TOLD = {
    "a quote": (told("He has chest pain.", "chest pain"), []),
    "a quote that is not there": (told("He has a cough.", "a dry cough"), ["QUOTE_NOT_FOUND"]),
    "a finding denied": (told("He has no chest pain.", "chest pain"), ["NEGATED"]),
    "a denied finding told as present": (told("He has a fever.", "fever"), ["NEGATED"]),
    "a denied finding": (told("He is without fever.", "no fever"), []),
    "the dose": (told("He takes 500 mg a day.", "500 mg"), []),
    "another dose": (told("He takes 50 mg a day.", "500 mg"), ["UNKNOWN_NUMBER"]),
    "another unit": (told("He takes 500 mcg a day.", "500 mg"), ["UNKNOWN_NUMBER"]),
    "another age": (told("This 45-year-old man has chest pain.", "chest pain"), ["OTHER_PATIENT"]),
    "another sex": (told("She has chest pain.", "chest pain"), ["OTHER_PATIENT"]),
    "a child": (told("This child has chest pain.", "chest pain"), ["OTHER_PATIENT"]),
    "a number of a name": (general("COX-2 and type 2 diabetes play no part, nor does 5-HT."), []),
    "a threshold": (general("A troponin below 0.04 is usual."), []),
    "a dose that is general knowledge": (general("It is dosed by weight, 18 IU/kg an hour."), []),
    "an exclusion denied": (general("Warfarin cannot be ruled out."), []),
    "a dose of nowhere": (general("The usual dose is 80 mg."), ["UNKNOWN_NUMBER"]),
    "an exclusion by nothing": (general("This rules out warfarin."), ["UNSUPPORTED_EXCLUSION"]),
    "what it does not have": (general("Warfarin does not have this effect."), []),
    "what it cannot have": (general("Warfarin cannot therefore have this effect."), ["UNSUPPORTED_EXCLUSION"]),
    "what it should not be": (general("Warfarin should not be the first drug."), []),
    "what it cannot be": (general("Warfarin cannot be the drug."), ["UNSUPPORTED_EXCLUSION"]),
    "an exclusion by a normal result": (told("A normal troponin rules out infarction.", "Troponin is normal"), []),
    "the answer told": (general("Since the correct answer is heparin, we go on."), ["GIVES_ANSWER_AWAY"]),
    "the option told": (general("This speaks for option A."), ["GIVES_ANSWER_AWAY"]),
    "the option told in brackets": (general("This speaks for choice (A)."), ["GIVES_ANSWER_AWAY"]),
    "an option that begins like its letter": (general("The best option Aspirin works."), []),
    "another option": (general("This does not speak for option B."), []),
    "an entity of nowhere": (
        kg("Heparin treats PE, as in pregnancy.", cited(HP, "short"), mentions=("H", "P", "G")),
        ["UNKNOWN_ENTITY"],
    ),
    "an entity of a step before": (
        kg("Heparin treats PE, as it does DVT.", cited(HP, "short"), mentions=("H", "P", "D")),
        [],
    ),
    "an entity of an option": (
        kg("Heparin, unlike warfarin, treats PE.", cited(HP, "short"), mentions=("H", "P", "W")),
        [],
    ),
    "background may name what it will": (general("Pregnancy plays no part.", mentions=("G",)), []),
    "an end that is not named": (kg("Zolvamertin treats PE.", cited(HP, "short")), ["UNNAMED_END"]),
    "an end named as `this drug`": (kg("This drug treats PE.", cited(HP, "short")), []),
}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("1,200.5 mg", 1200.5),
        ("1,200 mg", 1200.0),
        ("1,200,000 IU", 1.2e6),
        ("1,5 mg", 1.5),
        ("0.25 mg", 0.25),
        ("12 mg", 12.0),
    ],
)
def test_a_number_is_read_with_its_thousands_and_decimals(said: str, value: float) -> None:
    assert [each.value for each in numbers(said)] == [value]


@pytest.mark.parametrize("name", TOLD)
def test_what_a_step_says_beside_its_edges_stands_in_the_question(name: str) -> None:
    step, expected = TOLD[name]
    assert flags(step) == expected


BAD = {
    "no steps": ({"steps": []}, "NO_STEPS"),
    "no list of steps": ({"steps": None, "evidence": None}, "NO_STEPS"),
    "too many steps": ({"steps": [general("So.")] * 10_000}, "TOO_MANY_STEPS"),
    "another graph": ({"kg_version": "w"}, "OTHER_GRAPH"),
    "no citation": ({"steps": [general("So.")], "evidence": []}, "NO_CITATION"),
    "a cited step without edges": ({"steps": [kg("So.")], "evidence": []}, "UNGROUNDED"),
    "nulls": (
        {"steps": [general(None) | {"edges": None, "mentions": None}], "conclusion": None, "evidence": None},
        "WRONG_CONCLUSION",
    ),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_flagged(name: str) -> None:
    changes, flag = BAD[name]
    assert flag in check(chain(*walked(), **changes), context())["flags"]


def test_a_chain_without_case_or_question_is_flagged() -> None:
    empty = dict.fromkeys((*case(), "question"))
    row = check(chain(*walked()), context(case=empty, question=empty, links=[], edges=(), names={}))
    assert {"OTHER_GRAPH", "UNGROUNDED", "WRONG_CONCLUSION"} <= set(row["flags"])
    assert (row["grounded"], row["bad_edges"]) == (0.0, sorted(each["edge_id"] for each in (PC, DP, HD)))


def test_names_outside_ascii_are_read() -> None:
    names = NAMES | {"H": ("Héparine β",), "D": ("深部静脉血栓", "DVT")}
    steps = [*walked()[:2], kg("深部静脉血栓 is treated with héparine Β.", cited(HD, "long"))]
    assert found(*steps, names=names) == []
    turned = [*walked()[:2], kg("héparine Β is treated with 深部静脉血栓.", cited(HD, "long"))]
    assert found(*turned, names=names) == ["TURNED_ROUND"]


def test_an_exclusion_may_rest_on_a_contraindication_that_names_what_is_excluded() -> None:
    against = edge("W", "contraindicated in", "D")
    shown = case()
    shown["edges"].append({key: against[key] for key in ("edge_id", "src", "relation", "dst")})
    shown["pairs"][0]["paths"][0]["steps"][2].append(len(shown["edges"]) - 1)
    step = kg("Warfarin is contraindicated in DVT, so it is ruled out.", cited(against, "long", hop=2))
    edges = (PC, DP, HD, HP, WG, against)
    assert found(*walked(), step, case=shown, edges=edges) == []


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=80), st.text(max_size=30), st.integers(-5, 300), st.integers(-5, 300))
def test_no_text_makes_it_crash(text: str, conclusion: str, start: int, end: int) -> None:
    quoted = told(text, "chest pain") | {"quote": {"start": start, "end": end}}
    steps = [*walked(), kg(text, cited(HP, "short"), mentions=("?",)), quoted, general(text)]
    row = check(chain(*steps, conclusion=conclusion), context(names=NAMES | {"H": (text, "heparin")}))
    assert row == check(chain(*steps, conclusion=conclusion), context(names=NAMES | {"H": (text, "heparin")}))
    assert row["flags"] == sorted({each["flag"] for each in row["findings"]})
