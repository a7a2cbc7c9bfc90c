"""blind answer -> does it agree: letters and normalised texts are compared first, a model is asked only where they differ.

Source: MedReason (arXiv:2504.00993) asks a model each time.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from conf.identity import name_key
from conf.outcome import Reason, Rejected
from medreason_ray.engines.request import Model, Request
from medreason_ray.prompt import Prompt, one_line, quoted
from medreason_ray.reply import TOKENS_A_CHAR, form, read, text

Row = dict[str, Any]

STAGE = "judge_answers"
PROMPT = Prompt.beside(__file__)

_WHY_CHARS = 200
_MAX_TOKENS = TOKENS_A_CHAR * _WHY_CHARS + 48
_ARTICLES = {"a", "an", "the"}


class Reply(BaseModel):
    """What the model answers; engines decode under SCHEMA."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(max_length=2000)
    same: bool


SCHEMA = json.dumps(form(why=text(_WHY_CHARS), same={"type": "boolean"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAnswers:
    """What the prompt shows."""

    reference: str
    given: str

    def by_rule(self) -> str:
        """They are the same when they are written the same."""
        return json.dumps({"why": "by spelling", "same": same_text(self.reference, self.given)})


def same_text(reference: str, given: str) -> bool:
    """Whether two answers are written the same, case, articles and punctuation aside."""
    return _words(reference) == _words(given) != []


def _words(text: str) -> list[str]:
    kept = "".join(char if char.isalnum() or char in "+-%." else " " for char in name_key(text))
    words = [word.strip(".-") for word in kept.split()]
    return [word for word in words if word and word not in _ARTICLES]


def request(case: Row, given: str, model: Model, seed: int) -> Request:
    """The request to compare a given answer with the dataset's.

    Raises:
        Rejected: PROMPT_TOO_LONG.
    """
    shown = ShownAnswers(reference=one_line(case["answer"]), given=one_line(given))
    filled = PROMPT.fill(question=quoted(case["question"]), reference=shown.reference, given=shown.given)
    if not model.fits(filled, _MAX_TOKENS):
        raise Rejected(Reason.PROMPT_TOO_LONG, f"{len(filled)} characters")
    return Request.of(
        model,
        stage=STAGE,
        question_id=case["question_id"],
        prompt=filled,
        prompt_hash=PROMPT.hash,
        schema=SCHEMA,
        max_tokens=_MAX_TOKENS,
        seed=seed,
        shown=shown,
    )


def parse(reply: str) -> tuple[bool, str]:
    """Whether they mean the same, and why.

    Raises:
        Rejected: NOT_A_REPLY.
    """
    said = read(Reply, reply)
    return said.same, one_line(said.why)
