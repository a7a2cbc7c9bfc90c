"""questions -> mentions: a model names the entities of the stem and of each option, each with one of the graph's types.

One request a question, its parts labelled in the order of the options, so that nothing tells which option is right. The
model copies texts and counts no characters: where a text stands is looked up here, and one that stands nowhere is rejected.

Source: MedReason (arXiv:2504.00993) asks for names a question and an answer at a time, and does not look whether they are there.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from conf.outcome import Reason, Rejected
from medreason_ray.engines.request import Model, Request
from medreason_ray.linking.linker import Extracted, sides
from medreason_ray.prompt import Prompt, one_line, quoted
from medreason_ray.reply import read

Row = dict[str, Any]
Place = tuple[str, str]
"""Side and option key."""

STAGE = "extract_mentions"
PROMPT = Prompt.beside(__file__)

_MAX_TOKENS = 4096  # some 130 mentions
_LETTERS = "ABCDEFGHIJKLMNOPRSTUVWXYZ"  # without Q, which is the stem


class Named(BaseModel):
    """An entity as the model names it."""

    model_config = ConfigDict(extra="forbid")

    part: str
    text: str = Field(max_length=300)
    type: str


class Reply(BaseModel):
    """What the model answers; engines decode under `schema`."""

    model_config = ConfigDict(extra="forbid")

    mentions: list[Named] = Field(max_length=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A text of a question."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownParts:
    """What the prompt shows."""

    parts: Mapping[str, Part]
    """By label, the stem's Q first."""
    types: tuple[str, ...]

    def by_rule(self) -> str:
        """Nothing: the rule for names is the dictionary, which is no request's."""
        return '{"mentions": []}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a reply names."""

    spans: Mapping[Place, list[Extracted]]
    rejected: tuple[Rejected, ...]
    """One for each mention that is none."""


@cache
def schema(types: tuple[str, ...], parts: tuple[str, ...]) -> str:
    """JSON schema of a reply when these types and parts are shown."""
    form = Reply.model_json_schema()
    named = form["$defs"]["Named"]["properties"]
    named["part"]["enum"], named["type"]["enum"] = list(parts), list(types)
    return json.dumps(form, sort_keys=True)


def requests(question: Row, *, model: Model, types: tuple[str, ...]) -> list[Request]:
    """The one request of a question; none where it is no work, has no text or the graph no type."""
    shown = ShownParts(parts=parts_of(question), types=types)
    if question["role"] != "work" or not shown.parts or not types:
        return []
    request = Request.of(
        model,
        stage=STAGE,
        question_id=question["question_id"],
        prompt=render(shown),
        prompt_hash=PROMPT.hash,
        schema=schema(types, tuple(shown.parts)),
        max_tokens=_MAX_TOKENS,
        seed=0,
        shown=shown,
    )
    return [request]


def parts_of(question: Row) -> dict[str, Part]:
    """The texts of a question that are not blank, by label: Q, then a letter an option in their order; ANSWER without options."""
    stem, *others = (Part(place=(side, key), text=text) for side, key, text in sides(question))
    by_key = {part.place[1]: part for part in others}
    keys = dict.fromkeys(option["key"] for option in question["options"] or ())
    labelled = {"Q": stem} | {_label(n): by_key.pop(key) for n, key in enumerate(keys)}
    # What is left is the answer to an open question, or one that is none of the options.
    labelled |= dict(zip(["ANSWER"], by_key.values(), strict=False))
    return {label: part for label, part in labelled.items() if part.text.strip()}


def _label(number: int) -> str:
    return _LETTERS[number] if number < len(_LETTERS) else f"OPTION{number + 1}"


def render(shown: ShownParts) -> str:
    """The prompt; what data says stands behind a mark, so it cannot pose as structure."""
    return PROMPT.fill(
        types="\n".join(f"- {one_line(each)}" for each in shown.types),
        parts="\n\n".join(f"{label}:\n{quoted(part.text)}" for label, part in shown.parts.items()),
    )


def parse(request: Request, reply: str) -> Parsed:
    """The stretches that a reply names, by side and option, and why others are none.

    A text named for the n-th time in a part means its n-th occurrence there.

    Raises:
        Rejected: NOT_A_REPLY, when it is not JSON of the asked form.
    """
    shown = request.shown
    assert isinstance(shown, ShownParts)
    named = read(Reply, reply).mentions
    spans: dict[Place, list[Extracted]] = {}
    rejected = []
    seen: Counter[tuple[str, str]] = Counter()
    for each in named:
        try:
            place, span = _span(each, shown, seen)
        except Rejected as reason:
            rejected.append(reason)
        else:
            spans.setdefault(place, []).append(span)
    return Parsed(spans=spans, rejected=tuple(rejected))


def _span(each: Named, shown: ShownParts, seen: Counter[tuple[str, str]]) -> tuple[Place, Extracted]:
    """Where the thing named stands; `seen` counts how often each text was named in each part.

    Raises:
        Rejected: UNSHOWN_TYPE; INVENTED_SPAN, when it does not stand in that part, or not so often.
    """
    if each.type not in shown.types:
        raise Rejected(Reason.UNSHOWN_TYPE, f"'{one_line(each.text)}' is of type '{one_line(each.type)}'")
    part = shown.parts.get(each.part)
    words = each.text.split()
    found = _occurrences(words, part.text) if part else []
    key = each.part, " ".join(words).lower()
    seen[key] += 1
    if part is None or seen[key] > len(found):
        often = f"; it stands there {len(found)} times" if found else ""
        raise Rejected(Reason.INVENTED_SPAN, f"'{one_line(each.text)}' in part {one_line(each.part)}{often}")
    start, end = found[seen[key] - 1]
    return part.place, Extracted(start, end, each.type)


def _occurrences(words: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Where the words stand in a text, whatever blanks and case; whole words only."""
    if not words:
        return []
    first, last = words[0][0], words[-1][-1]
    before = r"(?<!\w)" if first.isalnum() or first == "_" else ""
    behind = r"(?!\w)" if last.isalnum() or last == "_" else ""
    pattern = before + r"\s+".join(map(re.escape, words)) + behind
    return [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
