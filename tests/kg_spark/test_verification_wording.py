"""A step's words agree with its edge: an edge's own phrases always, in the right direction only; other wordings as they mean."""

import pytest

from conf.semantics import Relation, relations
from kg_spark.verification.check import check
from kg_spark.verification.lexicon import _SETS, Lexicon, lexicon
from kg_spark.verification.reading import read
from kg_spark.verification.words import Names, words_of
from tests.kg_spark.verified import (
    DP,
    FD,
    HD,
    HP,
    HT,
    PC,
    TD,
    WG,
    chain,
    cited,
    context,
    edge,
    edge_of,
    flags,
    general,
    kg,
)  # fmt: skip

WORDED = {(each.phrase, each.inverse_phrase, each.polarity, each.kind): each for each in relations()}
NODES = {"S": ("alphatene",), "D": ("gamma betadase",)}


def wording(relation: Relation, text: str, names: dict[str, tuple[str, ...]] = NODES) -> set[str]:
    """What is found in the words of a step that cites one edge of a relation, from S to D."""
    fact = edge_of("S", relation, "D")
    claim = {"path_id": "", "hop": 0} | {key: fact[key] for key in ("edge_id", "src", "relation", "dst")}
    shown = context().case
    shown["edges"], shown["pairs"][0]["paths"][0] = (
        [fact],
        shown["pairs"][0]["paths"][0] | {"path_id": "", "steps": [[0]]},
    )
    row = check(chain(kg(text, claim)), context(case=shown, edges=(fact,), names=names))
    return {each["flag"] for each in row["findings"] if each["step"]}


@pytest.mark.parametrize("relation", WORDED.values(), ids=str)
def test_an_edges_own_phrases_are_right_in_their_direction_and_wrong_in_the_other(relation: Relation) -> None:
    (s,), (d,) = NODES.values()
    for frame in ("{}.", "{}", "{}, which is well known.", "In most patients {}.", "Therefore {} as well."):
        for said in (f"{s} {relation.phrase} {d}", f"{d} {relation.inverse_phrase} {s}"):
            assert wording(relation, frame.format(said)) == set(), said
    if not relation.symmetric and relation.phrase != relation.inverse_phrase:
        for said in (f"{d} {relation.phrase} {s}.", f"{s} {relation.inverse_phrase} {d}."):
            assert wording(relation, said) == {"TURNED_ROUND"}, said


@pytest.mark.parametrize("relation", WORDED.values(), ids=str)
def test_names_that_hold_wordings_or_each_other_change_nothing(relation: Relation) -> None:
    names = {"S": ("increased pressure that treats",), "D": ("increased pressure",)}
    assert wording(relation, f"increased pressure that treats {relation.phrase} increased pressure.", names) == set()


@pytest.mark.parametrize(
    "relation", [each for each in WORDED.values() if each.phrase.split()[0] in {"is", "can"}], ids=str
)
def test_an_edges_own_phrase_denied_is_found(relation: Relation) -> None:
    first, rest = relation.phrase.split(" ", 1)
    (s,), (d,) = NODES.values()
    assert "NEGATED" in wording(relation, f"{s} {first} not {rest} {d}.")


SOUND = [
    (HD, "Heparin treats DVT."),
    (HD, "DVT is treated by heparin."),
    (HD, "DVT responds to heparin."),
    (HD, "Heparin is not contraindicated in DVT."),
    (HD, "Heparin is the drug of choice for DVT."),
    (HD, "Heparin does not fail to relieve DVT."),
    (HD, "It is not unlikely that heparin treats DVT."),
    (HD, "Heparin decreases the risk of DVT."),
    (HD, "Heparin does not cause DVT."),
    (HD, "Heparin does not always treat DVT."),
    (HD, "Heparin cannot always treat DVT."),
    (HD, "Heparin does not fully relieve DVT."),
    (HD, "Heparin does not necessarily treat DVT."),
    (HD, "DVT is linked to heparin."),
    (HD, "Heparin not only treats DVT, it is cheap."),
    (HD, "If heparin caused DVT, it would not be given."),
    (HD, "Does heparin cause DVT?"),
    (HD, "Heparin (which some say causes DVT) treats it."),
    (DP, "DVT can lead to PE."),
    (DP, "PE is due to DVT."),
    (DP, "DVT raises the risk of PE."),
    (DP, "PE results from DVT."),
    (DP, "DVT, if it is left alone, provokes PE."),
    (DP, "PE is a complication of DVT."),
    (DP, "DVT of the leg gives rise to PE."),
    (DP, "DVT does not prevent PE."),
    (DP, "DVT is associated with PE."),
    (DP, "Treatment of DVT with heparin prevents PE."),
    (PC, "Chest pain is a symptom of PE."),
    (PC, "PE presents with chest pain."),
    (PC, "Chest pain suggests PE."),
    (PC, "PE is associated with chest pain, but does not cause it."),
    (PC, "Chest pain points to PE."),
    (HT, "Heparin inhibits thrombin."),
    (HT, "Thrombin is an enzyme that heparin blocks."),
    (HT, "Thrombin is suppressed by heparin."),
    (HT, "Heparin is an inhibitor of thrombin."),
    (HT, "With heparin thrombin falls."),
    (WG, "Warfarin is contraindicated in pregnancy."),
    (WG, "Warfarin should not be given in pregnancy."),
    (WG, "Warfarin must be avoided in pregnancy."),
    (WG, "Pregnancy is a contraindication to warfarin."),
    (FD, "Factor V Leiden is linked to DVT."),
    (FD, "DVT is associated with factor V Leiden."),
    (FD, "DVT and factor V Leiden go together."),
]

