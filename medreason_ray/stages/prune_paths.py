"""case -> the few paths of each pair that carry the argument, as the model says.

Source: MedReason (arXiv:2504.00993) keeps 3 of at most 50, one request a pair; one request a question here, 12 times fewer.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from conf.config import ChainsConfig
from conf.outcome import Reason, Rejected
from medreason_ray.engines.request import Model, Request
from medreason_ray.prompt import Prompt, one_line, quoted
from medreason_ray.reply import form, read
from medreason_ray.stages.show_paths import paths_to

Row = dict[str, Any]

STAGE = "prune_paths"
PROMPT = Prompt.beside(__file__)

_NUMBER_CHARS = 8  # of a number's JSON: four digits, comma, blank


class Reply(BaseModel):
    """What the model answers; engines decode under `schema`."""

    model_config = ConfigDict(extra="forbid")

    kept: list[int] = Field(max_length=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPairs:
    """What the prompt shows."""

    pairs: Sequence[Sequence[Row]]
    """The paths of each pair, numbered from 1 over all pairs."""
    keep: int

    @property
    def count(self) -> int:
        """Paths shown."""
        return sum(len(paths) for paths in self.pairs)

    def by_rule(self) -> str:
        """The best of each pair, as they are ranked."""
        numbers: list[int] = []
        first = 1
        for paths in self.pairs:
            numbers += range(first, first + min(len(paths), self.keep))
            first += len(paths)
        return json.dumps({"kept": numbers})


@cache
def schema(paths: int, most: int) -> str:
    """JSON schema of a reply when so many paths are shown and at most so many may be kept."""
    kept = {"type": "array", "items": {"enum": list(range(1, paths + 1))}, "maxItems": most}
    return json.dumps(form(kept=kept))


def request(case: Row, config: ChainsConfig, model: Model) -> Request:
    """The one request of a case; the worst paths of the longest lists are left out until the model can read the prompt.

    Raises:
        Rejected: PROMPT_TOO_LONG, when not even the best path of each pair can be read.
    """
    pairs = paths_to(case, "answer", case["answer_key"] or "")
    while True:
        shown = ShownPairs(pairs=pairs, keep=config.keep_per_pair)
        most = sum(min(len(paths), config.keep_per_pair) for paths in pairs)
        text, longest = render(case, shown), _NUMBER_CHARS * (most + 4)
        if model.fits(text, longest):
            break
        longest_list = max(len(paths) for paths in pairs)
        if longest_list == 1:
            raise Rejected(Reason.PROMPT_TOO_LONG, f"{shown.count} paths of one pair each")
        pairs = [paths[: longest_list - 1] for paths in pairs]
    return Request.of(
        model,
        stage=STAGE,
        question_id=case["question_id"],
        prompt=text,
        prompt_hash=PROMPT.hash,
        schema=schema(shown.count, most),
        max_tokens=longest,
        seed=config.seed,
        shown=shown,
    )


def render(case: Row, shown: ShownPairs) -> str:
    """The prompt of a case."""
    options = [f"- {one_line(option['key'])}. {one_line(option['text'])}" for option in case["options"] or ()]
    key = f"{one_line(case['answer_key'])}. " if case["answer_key"] else ""
    blocks, first = [], 1
    for number, paths in enumerate(shown.pairs, start=1):
        lines = [f"{n}. {one_line(path['text'])}" for n, path in enumerate(paths, start=first)]
        blocks.append("\n".join([f"### Pair {number}", *lines]))
        first += len(paths)
    return PROMPT.fill(
        keep=shown.keep,
        question=quoted(case["question"]),
        options="\n".join(options) or "- none: an open question",
        answer=f"- {key}{one_line(case['answer'])}",
        paths="\n\n".join(blocks),
    )


def parse(request: Request, reply: str) -> list[Row]:
    """The paths kept, best first; of a pair's at most `keep` count, of a number said twice the first.

    Raises:
        Rejected: NOT_A_REPLY; UNSHOWN_PATH, when a number was not shown; NO_RELEVANT_PATH, when none is kept.
    """
    shown = request.shown
    assert isinstance(shown, ShownPairs)
    numbered = [(pair, path) for pair, paths in enumerate(shown.pairs) for path in paths]
    kept: list[Row] = []
    of_pair: Counter[int] = Counter()
    for number in dict.fromkeys(read(Reply, reply).kept):
        if not 1 <= number <= len(numbered):
            raise Rejected(Reason.UNSHOWN_PATH, f"{number}; shown are 1 to {len(numbered)}")
        pair, path = numbered[number - 1]
        of_pair[pair] += 1
        if of_pair[pair] <= shown.keep:
            kept.append(path)
    if not kept:
        raise Rejected(Reason.NO_RELEVANT_PATH, f"of {len(numbered)} shown")
    return kept
