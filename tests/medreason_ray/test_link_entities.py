"""Which names stand in a text, where, and what becomes of them."""

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import ray
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.config import LinksConfig
from conf.flow import step
from conf.outcome import Outcome, check_row_law
from conf.semantics import canonical_type, node_types
from conf.tables import NODES, QUESTIONS
from medreason_ray.linking.dictionary import TYPE_PREFERENCE, Dictionary, english_words
from medreason_ray.linking.folding import canonical_name
from medreason_ray.linking.lexicon import synonym_groups
from medreason_ray.linking.linker import Linker
from medreason_ray.linking.vectors import in_memory
from medreason_ray.stages import link_entities
from medreason_ray.stages.link_question import link_question

DATA = Path(__file__).parents[3] / "shared" / "data"
Row = dict[str, Any]


def graph(*nodes: Row | tuple[str, str]) -> pa.Table:
    """A nodes table; a node is (name, type) or more columns, its id the name unless given."""
    rows = [{"name": node[0], "type": node[1]} if isinstance(node, tuple) else node for node in nodes]
    defaults: Row = {"synonyms": [], "generic": False, "degree": 1}
    full = [defaults | {"node_id": row["name"]} | row for row in rows]
    return pa.Table.from_pylist(full, schema=NODES.schema)


def dictionary(*nodes: Row | tuple[str, str]) -> Dictionary:
    return Dictionary(graph(*nodes), min_chars=3)


def found(words: Dictionary, text: str) -> list[str]:
    return [text[span.start : span.end] for span in words.spans(text)]


def first(words: Dictionary, text: str) -> list[str]:
    return [candidate.node_id for candidate in words.spans(text)[0].candidates]


def question(question_id: str = "q", **columns: Any) -> Row:
    """A row of `questions` with two options, A the right one."""
    options = [{"key": "A", "text": ""}, {"key": "B", "text": ""}]
    given_ = {"question_id": question_id, "role": "work", "question": "", "options": options, "answer_key": "A"}
    return dict.fromkeys(QUESTIONS.schema.names) | given_ | columns


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


# --- from mentions to links ---------------------------------------------------------------------------------------

NODES_OF_A_CASE = graph(
    {"name": "fever", "type": "effect/phenotype", "synonyms": ["pyrexia"]},
    {"node_id": "fever of old", "name": "fever", "type": "biological_process"},
    {"name": "neoplasm", "type": "disease", "generic": True},
    {"name": "blood pressure", "type": "biological_process"},
    ("hypertension", "disease"),
    ("cough", "effect/phenotype"),
    ("aspirin", "drug"),
    ("ibuprofen", "drug"),
)
A_CASE = question(
    question="Fever, neoplasm and pyrexia; no cough. Blood pressure is 182/110 mm Hg, pulse 70. Aspirin?",
    options=[{"key": "A", "text": "Aspirin"}, {"key": "B", "text": "Ibuprofen for fever"}],
    answer="Aspirin",
)


@pytest.fixture(scope="module")
def case() -> Row:
    return link_question(A_CASE, Linker(NODES_OF_A_CASE, LinksConfig()))


def test_a_node_is_linked_once_a_side_by_its_first_span(case: Row) -> None:
    columns = ("side", "option_key", "mention", "method", "runner_up")
    assert [tuple(row[name] for name in columns) for row in case["links"]] == [
        ("question", "", "Fever", "exact", "fever of old"),
        ("question", "", "cough", "exact", None),
        ("question", "", "Blood pressure is 182/110 mm Hg", "rule", None),
        ("question", "", "Aspirin", "exact", None),
        ("answer", "A", "Aspirin", "exact", None),
        ("option", "B", "Ibuprofen", "exact", None),
        ("option", "B", "fever", "exact", "fever of old"),
    ]


def test_a_generic_node_is_rejected_and_its_mention_kept(case: Row) -> None:
    rejected = [mention["text"] for mention in case["mentions"] if mention["mention_id"] == case["rejects"][0]["key"]]
    assert (rejected, case["rejects"][0]["reason"]) == (["neoplasm"], "GENERIC_NODE")


def test_a_link_says_what_is_asserted(case: Row) -> None:
    said = {row["mention"]: row["assertion"] for row in case["links"]}
    assert (said["Fever"], said["cough"]) == ("present", "absent")


@pytest.mark.parametrize(
    ("text", "choice", "linked", "rejected"),
    [
        ("Ibuprofenn", "typo", ["ibuprofen"], []),
        ("Ibuprofane", "typo", [], ["NO_LINK"]),
        ("Ibuprofane", "score", [], ["NO_LINK"]),
        ("Ibuprofan", "score", ["ibuprofen"], []),
        ("sit and wait", "typo", [], []),
    ],
)
def test_an_option_that_no_name_covers_is_looked_up_whole(
    text: str, choice: Any, linked: list[str], rejected: list[str]
) -> None:
    config = LinksConfig(choice=choice)
    linker = Linker(NODES_OF_A_CASE, config, in_memory(NODES_OF_A_CASE, config.embedding))
    linker.look_up([text])
    row = question(options=[{"key": "A", "text": "aspirin"}, {"key": "B", "text": text}])
    case = link_question(row, linker)
    assert [each["node_id"] for each in case["links"] if each["side"] == "option"] == linked
    assert [each["reason"] for each in case["rejects"]] == rejected


def test_the_row_law_holds_for_one_question(case: Row) -> None:
    assert case["named"] == len(case["mentions"]) == 9
    assert case["named"] == len(case["links"]) + len(case["rejects"]) + case["merged"]


def test_an_open_question_is_answered_by_its_text() -> None:
    row = question(question=None, options=None, answer_key=None, answer="aspirin")
    linked = link_question(row, Linker(NODES_OF_A_CASE, LinksConfig()))["links"]
    assert [(link["side"], link["option_key"]) for link in linked] == [("answer", "")]


def link(rows: list[Row], batch_rows: int) -> Outcome:
    questions = ray.data.from_arrow(pa.Table.from_pylist(rows, schema=QUESTIONS.schema))
    return link_entities.run(questions, NODES_OF_A_CASE, config=LinksConfig(), batch_rows=batch_rows)


def as_rows(outcome: Outcome) -> dict[str, list[str]]:
    datasets = {**outcome.tables, "rejects": outcome.rejects}
    return {name: sorted(json.dumps(row) for row in dataset.take_all()) for name, dataset in datasets.items()}


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_links_do_not_depend_on_batches_or_order() -> None:
    texts = ["", "\x00\x1f\x07", "a" * 100_000, "fever " * 200, "Fever and neoplasm"]
    rows = [question(f"q{number}", question=text) for number, text in enumerate(texts * 6)]
    rows += [question("bench", role="benchmark", question="fever"), A_CASE]
    one, other = link(rows, 1), link(rows[::-1], 64)
    written = as_rows(one)
    assert written == as_rows(other)
    assert (one.units_in, one.merged) == (other.units_in, other.merged) == (6 * 202 + 9, {"same_node": 6 * 199 + 1})
    rejected = {("mention", "GENERIC_NODE"): len(written["rejects"])}
    check_row_law(step("link_entities"), one, len(written["links"]), rejected)
    assert len(written["mentions"]) == one.units_in


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