WRONG = [
    (HD, "Heparin causes DVT.", "OPPOSITE_POLARITY"),
    (HD, "Heparin worsens DVT.", "OPPOSITE_POLARITY"),
    (HD, "Heparin raises the risk of DVT.", "OPPOSITE_POLARITY"),
    (HD, "DVT is caused by heparin.", "OPPOSITE_POLARITY"),
    (HD, "Heparin is contraindicated in DVT.", "OPPOSITE_POLARITY"),
    (HD, "Heparin should not be used in DVT.", "OPPOSITE_POLARITY"),
    (HD, "Heparin does not treat DVT.", "NEGATED"),
    (HD, "Heparin fails to relieve DVT.", "NEGATED"),
    (HD, "Heparin does little to relieve DVT.", "NEGATED"),
    (HD, "Heparin cannot treat DVT.", "NEGATED"),
    (HD, "Heparin does not really treat DVT.", "NEGATED"),
    (HD, "Heparin is unlikely to treat DVT.", "NEGATED"),
    (HD, "There is no evidence that heparin treats DVT.", "NEGATED"),
    (HD, "DVT treats heparin.", "TURNED_ROUND"),
    (HD, "Heparin is treated with DVT.", "TURNED_ROUND"),
    (DP, "PE causes DVT.", "TURNED_ROUND"),
    (DP, "DVT is caused by PE.", "TURNED_ROUND"),
    (DP, "DVT results from PE.", "TURNED_ROUND"),
    (DP, "DVT prevents PE.", "OPPOSITE_POLARITY"),
    (DP, "DVT lowers the risk of PE.", "OPPOSITE_POLARITY"),
    (DP, "DVT never causes PE.", "NEGATED"),
    (DP, "Loss of DVT causes PE.", "OPPOSITE_POLARITY"),
    (PC, "PE causes chest pain.", "ASSOCIATION_AS_CAUSE"),
    (PC, "Chest pain is due to PE.", "ASSOCIATION_AS_CAUSE"),
    (PC, "Chest pain presents with PE.", "TURNED_ROUND"),
    (PC, "PE does not present with chest pain.", "NEGATED"),
    (HT, "Heparin activates thrombin.", "OPPOSITE_POLARITY"),
    (HT, "Thrombin inhibits heparin.", "TURNED_ROUND"),
    (HT, "Heparin fails to inhibit thrombin.", "NEGATED"),
    (HT, "Thrombin, which heparin stimulates, clots.", "OPPOSITE_POLARITY"),
    (WG, "Warfarin is used to treat pregnancy.", "OPPOSITE_POLARITY"),
    (WG, "Warfarin is not contraindicated in pregnancy.", "NEGATED"),
    (FD, "Factor V Leiden causes DVT.", "ASSOCIATION_AS_CAUSE"),
    (FD, "Factor V Leiden increases DVT.", "SIGN_NOT_STATED"),
    (FD, "DVT is not associated with factor V Leiden.", "NEGATED"),
]


@pytest.mark.parametrize(("fact", "text"), SOUND, ids=[text for _, text in SOUND])
def test_a_sound_sentence_is_not_flagged(fact: dict[str, object], text: str) -> None:
    assert wording_of_fact(fact, text) == []


@pytest.mark.parametrize(("fact", "text", "flag"), WRONG, ids=[text for _, text, _ in WRONG])
def test_a_sentence_that_says_otherwise_than_its_edge_is_flagged(fact: dict[str, object], text: str, flag: str) -> None:
    assert wording_of_fact(fact, text) == [flag]


def wording_of_fact(fact: dict[str, object], text: str) -> list[str]:
    """What is found in the words of a step that cites one fact."""
    shown = context().case
    number = next(n for n, each in enumerate(shown["edges"]) if each["edge_id"] == fact["edge_id"])
    shown["pairs"][0]["paths"] = [shown["pairs"][0]["paths"][0] | {"steps": [[number]]}]
    claim = cited(fact, "long", hop=0)  # type: ignore[arg-type]
    row = check(chain(kg(text, claim)), context(case=shown))
    return sorted({each["flag"] for each in row["findings"] if each["step"]})


