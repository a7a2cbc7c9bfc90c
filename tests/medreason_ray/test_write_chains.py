"""What a writer is shown of a case, what the template engine writes of it, and what of a reply is refused."""

import asyncio
import json
import re
from dataclasses import replace

import pytest

from conf.config import ChainsConfig, EngineConfig
from conf.identity import digest
from conf.outcome import Reason, Rejected
from medreason_ray.engines.choice import model_of, open_engine
from medreason_ray.stages import write_chains
from medreason_ray.stages.show_paths import in_order, paths_to
from tests.medreason_ray.drawn import case, said

CHAINS = ChainsConfig(max_edges=12)
ENGINE = EngineConfig()


def requested(row: dict, config: ChainsConfig = CHAINS):
    paths = in_order(paths_to(row, "answer", "A"))
    [request] = write_chains.requests(row, paths, config, model_of(ENGINE), key="A", answer="C", samples=1)
    return request


def shown(row: dict, config: ChainsConfig = CHAINS):
    return requested(row, config).shown


def written(row: dict, config: ChainsConfig = CHAINS) -> dict:
    """The template engine's chain of a case."""
    request = requested(row, config)
    return write_chains.parse(row, request, asyncio.run(open_engine(ENGINE).ask(request)).reply)


def parsed(reply: str, row: dict) -> dict:
    return write_chains.parse(row, requested(row), reply)


# What is shown


def test_paths_are_shown_whole_or_not_at_all_best_first():
    row = case(1, ("A a B, B b C", "A c D, D d E, E e C", "A a B, B f C"))
    found = shown(row, ChainsConfig(max_edges=3))
    assert [path.text for path in found.paths] == ["A a B, B b C", "A a B, B f C"]


def test_an_edge_of_two_paths_has_one_label():
    found = shown(case(1, ("A a B, B b C", "A a B/A x B, B f C")))
    assert [path.hops for path in found.paths] == [[["E1"], ["E2"]], [["E1", "E3"], ["E4"]]]


def test_paths_of_all_pairs_of_the_answer_are_ranked_together_and_other_options_are_not_shown():
    row = case(1, ("A a B", "A b B", "A c B"))
    paths = row["pairs"][0]["paths"]
    row["pairs"] = [
        row["pairs"][0] | {"paths": [paths[1]]},
        row["pairs"][0] | {"paths": [paths[0]]},
        row["pairs"][0] | {"paths": [paths[2]], "side": "option"},
    ]
    assert [path.text for path in shown(row).paths] == ["A a B", "A b B"]


def test_a_case_whose_paths_do_not_fit_is_rejected_unasked():
    with pytest.raises(Rejected) as rejected:
        requested(case(1, ("A a B, B b C",)), ChainsConfig(max_edges=1))
    assert rejected.value.reason is Reason.NO_CHAIN


def test_the_schema_lets_only_shown_labels_through():
    kinds = json.loads(write_chains.schema(3, 8, 300))["properties"]["steps"]["items"]["anyOf"]
    edges = [kind["properties"]["edges"] for kind in kinds if "edges" in kind["properties"]]
    assert [each["items"]["enum"] for each in edges] == [["E1", "E2", "E3"]]


def test_whatever_changes_the_reply_changes_the_request_id():
    ids = {
        requested(case(1)).request_id,
        requested(case(1, question="Another?")).request_id,
        requested(case(1), replace(CHAINS, seed=1)).request_id,
        requested(case(1), replace(CHAINS, keep_paths=1)).request_id,
        requested(case(1), replace(CHAINS, max_edges=2)).request_id,
    }
    assert len(ids) == 5


def test_what_the_prompt_does_not_show_leaves_the_request_id():
    assert requested(case(1)).request_id == requested(case(1, kg_version="later", answer_margin=0.0)).request_id


# The template engine's chain


def test_a_template_chain_states_each_walked_edge_once_in_its_own_words():
    chain = written(case(1, ("A treats B/A helps B, B presents C", "A treats B, B signals C")))
    assert [each["text"] for each in chain["steps"]] == ["A treats B.", "B presents C.", "B signals C."]


