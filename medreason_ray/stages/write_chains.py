"""case -> chains: a chain of steps from the question to an option, each citing edges of the case.

`kg` steps cite by label: E1 to Em number the edges shown, so a decoder can be held to them by an enum, and what a label
stands for is looked up here, never written by the model. Every text has a longest form, so the longest legal reply fits into
the tokens that are asked for: under the schema a reply that ends is a chain.

Source: MedReason (arXiv:2504.00993) for the three-part layout; its chains name no edges.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from conf.config import MOST_STEPS, ChainsConfig
from conf.identity import chain_id, digest
from conf.outcome import Reason, Rejected
from medreason_ray.engines.request import Fact, Model, Request, Shown
from medreason_ray.prompt import Prompt, one_line, quoted
from medreason_ray.reply import TOKENS_A_CHAR, form, read, text
from medreason_ray.stages import write_chains_text
from medreason_ray.stages.show_paths import show_what_fits

Row = dict[str, Any]

STAGE = "write_chains"
PROMPT = Prompt.beside(__file__)

_MAX_EDGES = 6  # of a step: more than two hops are two steps
_QUOTE_CHARS = 160
_STEP_CHARS = 110  # of a step's JSON, its texts apart; the longest is a kg step of six labels
_FORBID = ConfigDict(extra="forbid")


class KgStep(BaseModel):
    """Says what its edges say."""

    model_config = _FORBID
    support: Literal["kg"]
    edges: list[str] = Field(min_length=1, max_length=8)
    text: str = Field(min_length=1, max_length=2000)


class QuestionStep(BaseModel):
    """Restates a finding of the question."""

    model_config = _FORBID
    support: Literal["question"]
    quote: str = Field(max_length=1000)
    text: str = Field(min_length=1, max_length=2000)
    edges: list[str] = Field(default_factory=list, max_length=0)


class BackgroundStep(BaseModel):
    """Rests on what no listed fact states."""

    model_config = _FORBID
    support: Literal["background"]
    text: str = Field(min_length=1, max_length=2000)
    edges: list[str] = Field(default_factory=list, max_length=0)


Step = Annotated[KgStep | QuestionStep | BackgroundStep, Field(discriminator="support")]


class Reply(BaseModel):
    """What the writer answers; engines decode under `schema`, which is narrower."""

    model_config = _FORBID
    steps: list[Step] = Field(min_length=1, max_length=MOST_STEPS)
    conclusion: str = Field(min_length=1, max_length=2000)


@cache
def schema(edges: int, max_steps: int, step_chars: int) -> str:
    """JSON schema of a reply when E1 to E`edges` are shown: one text, so one compiled grammar, a number."""
    said, quote = text(step_chars), text(_QUOTE_CHARS)
    label = {"enum": [f"E{n}" for n in range(1, edges + 1)]}
    labels = {"type": "array", "items": label, "minItems": 1, "maxItems": _MAX_EDGES}
    steps = [
        form(support={"const": "kg"}, edges=labels, text=said),
        form(support={"const": "question"}, quote=quote, text=said),
        form(support={"const": "background"}, text=said),
    ]
    listed = {"type": "array", "items": {"anyOf": steps}, "minItems": 1, "maxItems": max_steps}
    return json.dumps(form(steps=listed, conclusion=said))


def max_tokens(config: ChainsConfig) -> int:
    """Tokens of the longest legal reply."""
    texts = config.max_steps * (config.step_chars + _QUOTE_CHARS) + config.step_chars
    return TOKENS_A_CHAR * texts + config.max_steps * _STEP_CHARS + _STEP_CHARS


def requests(
    case: Row, paths: list[Row], config: ChainsConfig, model: Model, *, key: str | None, answer: str, samples: int
) -> list[Request]:
    """The requests for chains from the question to one option, a sample each.

    Args:
        case: the row of `cases`.
        paths: those to the option, best first.
        config: chains.
        model: who writes.
        key: the option; None for an open question.
        answer: the option's text.
        samples: how many; their seeds follow from the prompt, chains.seed and the sample.

    Raises:
        Rejected: NO_CHAIN, when no path fits into chains.max_edges; PROMPT_TOO_LONG.
    """
    longest = max_tokens(config)
    is_json = config.format == "json"
    prompt = PROMPT if is_json else write_chains_text.PROMPT

    filled = ""

    def fits(shown: Shown) -> bool:
        nonlocal filled
        filled = render(case, shown, prompt, key)
        return model.fits(filled, longest)

    # What is shown is what fitted last, so `filled` is its prompt: rendering it once is 40 us less of 350 a case.
    shown = show_what_fits(case, paths, fits, answer=answer, max_edges=config.max_edges, keep=config.keep_paths)
    return [
        Request.of(
            model,
            stage=STAGE,
            question_id=case["question_id"],
            prompt=filled,
            prompt_hash=prompt.hash,
            schema=schema(len(shown.facts), config.max_steps, config.step_chars) if is_json else "",
            max_tokens=longest,
            seed=_seed(filled, config.seed, sample),
            shown=shown,
        )
        for sample in range(samples)
    ]


def _seed(prompt: str, seed: int, sample: int) -> int:
    """A seed of the request's own: with one seed for all, requests whose first tokens are open begin alike."""
    return int(digest(prompt, str(seed), str(sample))[:7], 16)