def test_signs_are_composed_along_the_cited_edges() -> None:
    both = cited(HT, "thrombin"), cited(TD, "thrombin")
    for text, expected in (
        ("Heparin lowers the risk of DVT by inhibiting thrombin.", []),
        ("Heparin inhibits thrombin and thereby prevents DVT.", []),
        ("Heparin inhibits thrombin, which reduces DVT.", []),
        ("By blocking thrombin, heparin promotes DVT.", ["OPPOSITE_POLARITY"]),
        ("Heparin, by way of thrombin, causes DVT.", ["OPPOSITE_POLARITY"]),
        ("Heparin inhibits thrombin but does not reduce DVT.", ["NEGATED"]),
    ):
        assert flags(kg("Thrombin contributes to DVT.", both[1]), kg(text, *both)) == expected, text


def test_a_claim_about_another_pair_than_any_edge_joins_is_found() -> None:
    assert flags(kg("Warfarin treats PE.", cited(HP, "short"))) == ["UNCITED_CLAIM", "UNNAMED_END"]


def test_background_may_say_what_it_will_but_not_the_opposite_of_the_graph() -> None:
    assert flags(general("Heparin is given into a vein.")) == []
    assert flags(general("Heparin causes DVT.")) == ["OPPOSITE_POLARITY"]


def test_a_short_symbol_is_a_name_only_as_it_is_spelt() -> None:
    names = Names({"gene": ("MET",), "disease": ("asthma",)})
    assert read("The patient met asthma.", names, ()) == []
    assert [sorted(each.left) for each in read("MET causes asthma.", names, ())] == [["gene"]]


@pytest.mark.parametrize(
    ("third", "base"),
    [
        ("increases", "increase"),
        ("suppresses", "suppress"),
        ("relies", "rely"),
        ("gives", "give"),
        ("treats", "treat"),
        ("is", "be"),
        ("less", None),
    ],
)
def test_a_third_person_is_led_back_to_its_base(third: str, base: str | None) -> None:
    assert lexicon().base(third) == base


def test_a_list_of_single_words_holds_none_that_no_text_has() -> None:
    known = lexicon()
    found = [word for name in _SETS for word in sorted(known.set(name)) if words_of(word) != (word,)]
    assert found == []


def test_the_lexicon_holds_words_alone() -> None:
    def texts(value: object) -> list[object]:
        if isinstance(value, dict):
            return [each for pair in value.items() for part in pair for each in texts(part)]
        return [each for part in value for each in texts(part)] if isinstance(value, list) else [value]

    assert isinstance(lexicon(), Lexicon)
    # YAML reads a bare `no` or `on` as false or true.
    listed = {name: each for name, each in lexicon().raw.items() if name != "relations"}
    listed["relations"] = [{k: v for k, v in row.items() if k != "extreme"} for row in lexicon().raw["relations"]]
    assert [each for each in texts(listed) if isinstance(each, bool)] == []


PART = edge("T", "part of", "G")
LINKED_ON = (edge("F", "associated with", "D"), edge("D", "part of", "G"))


@pytest.mark.parametrize(
    ("edges", "said", "expected"),
    [
        ((HT, PART), "Heparin inhibits the clot.", set()),
        ((HT, PART), "Heparin activates the clot.", {"OPPOSITE_POLARITY"}),
        (LINKED_ON, "Factor V Leiden is linked to the clot.", set()),
        (LINKED_ON, "Factor V Leiden causes the clot.", {"ASSOCIATION_AS_CAUSE"}),
        ((HT, TD), "Heparin is contraindicated in DVT.", {"SIGN_NOT_STATED"}),
    ],
)
def test_a_walk_is_held_to_the_signs_of_its_edges_whatever_lies_between(edges, said, expected) -> None:
    claims = [{"path_id": "", "hop": hop} | {k: each[k] for k in ("edge_id", "src", "relation", "dst")}
              for hop, each in enumerate(edges)]  # fmt: skip
    shown = context().case
    shown["edges"] = list(edges)
    shown["pairs"][0]["paths"][0] |= {"path_id": "", "steps": [[n] for n in range(len(edges))]}
    names = context().names | {"G": ("the clot",)}
    row = check(chain(kg(said, *claims)), context(case=shown, edges=edges, names=names))
    assert {each["flag"] for each in row["findings"] if each["step"]} - {"UNNAMED_END"} == expected


def test_the_words_of_one_hop_do_not_tell_the_others_that_a_step_cites() -> None:
    step = kg("Heparin decreases activity of thrombin.", cited(HT, "thrombin"), cited(TD, "thrombin"))
    row = check(chain(step), context())
    assert "UNNAMED_END" in {each["flag"] for each in row["findings"] if each["step"]}
