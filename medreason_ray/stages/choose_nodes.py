"""mentions -> links: of the nodes near a mention that no name decides, a model picks the one that is meant, or none.

One request a question, with all its undecided mentions, each in its sentence. A model that picks by number cannot name a
node that is not there.

Source: MedReason (arXiv:2504.00993) shows a model the ten nearest when none scores above 0.85.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from conf.outcome import Reason, Rejected
from medreason_ray.engines.request import Model, Request
from medreason_ray.prompt import Prompt, one_line, quoted
from medreason_ray.reply import read

Row = dict[str, Any]

STAGE = "choose_nodes"
PROMPT = Prompt.beside(__file__)
METHOD = "model"

_CHOICE_CHARS = 40  # of a choice's JSON, numbers of four digits included: a token is at least a character
_AROUND = 300  # characters of a sentence shown on either side of its mention
_END = re.compile(r"[.!?](?=\s)|\n")


class Choice(BaseModel):
    """The candidate that a mention means."""

    model_config = ConfigDict(extra="forbid")

    mention: int
    candidate: int


class Reply(BaseModel):
    """What the model answers; engines decode under `schema`."""

    model_config = ConfigDict(extra="forbid")

    choices: list[Choice] = Field(max_length=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMentions:
    """What the prompt shows: undecided mentions as link_entities finds them, in their order."""

    mentions: tuple[Row, ...]

    def by_rule(self) -> str:
        """The best candidate where the text is its name misspelt, else none: what `links.choice=typo` does."""
        best = [each["candidates"][0]["typo"] for each in self.mentions]
        choices = [{"mention": n, "candidate": int(typo)} for n, typo in enumerate(best, start=1)]
        return json.dumps({"choices": choices})


@cache
def schema(mentions: int, candidates: int) -> str:
    """JSON schema of a reply when so many mentions are shown, with at most so many candidates each."""
    form = Reply.model_json_schema()
    form["properties"]["choices"]["maxItems"] = mentions
    chosen = form["$defs"]["Choice"]["properties"]
    chosen["mention"]["enum"] = list(range(1, mentions + 1))
    chosen["candidate"]["enum"] = list(range(candidates + 1))
    return json.dumps(form, sort_keys=True)


def sentence(text: str, start: int, end: int) -> str:
    """The sentence around a mention, or what of it is near."""
    ends = [match.end() for match in _END.finditer(text, 0, start)]
    behind = _END.search(text, end)
    first = max(start - _AROUND, ends[-1] if ends else 0)
    last = min(end + _AROUND, behind.end() if behind else len(text))
    return text[first:last].strip()


def undecided(found: Row) -> list[Row]:
    """The mentions of a question of which a model is to choose."""
    return [each for each in found["mentions"] if not each["decided"] and each["candidates"]]


def requests(found: Row, *, model: Model) -> list[Request]:
    """The one request of a question's undecided mentions; none where there are none."""
    shown = ShownMentions(mentions=tuple(undecided(found)))
    if not shown.mentions:
        return []
    request = Request.of(
        model,
        stage=STAGE,
        question_id=found["question_id"],
        prompt=render(shown),
        prompt_hash=PROMPT.hash,
        schema=schema(len(shown.mentions), max(len(each["candidates"]) for each in shown.mentions)),
        max_tokens=_CHOICE_CHARS * (len(shown.mentions) + 1),
        seed=0,
        shown=shown,
    )
    return [request]


def render(shown: ShownMentions) -> str:
    """The prompt; names from data stay on lines that begin with a number of ours."""
    return PROMPT.fill(mentions="\n\n".join(_block(n, each) for n, each in enumerate(shown.mentions, start=1)))


def _block(number: int, mention: Row) -> str:
    """A mention, its sentence and its candidates."""
    candidates = [
        f"{n}. {one_line(each['name'])} ({one_line(each['type'])})"
        for n, each in enumerate(mention["candidates"], start=1)
    ]
    return "\n".join([f"### Mention {number}: {one_line(mention['text'])}", quoted(mention["sentence"]), *candidates])


def parse(request: Request, reply: str) -> dict[str, int | Rejected]:
    """What each mention shown means, by mention_id: its candidate's place from 0, or why it has none.

    Of several choices of one mention the first counts.

    Raises:
        Rejected: NOT_A_REPLY, when it is not JSON of the asked form, or chooses for a mention that was not shown.
    """
    shown = request.shown
    assert isinstance(shown, ShownMentions)
    chosen = read(Reply, reply).choices
    picks = {each.mention: each.candidate for each in reversed(chosen)}
    if unshown := picks.keys() - range(1, len(shown.mentions) + 1):
        raise Rejected(Reason.NOT_A_REPLY, f"mention {min(unshown)}; shown are 1 to {len(shown.mentions)}")
    return {each["mention_id"]: _meant(each, picks.get(n)) for n, each in enumerate(shown.mentions, start=1)}


def _meant(mention: Row, pick: int | None) -> int | Rejected:
    count, text = len(mention["candidates"]), one_line(mention["text"])
    if pick is None:
        return Rejected(Reason.NO_LINK, f"'{text}': the reply passes over it")
    if pick == 0:
        return Rejected(Reason.NO_LINK, f"'{text}': none of {count} candidates chosen")
    if not 1 <= pick <= count:
        return Rejected(Reason.UNSHOWN_CANDIDATE, f"'{text}': candidate {pick}; shown are 1 to {count}")
    return pick - 1
