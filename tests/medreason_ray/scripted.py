"""Conversations about a case whose replies are written beforehand."""

import json

from conf.config import ChainsConfig, VerifyConfig
from medreason_ray.conversation import LastRound, Talk
from medreason_ray.engines.request import Model
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


def begun(row: dict, chains=CHAINS, verify=VERIFY, model=MODEL, judge=None) -> Talk:
    """The conversation, waiting for its first replies."""
    return Talk(row, lambda each: reason(each, chains=chains, verify=verify, model=model, judge=judge or model))


class Scripted:
    """Answers each stage by its script, the last line again and again, and notes what it was asked."""

    def __init__(self, **script) -> None:
        self.asked = []
        self.ended = False
        self._script = {
            "prune_paths": [KEPT],
            "write_chains": [said("E1")],
            "answer_blind": ['{"answer": "A"}'],
        } | script

    def talk(self, row: dict, *given, **more) -> Talk:
        talk = begun(row, *given, **more)
        while talk.requests:
            assert not self.ended, "something is asked behind what was called the last round"
            self.ended = isinstance(talk.requests, LastRound)
            self.asked.append([request.stage for request in talk.requests])
            talk.send([self._reply(request) for request in talk.requests])
        return talk

    def _reply(self, request) -> dict:
        self.last = request
        lines = self._script[request.stage]
        line = lines.pop(0) if len(lines) > 1 else lines[0]
        row = {"reply": line, "finish_reason": "stop", "error": None, "tokens_out": 1}
        return row | (line if isinstance(line, dict) else {})
