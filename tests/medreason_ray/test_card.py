"""The card and the metadata of a release: front matter that the Hub reads, Croissant that mlcroissant reads back."""

import json
import subprocess
import sys
from dataclasses import replace

import mlcroissant
import pytest
import yaml

from conf.config import ReleaseConfig
from conf.tables import RELEASE
from kg_spark.export import FILES, export
from kg_spark.release.settle import settle
from medreason_ray.review.card import Told, card, front_matter
from medreason_ray.review.croissant import FILE, croissant, version, version_in
from medreason_ray.review.funnel import Section
from tests.kg_spark.drawn_release import STEM, asked, chain

ROWS = [
    dict.fromkeys(RELEASE.schema.names) | settle(asked(chain(), **changes), ReleaseConfig())["release"]
    for changes in ({"question_id": "printed"}, {"question_id": "withheld", "licence": None, "answer_margin": None})
]
PAIRS = [
    pair | {"question": STEM, "options": "", "answer": "C"}
    for pair in settle(asked(chain(), chain("worse", flags=["WRONG_CONCLUSION"])), ReleaseConfig())["pairs"]
]
TOLD = Told(
    release=ReleaseConfig(),
    rows=2,
    strict=1,
    files=dict(zip(FILES, (2, 2, 1, 1, 1), strict=True)),
    fingerprint="abc123",
    models=("vllm/m",),
    judges=("vllm/m",),
    same_model=2,
    format="json",
    datasets=("demo", "medqa"),
    by_id=("medqa",),
    sources=("hetionet",),
    licences=("CC0-1.0", "unknown"),
    facts={"kg_version": "k", "release_digest": "d"},
    funnel=(Section(title="questions", columns=("step", "questions"), rows=(("read | all", 2), ("released", 2))),),
    released=(Section(title="released rows by dataset", columns=("dataset", "strict"), rows=(("demo", 1),)),),
    example={name: ROWS[0][name] for name in ("question", "options", "reasoning", "answer", "tier")},
)


def front(told):
    head, text = card(told).split("---\n")[1:3]
    assert head == front_matter(told)
    assert text.startswith("\n# Reasoning chains")
    return yaml.safe_load(head)


def test_the_front_matter_is_yaml_that_the_hub_knows():
    assert front(TOLD) == {
        "pretty_name": "Reasoning chains over a medical knowledge graph",
        "license": "other",
        "license_name": "several-see-below",
        "license_link": "#licences",
        "language": ["en"],
        "task_categories": ["question-answering", "text-generation"],
        "size_categories": ["n<1K"],
        "tags": ["medical", "reasoning", "chain-of-thought", "knowledge-graph", "croissant"],
        "configs": [
            {"config_name": "release", "data_files": [{"split": "train", "path": "release.parquet"}], "default": True},
            {"config_name": "sft", "data_files": [{"split": "train", "path": "sft.jsonl"}]},
            {
                "config_name": "preference_pairs",
                "data_files": [{"split": "train", "path": "preference_pairs.parquet"}],
            },
        ],
    }
    assert front(replace(TOLD, licences=("Apache-2.0",)))["license"] == "apache-2.0"
    nothing = replace(
        TOLD, rows=0, strict=0, files=dict.fromkeys(FILES, 0), licences=(), datasets=(), models=(), example=None
    )
    assert front(nothing)["configs"] == []


def test_an_evaluation_release_says_not_for_training():
    told = replace(TOLD, release=ReleaseConfig(purpose="evaluation"))
    assert "**not_for_training**" in card(told)
    assert "not-for-training" in front(told)["tags"]
    assert front(told)["configs"][0]["data_files"][0]["split"] == "test"


@pytest.mark.parametrize(
    "sentence",
    [
        "written with the answer known",
        "graph is not clinically true",
        "A path is not evidence",
        "Not clinical advice",
        "2 rows the judge is the model that wrote the chain",
        "The questions of medqa may not be passed on",
        "| read \\| all | 2 |",
    ],
)
def test_the_card_says_in_plain_words_what_the_rows_are_worth(sentence):
    assert sentence in card(TOLD)


@pytest.mark.parametrize(
    ("judges", "said"),
    [
        ((), "No model wrote or judged them (`not_judged`)."),
        (("http/j",), "No model wrote them; a model answered blind."),
    ],
)
def test_of_chains_by_rule_the_card_says_whether_a_model_read_them(judges, said):
    text = card(replace(TOLD, models=("template/1",), judges=judges, same_model=0))
    assert said in text
    assert ("Nobody has read these chains blind" in text, "A model judged a model" in text) == (not judges, False)


def test_the_arms_have_a_place_of_their_own_and_none_where_nobody_was_asked():
    assert "arm by arm" not in card(TOLD)
    arms = Section(title="accuracy", columns=("arm", "right"), rows=(("chain", "0.9"),))
    assert "arm by arm\n\n**accuracy**\n\n| arm | right |\n|---|---|\n| chain | 0.9 |" in card(
        replace(TOLD, arms=(arms,))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    export(ROWS, PAIRS, folder, training=True)
    (folder / FILE).write_text(croissant(TOLD, folder))
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")
def test_mlcroissant_finds_no_mistake_and_reads_the_rows_back(folder):
    found = mlcroissant.Dataset(jsonld=str(folder / FILE))
    assert not found.metadata.issues.errors
    assert {each.name for each in found.metadata.distribution} == set(FILES)
    [printed, withheld] = [plain(row) for row in found.records("release")]
    named = {key.removeprefix("release/"): value for key, value in printed.items()}
    assert set(named) == set(RELEASE.schema.names)
    assert (named["question"], named["grounded"], named["licences"]) == (STEM, 1.0, ROWS[0]["licences"])
    assert named["evidence"] == [{"release/evidence/text": "A -> B", "release/evidence/edge_ids": [["e"]]}]
    assert named["quotes"] == [{f"release/quotes/{name}": n for name, n in ROWS[0]["quotes"][0].items()}]
    assert (withheld["release/question"], withheld["release/answer_margin"]) == (None, None)
    [pair] = [plain(row) for row in found.records("preference_pairs")]
    assert pair["preference_pairs/pair_kind"] == "WRONG_CONCLUSION"


def test_a_changed_file_is_noticed_and_the_version_names_the_build(folder, tmp_path):
    assert version_in(folder) == version("abc123") == "1.0.0+abc123"
    assert version_in(tmp_path) == ""
    stated = {each["name"]: each["sha256"] for each in json.loads((folder / FILE).read_text())["distribution"]}
    export(ROWS[:1], PAIRS, tmp_path, training=True)
    again = json.loads(croissant(TOLD, tmp_path))
    changed = {each["name"] for each in again["distribution"] if each["sha256"] != stated[each["name"]]}
    assert changed == {"release.jsonl", "release.parquet"}


def test_another_process_writes_the_same_bytes(folder):
    code = (
        "import sys, pathlib; from tests.medreason_ray.test_card import TOLD, card, croissant;"
        "sys.stdout.write(card(TOLD) + croissant(TOLD, pathlib.Path(sys.argv[1])))"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout == card(TOLD) + (folder / FILE).read_text()


def plain(value):
    """mlcroissant's record with its bytes as text."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value