def render(case: Row, shown: Shown, prompt: Prompt, key: str | None) -> str:
    """The prompt of a case; what data says stands on lines of ours, behind a mark, so it cannot pose as structure."""
    options = [f"- {one_line(option['key'])}. {one_line(option['text'])}" for option in case["options"] or ()]
    brackets = ["; ".join(", ".join(hop) for hop in path.hops) for path in shown.paths]
    paths = [f"{n}. {path.text} [{b}]" for n, (path, b) in enumerate(zip(shown.paths, brackets, strict=True), start=1)]
    return prompt.fill(
        question=quoted(case["question"]),
        options="\n".join(options) or "- none: an open question",
        answer=f"- {one_line(key)}. {shown.answer}" if key else f"- {shown.answer}",
        negatives=_negatives(case) or "- none",
        facts="\n".join(f"{label}: {fact.sentence}" for label, fact in shown.facts.items()),
        paths="\n".join(paths),
        keep_paths=shown.keep,
    )


def _negatives(case: Row) -> str:
    said = {"absent": "not present", "family": "in a relative"}
    return "\n".join(f"- {one_line(each['name'])}: {said[each['assertion']]}" for each in case["negatives"] or ())


def parse(case: Row, request: Request, reply: str, *, arm: str = "answer", sample: int = 0) -> Row:
    """The chain row that a reply stands for.

    Raises:
        Rejected: NOT_A_REPLY, when it is not of the asked form; UNSHOWN_EDGE, when it cites a label not shown.
    """
    written = read(Reply, reply if request.schema else write_chains_text.as_json(reply))
    shown = request.shown
    assert isinstance(shown, Shown)
    places = _places([label for step in written.steps for label in step.edges], shown)
    steps = [_step(step, places, shown.facts, case) for step in written.steps]
    walked = {edge["path_id"] for step in steps for edge in step["edges"]}
    paths = [path for path in shown.paths if path.path_id in walked]
    conclusion = one_line(written.conclusion)
    return {
        "chain_id": chain_id(case["question_id"], arm, sample, request.request_id),
        "question_id": case["question_id"],
        "sample": sample,
        "arm": arm,
        "evidence": [path.path_id for path in paths],
        "steps": steps,
        "reasoning": _layout([path.text for path in paths], [step["text"] for step in steps], conclusion),
        "conclusion": conclusion,
        "paths_shown": len(shown.paths),
        "paths_left_out": shown.left_out,
        "model": request.model,
        "prompt_hash": request.prompt_hash,
        "kg_version": case["kg_version"],
    }


def _places(labels: list[str], shown: Shown) -> dict[str, tuple[str, int]]:
    """Path and hop that each cited label stands for: of the first path that the chain walks whole, where one holds it.

    A label was given by the first path that shows its edge; a chain that walks another is not to be taken for a piece of that.
    """
    stated = set(labels)
    places: dict[str, tuple[str, int]] = {}
    for path in shown.paths:
        if not any(stated.isdisjoint(hop) for hop in path.hops):
            for number, hop in enumerate(path.hops):
                for label in hop:
                    places.setdefault(label, (path.path_id, number))
    return places


def _step(
    step: KgStep | QuestionStep | BackgroundStep,
    places: Mapping[str, tuple[str, int]],
    facts: Mapping[str, Fact],
    case: Row,
) -> Row:
    """A step as the table has it; `mentions` are the ends of what it cites until its words are read (name_mentions)."""
    if unshown := [label for label in step.edges if label not in facts]:
        raise Rejected(Reason.UNSHOWN_EDGE, f"{one_line(unshown[0])}; shown are E1 to E{len(facts)}")
    cited = []
    for label in dict.fromkeys(step.edges):
        fact = facts[label]
        path_id, hop = places.get(label, (fact.path_id, fact.hop))
        edge = case["edges"][fact.edge]
        cited.append(
            {
                "path_id": path_id,
                "hop": hop,
                "edge_id": edge["edge_id"],
                "src": edge["src"],
                "relation": edge["relation"],
                "dst": edge["dst"],
            }
        )
    quote = _place(step.quote, case["question"]) if isinstance(step, QuestionStep) else None
    mentions = list(dict.fromkeys(edge[end] for edge in cited for end in ("src", "dst")))
    return {"text": one_line(step.text), "support": step.support, "edges": cited, "quote": quote, "mentions": mentions}


def _place(quote: str, question: str) -> dict[str, int] | None:
    """Where the question says so, letter for letter; None where it does not."""
    start = question.find(quote) if quote else -1
    return {"start": start, "end": start + len(quote)} if start >= 0 else None


def _layout(paths: list[str], steps: list[str], conclusion: str) -> str:
    """MedReason's three parts; each heading on its own line, and no text of ours begins a line with one."""
    parts = (
        ["Finding reasoning paths:", *(f"{n}. {text}" for n, text in enumerate(paths, start=1)), ""],
        ["Reasoning Process:", *(f"{n}. {text}" for n, text in enumerate(steps, start=1)), ""],
        ["Conclusion:", conclusion],
    )
    return "\n".join(line for part in parts for line in part)
