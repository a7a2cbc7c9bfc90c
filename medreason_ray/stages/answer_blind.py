"""question, chain -> the answer that someone gives who was not told it: alone, or with the chain less its conclusion.

Of the chain the names of the answer may be masked, too: its paths end at the answer, so it nearly says it.

Options are shown in an order of their own for each question, the same for all its requests, so that no key gives the answer
away and the requests of a question begin alike.

Source: MedReason (arXiv:2504.00993) gives a model the text before "Conclusion:" and keeps the chain when the answer is right.
"""

import json
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from conf.identity import digest
from conf.outcome import Reason, Rejected
from medreason_ray.engines.request import Model, Request
from medreason_ray.prompt import Prompt, one_line, quoted
from medreason_ray.reply import TOKENS_A_CHAR, form, read, text
from medreason_ray.stages.mask_answer import masked

Row = dict[str, Any]

STAGE = "answer_blind"
PROMPT = Prompt.beside(__file__)

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ANSWER_CHARS = 200
_MAX_TOKENS = TOKENS_A_CHAR * _ANSWER_CHARS + 32


class Reply(BaseModel):
    """What the model answers; engines decode under `schema`."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(min_length=1, max_length=2000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOptions:
    """What the prompt shows."""

    keys: tuple[str, ...]
    """The dataset's key of each option, in the order shown as A, B, C …; empty for an open question."""

    def by_rule(self) -> str:
        """The first option: an engine of rules is not asked what it thinks."""
        return json.dumps({"answer": "A" if self.keys else "unknown"})


@cache
def schema(options: int) -> str:
    """JSON schema of a reply: a letter, or for an open question a short text."""
    answer = {"enum": list(_LETTERS[:options])} if options else text(_ANSWER_CHARS)
    return json.dumps(form(answer=answer))


def request(case: Row, reasoning: str | None, model: Model, seed: int, *, hidden: Collection[str] = ()) -> Request:
    """The request for a question, with the chain's reasoning (None: closed book).

    Args:
        case: the row of `cases`.
        reasoning: of the chain; its conclusion is cut off.
        model: who answers.
        seed: of the order of the options.
        hidden: names that are masked in the reasoning.

    Raises:
        Rejected: PROMPT_TOO_LONG.
    """
    options = _shuffled(case, seed)
    shown = ShownOptions(keys=tuple(option["key"] for option in options))
    listed = [f"- {letter}. {one_line(option['text'])}" for letter, option in zip(_LETTERS, options, strict=False)]
    filled = PROMPT.fill(
        form='{"answer": "the letter of an option"}' if options else '{"answer": "a few words"}',
        question=quoted(case["question"]),
        options="\n".join(listed) or "- none: an open question",
        reasoning="- none: answer by what you know" if reasoning is None else quoted(_read(reasoning, hidden)),
    )
    if not model.fits(filled, _MAX_TOKENS):
        raise Rejected(Reason.PROMPT_TOO_LONG, f"{len(filled)} characters")
    return Request.of(
        model,
        stage=STAGE,
        question_id=case["question_id"],
        prompt=filled,
        prompt_hash=PROMPT.hash,
        schema=schema(len(options)),
        max_tokens=_MAX_TOKENS,
        seed=seed,
        shown=shown,
    )


def parse(request: Request, reply: str) -> tuple[str | None, str]:
    """The dataset's key of the option chosen (None for an open question), and the answer as it was given.

    Raises:
        Rejected: NOT_A_REPLY, when it is not JSON of the asked form or names a letter that was not shown.
    """
    shown = request.shown
    assert isinstance(shown, ShownOptions)
    answer = read(Reply, reply).answer.strip()
    if not shown.keys:
        return None, one_line(answer)
    if answer not in _LETTERS[: len(shown.keys)] or len(answer) != 1:
        raise Rejected(Reason.NOT_A_REPLY, f"answer: '{one_line(answer)[:40]}' is no letter of an option")
    return shown.keys[_LETTERS.index(answer)], answer


def _shuffled(case: Row, seed: int) -> Sequence[Row]:
    """The options in an order that question and seed decide; more than 26 are cut to 26, the answer always among them."""
    options = sorted(case["options"] or (), key=lambda option: (option["key"] != case["answer_key"], option["key"]))
    options = options[: len(_LETTERS)]
    random.Random(digest(case["question_id"], str(seed))).shuffle(options)  # noqa: S311  an order, not a secret
    return options


def _read(reasoning: str, hidden: Collection[str]) -> str:
    """The chain up to its conclusion, which names the answer, and without what is hidden."""
    return masked(reasoning.rpartition("\nConclusion:\n")[0] or reasoning, hidden)
