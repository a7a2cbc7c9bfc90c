"""The conversation about a case: what is asked when, what hangs on what, and what becomes of each reply."""

import json
from dataclasses import replace

import pytest

from conf.config import VerifyConfig
from conf.outcome import Reason, Rejected
from medreason_ray.conversation import Talk
from medreason_ray.engines.request import Model
from medreason_ray.engines.tokens import TokenCounter
from tests.medreason_ray.drawn import case, said
from tests.medreason_ray.scripted import CHAINS, MODEL, OPEN, Scripted, begun, with_rival

FAILED = {"reply": None, "finish_reason": "error", "error": "TimeoutError: 30 s"}
CUT = {"reply": '{"steps": [', "finish_reason": "length"}


def reasons(talk: Talk) -> dict:
    return {key.partition("|")[2]: why.reason for key, why in talk.result.lost}


# What is asked


def test_paths_are_kept_then_chains_written_then_answered_blind():
    script = Scripted(write_chains=[said("E1", text=text) for text in ("One.", "Two.", "Three.")])
    script.talk(with_rival())
    assert script.asked == [["prune_paths"], ["write_chains"] * 3, ["answer_blind"] * 4]


def test_the_writer_is_shown_the_paths_that_were_kept_only():
    shown = []
    script = Scripted()
    talk = begun(case(1))
    talk.send([script._reply(talk.requests[0])])
    shown = [path.text for path in talk.requests[0].shown.paths]
    assert shown == ["A causes D, D resembles C"]


def test_samples_differ_in_their_seed_alone():
    talk = begun(case(1), replace(CHAINS, prune=False))
    first, second = talk.requests
    assert first.prompt == second.prompt
    assert first.seed != second.seed
    assert first.request_id != second.request_id


def test_an_engine_that_reads_nothing_is_asked_for_one_round_of_chains_only():
    script = Scripted()
    talk = script.talk(with_rival(), model=Model(label="template/1", reads=False))
    assert (script.asked, {row["method"] for row in talk.result.verdicts}) == ([["write_chains"] * 2], {"not_judged"})


def test_a_rival_s_chain_walks_the_rival_s_paths():
    talk = Scripted().talk(with_rival())
    [foil] = [chain for chain in talk.result.chains if chain["arm"] == "foil"]
    assert foil["evidence"] == ["rival"]


def test_options_are_shown_in_one_order_for_all_requests_of_a_question_and_not_always_the_same():
    options = [{"key": key, "text": f"option {key}"} for key in "ABCDE"]
    orders = set()
    for number in range(8):
        script = Scripted()
        talk = begun(case(number, options=options))
        talk.send([script._reply(talk.requests[0])])
        talk.send([script._reply(request) for request in talk.requests])
        of_question = {request.shown.keys for request in talk.requests}
        assert len(of_question) == 1
        orders |= of_question
    assert len(orders) > 3


def test_no_blind_prompt_tells_the_conclusion():
    script = Scripted(
        write_chains=[json.dumps({"steps": json.loads(said("E1"))["steps"], "conclusion": "It is ZZTOP."})]
    )
    talk = begun(case(1))
    for _ in range(2):
        talk.send([script._reply(request) for request in talk.requests])
    assert [request.stage for request in talk.requests if "ZZTOP" in request.prompt] == []


NAMED = {"answer": "gout", "answer_names": ["gouty arthritis", "podagra"]}


@pytest.mark.parametrize(("arm", "named"), [("chain", True), ("masked", False)])
def test_a_masked_chain_names_the_answer_nowhere_in_steps_or_paths(arm, named):
    row = case(1, ("Toe hurts Podagra, Podagra is Gout",), **NAMED, options=[])
    script = Scripted(
        write_chains=[said("E1", "E2", text="So it is Gouty arthritis.")],
        prune_paths=[json.dumps({"kept": [1]})],
        answer_blind=[json.dumps({"answer": "gout"})],
    )
    script.talk(row, replace(CHAINS, samples=1), VerifyConfig(arms=[arm]))
    prompt = script.last.prompt.partition("## Reasoning")[2].casefold()
    assert [name in prompt for name in ("gout", "podagra", "gouty arthritis")] == [named] * 3


def test_a_rival_is_the_wrong_option_whose_path_the_ranker_puts_first():
    row = with_rival(options=[{"key": key, "text": key} for key in "ABC"])
    dearer = row["pairs"][1] | {
        "option_key": "C",
        "paths": [row["pairs"][1]["paths"][0] | {"cost": 99, "path_id": "first"}],
    }
    row["pairs"].insert(1, dearer)
    [foil] = [chain for chain in Scripted().talk(row).result.chains if chain["arm"] == "foil"]
    assert foil["evidence"] == ["first"]


def test_a_template_s_chains_are_judged_where_a_model_is_named_for_it():
    talk = Scripted().talk(
        with_rival(), replace(CHAINS, samples=1), model=Model(label="template/1", reads=False), judge=MODEL
    )
    assert {(row["arm"], row["judge_model"], row["same_model"]) for row in talk.result.verdicts} == {
        (arm, "vllm/m", False) for arm in ("closed_book", "chain", "foil")
    }


# What becomes of it


@pytest.mark.parametrize(("label", "same"), [("vllm/m", True), ("http/m", True), ("vllm/other", False)])
def test_a_verdict_says_whether_the_writer_judged(label, same):
    talk = Scripted().talk(case(1), judge=replace(MODEL, label=label))
    assert {(row["judge_model"], row["same_model"]) for row in talk.result.verdicts} == {(label, same)}


