"""The conversation about a case: what is asked when, what hangs on what, and what becomes of each reply."""

import json
from dataclasses import replace

import pytest

from conf.config import ChainsConfig, VerifyConfig
from conf.outcome import Reason, Rejected
from medreason_ray.conversation import Talk, advance
from medreason_ray.engines.request import Model
from medreason_ray.engines.tokens import TokenCounter
from medreason_ray.stages.reason_case import reason
from tests.medreason_ray.drawn import case, said

MODEL = Model(label="vllm/m", sampling="{}", max_model_len=100_000)
CHAINS = ChainsConfig(max_edges=12, samples=2)
VERIFY = VerifyConfig(arms=["closed_book", "chain", "foil"])
KEPT = json.dumps({"kept": [2]})
OPEN = {"options": [], "answer_key": None, "pairs": [case(1)["pairs"][0] | {"option_key": ""}]}


def with_rival(**changes) -> dict:
    """A case whose wrong option B has a path of its own."""
    row = case(1, **changes)
    rival = row["pairs"][0] | {"side": "option", "option_key": "B", "target": "D"}
    rival["paths"] = [row["pairs"][0]["paths"][1] | {"path_id": "rival"}]
    return row | {"pairs": [*row["pairs"], rival]}


class Scripted:
    """Answers each stage by its script, the last line again and again, and notes what it was asked."""

    def __init__(self, **script) -> None:
        self.asked = []
        self._script = {
            "prune_paths": [KEPT],
            "write_chains": [said("E1")],
            "answer_blind": ['{"answer": "A"}'],
        } | script

    def talk(self, row: dict, chains=CHAINS, verify=VERIFY, model=MODEL) -> Talk:
        talk = Talk(row, lambda each: reason(each, chains=chains, verify=verify, model=model))
        while talk.requests:
            self.asked.append([request.stage for request in talk.requests])
            talk.send([self._reply(request) for request in talk.requests])
        return talk

    def _reply(self, request) -> dict:
        self.last = request
        lines = self._script[request.stage]
        line = lines.pop(0) if len(lines) > 1 else lines[0]
        row = {"reply": line, "finish_reason": "stop", "error": None, "tokens_out": 1}
        return row | (line if isinstance(line, dict) else {})


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
    talk = Talk(case(1), lambda row: reason(row, chains=CHAINS, verify=VERIFY, model=MODEL))
    talk.send([script._reply(talk.requests[0])])
    shown = [path.text for path in talk.requests[0].shown.paths]
    assert shown == ["A causes D, D resembles C"]


def test_samples_differ_in_their_seed_alone():
    talk = Talk(case(1), lambda row: reason(row, chains=replace(CHAINS, prune=False), verify=VERIFY, model=MODEL))
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
        talk = Talk(case(number, options=options), lambda row: reason(row, chains=CHAINS, verify=VERIFY, model=MODEL))
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
    talk = Talk(case(1), lambda row: reason(row, chains=CHAINS, verify=VERIFY, model=MODEL))
    for _ in range(2):
        talk.send([script._reply(request) for request in talk.requests])
    assert [request.stage for request in talk.requests if "ZZTOP" in request.prompt] == []


# What becomes of it


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
    whole = Talk(case(1, paths), lambda row: reason(row, chains=chains, verify=VERIFY, model=MODEL)).requests[0]
    room = TokenCounter().count(whole.prompt) + whole.max_tokens
    talk = Scripted().talk(case(1, paths), chains, VerifyConfig(arms=[]), replace(MODEL, max_model_len=room))
    [chain] = talk.result.chains
    assert (chain["paths_shown"] + chain["paths_left_out"], chain["paths_shown"] in range(1, 6)) == (6, True)


def test_a_case_whose_best_path_cannot_be_read_is_rejected_unasked():
    script = Scripted()
    talk = script.talk(case(1), replace(CHAINS, prune=False), model=replace(MODEL, max_model_len=300))
    assert (talk.result.reason, script.asked) == (Reason.PROMPT_TOO_LONG, [])


# Driven from a ledger


def test_talks_go_on_as_far_as_the_ledger_knows():
    held = {}
    script = Scripted()
    script.talk(case(1))
    first = Talk(case(1), lambda row: reason(row, chains=CHAINS, verify=VERIFY, model=MODEL))
    held[first.requests[0].request_id] = {"reply": KEPT, "finish_reason": "stop", "error": None}
    [waiting] = advance([first], lambda ids: [held.get(each) for each in ids])
    assert [request.stage for request in waiting.requests] == ["write_chains"] * 2