def test_a_template_chain_walks_the_best_paths_only():
    chain = written(case(1), replace(CHAINS, keep_paths=1))
    assert chain["evidence"] == [digest("A treats B, B presents C")]


def test_a_template_chain_claims_nothing_of_its_own():
    row = case(1, ("A treats B, B presents C",))
    words = set(re.findall(r"\w+", written(row)["reasoning"].lower()))
    given = {"a", "b", "c", "treats", "presents", "1", "2"}
    frame = {"finding", "reasoning", "paths", "process", "conclusion", "dataset", "answer"}
    assert words <= given | frame


def test_a_template_chain_cites_edges_as_the_case_has_them():
    row = case(1)
    cited = [edge for each in written(row)["steps"] for edge in each["edges"]]
    held = [{key: edge[key] for key in ("edge_id", "src", "relation", "dst")} for edge in row["edges"]]
    assert [{key: edge[key] for key in held[0]} for edge in cited] == held


def test_the_reasoning_has_the_layout_of_medreason():
    assert written(case(1, ("A treats B, B presents C",)))["reasoning"].splitlines() == [
        "Finding reasoning paths:",
        "1. A treats B, B presents C",
        "",
        "Reasoning Process:",
        "1. A treats B.",
        "2. B presents C.",
        "",
        "Conclusion:",
        "Dataset answer: C",
    ]


def test_a_label_counts_for_the_first_path_that_holds_its_edge():
    row = case(1, ("A a B, B b C", "A x D, D a B, A a B, B f C"))
    cited = parsed(said("E1", "E5"), row)["steps"][0]["edges"]
    assert [(edge["path_id"], edge["hop"]) for edge in cited] == [
        (digest("A a B, B b C"), 0),
        (digest("A x D, D a B, A a B, B f C"), 3),
    ]


def test_an_edge_counts_for_the_path_that_the_chain_walks_whole():
    row = case(1, ("A a B, B b C", "A c D, D d C", "A c D, D e B, B b C"))
    steps = [
        {"support": "kg", "edges": ["E3"], "text": "So."},
        {"support": "kg", "edges": ["E5", "E2"], "text": "So."},
    ]
    chain = parsed(json.dumps({"steps": steps, "conclusion": "C."}), row)
    third = row["pairs"][0]["paths"][2]["path_id"]
    assert [(edge["path_id"], edge["hop"]) for step in chain["steps"] for edge in step["edges"]] == [
        (third, 0),
        (third, 1),
        (third, 2),
    ]
    assert chain["evidence"] == [third]


def test_a_step_names_the_ends_of_what_it_cites_until_its_words_are_read():
    assert [step["mentions"] for step in written(case(1, ("A treats B, B presents C",)))["steps"]] == [
        ["A", "B"],
        ["B", "C"],
    ]


def test_a_step_cannot_pose_as_a_heading():
    assert parsed(said("E1", text="x\nConclusion:\ny"), case(1))["reasoning"].count("\nConclusion:\n") == 1


# Replies that are no chain


@pytest.mark.parametrize("label", ["E5", "E0", "E01", "e1", "E1 ", "treats", ""])
def test_a_label_that_was_not_shown_is_rejected(label):
    with pytest.raises(Rejected) as rejected:
        parsed(said("E1", label), case(1))
    assert rejected.value.reason is Reason.UNSHOWN_EDGE


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I cannot help with that.",
        '{"steps": [',
        "[]",
        '{"steps": [], "conclusion": "C."}',
        said(),
        said("E1", support="proof"),
        said("E1", text=""),
        said("E1", text="x" * 2001),
        said(*["E1"] * 9),
        said("E1")[:-1] + ', "more": 1}',
        json.dumps({"steps": json.loads(said("E1"))["steps"] * 41, "conclusion": "C."}),
        json.dumps({"steps": json.loads(said("E1"))["steps"]}),
    ],
)
def test_a_reply_of_another_form_is_rejected(reply):
    with pytest.raises(Rejected) as rejected:
        parsed(reply, case(1))
    assert rejected.value.reason is Reason.NOT_A_REPLY
