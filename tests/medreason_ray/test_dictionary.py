"""Which names stand in a text, and where."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.semantics import canonical_type, node_types
from medreason_ray.linking.dictionary import TYPE_PREFERENCE, Dictionary, english_words
from medreason_ray.linking.folding import canonical_name
from medreason_ray.linking.lexicon import synonym_groups
from tests.medreason_ray.drawn import Row, graph

DATA = Path(__file__).parents[3] / "shared" / "data"


def dictionary(*nodes: Row | tuple[str, str]) -> Dictionary:
    return Dictionary(graph(*nodes), min_chars=3)


def found(words: Dictionary, text: str) -> list[str]:
    return [text[span.start : span.end] for span in words.spans(text)]


def first(words: Dictionary, text: str) -> list[str]:
    return [candidate.node_id for candidate in words.spans(text)[0].candidates]


# --- what matches -------------------------------------------------------------------------------------------------


def test_the_longest_name_wins() -> None:
    words = dictionary(("diabetes", "disease"), ("diabetes mellitus", "disease"), ("mellitus type", "disease"))
    assert found(words, "diabetes mellitus type 2, diabetes") == ["diabetes mellitus", "diabetes"]


def test_a_longer_name_that_ends_in_a_word_does_not_hide_a_shorter_one() -> None:
    words = dictionary(("asthma", "disease"), ("asthma attack", "disease"))
    assert found(words, "asthma attacked her") == ["asthma"]


@pytest.mark.parametrize("text", ["adrenal", "renally", "renal2"])
def test_a_name_within_a_word_is_none(text: str) -> None:
    assert found(dictionary(("renal", "anatomy")), text) == []


@pytest.mark.parametrize("text", ["renal", "(Renal)", "pre-renal", "RENAL/hepatic", "x\nrenal\t", "renal's"])
def test_a_name_between_boundaries_is_found(text: str) -> None:
    assert [each.lower() for each in found(dictionary(("renal", "anatomy")), text)] == ["renal"]


def test_a_synonym_is_found_and_says_so() -> None:
    words = dictionary({"name": "hypertension", "type": "disease", "synonyms": ["high blood pressure"]})
    assert words.spans("High  Blood\nPressure")[0].candidates[0].method == "synonym"


def test_short_names_and_names_without_a_letter_are_left_out() -> None:
    assert len(dictionary(("ab", "disease"), ("1,2-3", "drug"), ("", "drug"))) == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Kidney Neoplasms", "a kidney neoplasm"),
        ("metastasis", "metastases"),
        ("Abscess", "two abscesses"),
        ("biopsy", "biopsies"),
        ("beta blocker", "β-blockers"),
        ("TNF-alpha", "TNFα"),
        ("Crohn disease", "Crohn's disease"),
        ("Oedema", "edema"),
        ("Anemia, hemolytic", "anaemia, haemolytic"),
        ("tumor", "a tumour"),
        ("ischaemic colitis", "ischemic-colitis"),
        ("e\u0301tat", "\u00e9tats"),
        ("Sjogren's Syndrome", "Sjo\u0308gren syndrome"),
    ],
)
def test_variants_of_a_name_meet(name: str, text: str) -> None:
    assert len(found(dictionary((name, "disease")), text)) == 1


@pytest.mark.parametrize("text", ["pneumonia", "pnuemonia", "pneumnia", "pneumoniaa", "pneumomia"])
def test_a_misspelt_word_is_read_where_one_word_fits(text: str) -> None:
    words = dictionary(("Pneumonia", "disease"), ("Necrotizing pneumonia", "disease"))
    method = "exact" if text == "pneumonia" else "spelling"
    assert [c.method for s in words.spans(f"necrotizing, {text}.") for c in s.candidates] == [method] * (
        text != "pneumoniaa"
    )


def test_a_negated_name_is_another_name() -> None:
    words = dictionary(("Hodgkin lymphoma", "disease"), ("lymphoma", "disease"))
    assert found(words, "non-Hodgkin lymphoma") == ["lymphoma"]


def test_a_lexicon_s_wording_names_the_node_of_its_formal_name() -> None:
    words = dictionary({"node_id": "HP:1", "name": "Dyspnoea", "type": "disease"})
    assert found(words, "SOB, sob, shortness of breath") == ["SOB", "shortness of breath"]


def test_an_abbreviation_means_what_the_text_says() -> None:
    words = dictionary(("Pulmonary embolism", "disease"), ("PE", "gene/protein"))
    spans = words.spans("PE (polyethylene). A pulmonary embolism (PE) was found; the PE resolved.")
    assert [each.candidates[0].node_id for each in spans] == ["Pulmonary embolism"] * 4


def test_an_english_word_and_its_negation_are_no_abbreviation() -> None:
    words = dictionary(("arsenic", "chemical"), ("Hodgkin lymphoma", "disease"))
    assert found(words, "arsenic (As). As she drank, Hodgkin lymphoma (HL); non-HL") == [
        "arsenic", "As", "Hodgkin lymphoma", "HL",
    ]  # fmt: skip


def test_many_definitions_are_read_in_linear_time() -> None:
    words = dictionary(("deep vein thrombosis", "disease"))
    assert len(found(words, "deep vein thrombosis (DVT) " * 3_000)) == 6_000


def test_shorthand_is_a_gene_where_genes_are_spoken_of() -> None:
    words = dictionary(("CAD", "gene/protein"), ("x1", "drug"))
    assert found(words, "a history of CAD. x1 x1 x1 x1 x1 x1 x1 x1 x1 x1 x1 x1 a CAD mutation")[-1] == "CAD"
    assert found(words, "a history of CAD") == []


def test_a_side_effect_comes_first_where_one_is_spoken_of() -> None:
    words = dictionary(
        {"node_id": "UMLS:1", "name": "Nausea", "type": "effect/phenotype"},
        {"node_id": "MESH:1", "name": "Nausea", "type": "effect/phenotype"},
    )
    assert [first(words, "nausea")[0], first(words, "an adverse effect such as nausea")[0]] == ["MESH:1", "UMLS:1"]


# --- gene symbols and English words -----------------------------------------------------------------------------


def test_a_gene_symbol_counts_in_its_own_case_only() -> None:
    words = dictionary(("G6PD", "gene/protein"), ("C9orf72", "gene/protein"), ("HFE", "gene/protein"))
    assert found(words, "G6PD g6pd G6pd C9orf72 C9ORF72 hfe HFE") == ["G6PD", "C9orf72", "HFE"]


def test_a_protein_written_as_a_word_counts_in_any_case() -> None:
    assert found(dictionary(("Insulin", "gene/protein")), "insulin INSULIN") == ["insulin", "INSULIN"]


def test_a_gene_in_the_wrong_case_leaves_the_name_to_others() -> None:
    words = dictionary(
        {"node_id": "gene", "name": "AGT", "type": "gene/protein"},
        {"node_id": "drug", "name": "Agt", "type": "drug"},
    )
    assert [first(words, "agt"), first(words, "AGT")] == [["drug"], ["drug", "gene"]]


@pytest.mark.parametrize("word", ["was", "she", "met", "impact", "set", "rest", "cat", "ran", "large", "son", "ski"])
def test_an_english_word_links_nothing_of_any_type(word: str) -> None:
    words = dictionary((word.upper(), "gene/protein"), (word, "disease"), (word.title(), "biological_process"))
    assert found(words, f"{word} {word.upper()} {word.title()}") == []


@pytest.mark.parametrize("word", ["heart", "hr", "ret", "des"])
def test_anatomy_and_shorthand_link_no_gene_but_others(word: str) -> None:
    words = dictionary(
        {"node_id": "gene", "name": word.upper(), "type": "gene/protein"},
        {"node_id": "other", "name": word + "x", "type": "anatomy", "synonyms": [word, "xxx"]},
    )
    assert found(words, f"{word.upper()} {word}x") == ([word.upper()] if len(word) > 2 else []) + [word + "x"]


def test_words_are_folded_and_the_general_ones_block_genes_too() -> None:
    general, for_genes, _ = english_words()
    assert general < for_genes
    assert all(word == canonical_name(word) and " " not in word for word in for_genes)


# --- candidates ---------------------------------------------------------------------------------------------------


def test_candidates_come_by_exactness_type_degree_and_id() -> None:
    nodes: list[Row] = [
        {"node_id": "synonym", "name": "x", "type": "disease", "synonyms": ["fever"]},
        {"node_id": "gene", "name": "Fever", "type": "gene/protein"},
        {"node_id": "b", "name": "fever", "type": "disease", "degree": 1},
        {"node_id": "a", "name": "fever", "type": "disease", "degree": 1},
        {"node_id": "busy", "name": "FEVERs", "type": "disease", "synonyms": ["x"], "degree": 9},
        {"node_id": "hub", "name": "fever", "type": "disease", "degree": 9},
        {"node_id": "sign", "name": "fever", "type": "effect/phenotype"},
        {"node_id": "odd", "name": "fever", "type": "unheard of"},
    ]
    orders = [first(dictionary(*order), "fever") for order in (nodes, nodes[::-1])]
    assert orders == [["busy", "hub", "a", "b", "sign", "odd", "synonym"]] * 2


def test_every_canonical_type_has_its_place() -> None:
    assert sorted(TYPE_PREFERENCE) == sorted(each.type for each in node_types())


# --- offsets ------------------------------------------------------------------------------------------------------

LETTERS = "aßİıµβΣςéﬁ™½Ǆ\u0301\u0327A b\n\t-½Ⅷ\xa0\u2003\x1f"
NAMES = st.text(LETTERS, min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("β-blocker", "İßﬁ β-Blocker"),
        ("µ-opioid", "ŉŉ μ-OPIOID"),
        ("Straße", "  \n STRASSE"),
        ("café au lait", "ﬁﬁ Cafe\u0301  au\u2003lait"),
        ("fibrosis", "½ ﬁbrosis"),
    ],
)
def test_offsets_are_those_of_the_text_as_written(name: str, text: str) -> None:
    assert [canonical_name(each) for each in found(dictionary((name, "disease")), text)] == [canonical_name(name)]


@settings(deadline=None, max_examples=300)
@given(st.lists(NAMES, min_size=1, max_size=4), st.lists(NAMES, max_size=6))
def test_every_span_folds_to_a_name_of_its_nodes(names: list[str], noise: list[str]) -> None:
    words = Dictionary(graph(*[(name, "disease") for name in names]), min_chars=1)
    text = " ".join([*noise, *[name.swapcase() for name in names], *noise])
    spans = words.spans(text)
    meant = [(s, c) for s in spans for c in s.candidates if c.method != "spelling"]
    assert all(canonical_name(text[s.start : s.end]) == canonical_name(c.node_id) for s, c in meant)
    assert all(one.end <= other.start for one, other in pairwise(spans))


@settings(deadline=None, max_examples=100)
@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert dictionary(("renal", "anatomy")).spans(text + "\ud800 renal\x00")[-1].end == len(text) + 7


def test_a_very_long_question_is_read_to_its_end() -> None:
    words = dictionary(("pain", "disease"), ("e\u0301", "disease"))
    text = "\u0301\u0316" * 20_000 + "a" * 60_000 + " pain"
    assert found(words, text) == ["pain"]


# --- real stems ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_dictionary() -> Dictionary:
    """All names of Hetionet."""
    file = DATA / "hetionet" / "hetionet-v1.0-nodes.tsv"
    if not file.is_file():
        pytest.skip(f"the real graph is not at {file}")
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return dictionary(
        *({"node_id": row["id"], "name": row["name"], "type": canonical_type("hetionet", row["kind"])} for row in rows)
    )


@pytest.mark.parametrize("file", ["medbullets_op4.jsonl", "medqa_test.jsonl"])
def test_no_english_word_of_a_real_stem_is_a_gene(file: str, real_dictionary: Dictionary) -> None:
    stems = [json.loads(line)["question"] for line in (DATA / "qa" / file).read_text(encoding="utf-8").splitlines()]
    spans = [(stem[s.start : s.end], s.candidates[0]) for stem in stems for s in real_dictionary.spans(stem)]
    genes = {text for text, best in spans if best.type == "gene/protein"}
    assert len(spans) > 5 * len(stems)
    assert genes
    # Lower-case text names a gene by a wording that the lexicon lists on purpose ("insulin"), or not at all.
    spoken = {canonical_name(word) for group in synonym_groups()["gene/protein"] for word in group}
    lower = {canonical_name(text) for text in genes if text == text.lower()}
    assert lower <= spoken
    assert not lower & english_words()[1]
