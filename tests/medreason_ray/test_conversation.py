"""Conversations driven from a ledger: how far they go, and what who only asks leaves unread."""

import pytest

from conf.config import VerifyConfig
from medreason_ray.conversation import LastRound, advance
from medreason_ray.engines.request import Model
from tests.medreason_ray.drawn import case
from tests.medreason_ray.scripted import CHAINS, KEPT, MODEL, OPEN, Scripted, begun


def test_talks_go_on_as_far_as_the_ledger_knows():
    held = {}
    script = Scripted()
    script.talk(case(1))
    first = begun(case(1))
    held[first.requests[0].request_id] = {"reply": KEPT, "finish_reason": "stop", "error": None}
    [waiting] = advance([first], lambda ids: [held.get(each) for each in ids])
    assert [request.stage for request in waiting.requests] == ["write_chains"] * 2


ASKED_TO_JUDGE = {"answer_blind": ['{"answer": "d"}'], "judge_answers": ['{"why": "no", "same": false}']}


@pytest.mark.parametrize(
    ("script", "judge"),
    [({}, Model(label="template/1", reads=False)), (ASKED_TO_JUDGE, MODEL)],
    ids=["template", "model"],
)
def test_what_only_asks_leaves_the_last_round_s_replies_unread(script, judge):
    scripted = Scripted(**script)
    verify = VerifyConfig(arms=["chain"])
    scripted.talk(case(1, **OPEN), CHAINS, verify, judge=judge)
    assert scripted.ended
    talk, known = begun(case(1, **OPEN), CHAINS, verify, judge=judge), Scripted(**script)
    assert advance([talk], lambda ids: [known._reply(each) for each in talk.requests], results=False) == []
    assert isinstance(talk.requests, LastRound)
    assert talk.result is None