@pytest.mark.parametrize(
    ("chosen", "verdict"),
    [("A", (True, False)), ("B", (False, True)), ("C", (False, False))],
    ids=["right", "persuaded", "other wrong"],
)
def test_a_foil_s_verdict_says_whether_its_own_option_was_chosen(chosen, verdict):
    row = with_rival(options=[{"key": key, "text": f"option {key}"} for key in "ABC"])
    script = Scripted()
    talk = begun(row, verify=VerifyConfig(arms=["foil"]))
    for _ in range(2):
        talk.send([script._reply(request) for request in talk.requests])
    [request] = talk.requests
    letter = "ABC"[request.shown.keys.index(chosen)]
    talk.send([{"reply": json.dumps({"answer": letter}), "finish_reason": "stop", "error": None}])
    [said_of_foil] = [row for row in talk.result.verdicts if row["arm"] == "foil"]
    assert (said_of_foil["answer_key"], said_of_foil["agrees"], said_of_foil["persuaded"]) == (chosen, *verdict)


def test_of_other_arms_persuaded_says_what_agrees_says_and_of_the_closed_book_nothing():
    said_of = {row["arm"]: (row["agrees"], row["persuaded"]) for row in Scripted().talk(with_rival()).result.verdicts}
    assert said_of["closed_book"][1] is None
    assert said_of["chain"][0] == said_of["chain"][1]


def test_each_chain_has_a_verdict_an_arm():
    talk = Scripted().talk(with_rival())
    arms = sorted((chain["arm"], chain["sample"]) for chain in talk.result.chains)
    verdicts = sorted(row["arm"] for row in talk.result.verdicts)
    assert (arms, verdicts) == (
        [("answer", 0), ("answer", 1), ("foil", 0)],
        ["chain", "chain", "closed_book", "closed_book", "foil"],
    )


def test_a_letter_is_read_as_the_key_of_the_option_it_stood_before():
    options = [{"key": key, "text": f"option {key}"} for key in "ABCDE"]
    script = Scripted(answer_blind=['{"answer": "C"}'])
    talk = script.talk(case(3, options=options), replace(CHAINS, samples=1), VerifyConfig(arms=["chain"]))
    [verdict] = talk.result.verdicts
    third = script.last.shown.keys[2]
    assert (verdict["answer_key"], verdict["agrees"]) == (third, third == "A")


@pytest.mark.parametrize(
    ("given", "judged", "verdict"),
    [
        ("The c.", None, (True, "match")),
        ("c disease", '{"why": "another name", "same": true}', (True, "model")),
        ("d", '{"why": "no", "same": false}', (False, "model")),
        ("d", "yes", (None, "not_judged")),
    ],
)
def test_an_open_answer_is_compared_by_spelling_and_judged_where_that_differs(given, judged, verdict):
    script = Scripted(answer_blind=[json.dumps({"answer": given})], judge_answers=[judged])
    talk = script.talk(case(1, **OPEN), replace(CHAINS, samples=1), VerifyConfig(arms=["chain"]))
    [row] = talk.result.verdicts
    assert ((row["agrees"], row["method"]), len(script.asked)) == (verdict, 3 if judged is None else 4)


def test_a_sample_that_cannot_be_read_is_lost_alone():
    talk = Scripted(write_chains=[CUT, said("E9"), said("E1")]).talk(with_rival(), replace(CHAINS, samples=3))
    assert (len(talk.result.chains), reasons(talk)) == (
        2,
        {"answer|0": Reason.CUT_SHORT, "answer|1": Reason.UNSHOWN_EDGE},
    )


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"write_chains": [FAILED]}, Reason.REQUEST_FAILED),
        ({"write_chains": [CUT]}, Reason.CUT_SHORT),
        ({"write_chains": [{"reply": "I will not.", "finish_reason": "refusal"}]}, Reason.REFUSED),
        ({"write_chains": ["{"]}, Reason.NOT_A_REPLY),
        ({"write_chains": [said("E7")]}, Reason.UNSHOWN_EDGE),
        ({"prune_paths": [FAILED]}, Reason.REQUEST_FAILED),
        ({"prune_paths": ['{"kept": [3]}']}, Reason.UNSHOWN_PATH),
        ({"prune_paths": ['{"kept": []}']}, Reason.NO_RELEVANT_PATH),
    ],
)
def test_a_case_without_a_chain_is_one_reject_with_its_reason(script, expected):
    talk = Scripted(**script).talk(case(1))
    assert isinstance(talk.result, Rejected)
    assert talk.result.reason is expected


def test_a_blind_answer_that_fails_leaves_the_chain():
    talk = Scripted(answer_blind=[FAILED]).talk(case(1))
    assert (len(talk.result.chains), {row["method"] for row in talk.result.verdicts}) == (2, {"not_judged"})


# What the model can read


def test_worst_paths_are_left_out_until_the_model_can_read_the_prompt_and_the_row_says_so():
    paths = tuple(f"A step{number} B{number}, B{number} ends C" for number in range(6))
    chains = replace(CHAINS, prune=False, samples=1, max_steps=1, step_chars=40)
    [whole] = begun(case(1, paths), chains).requests
    room = TokenCounter().count(whole.prompt) + whole.max_tokens
    talk = Scripted().talk(case(1, paths), chains, VerifyConfig(arms=[]), replace(MODEL, max_model_len=room))
    [chain] = talk.result.chains
    assert (chain["paths_shown"] + chain["paths_left_out"], chain["paths_shown"] in range(1, 6)) == (6, True)


def test_a_case_whose_best_path_cannot_be_read_is_rejected_unasked():
    script = Scripted()
    talk = script.talk(case(1), replace(CHAINS, prune=False), model=replace(MODEL, max_model_len=300))
    assert (talk.result.reason, script.asked) == (Reason.PROMPT_TOO_LONG, [])
