"""cases -> chains: a chain of steps from the question to its answer, each citing edges of the case.

`kg` steps cite by label: E1 to Em number the edges shown, so a decoder can be held to them by an enum, and what a label
stands for is looked up here, never written by the model. Paths are shown whole or not at all.

Source: MedReason (arXiv:2504.00993) for the three-part layout; its chains name no edges.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from conf.config import ChainsConfig
from conf.identity import chain_id
from conf.outcome import Reason, Rejected
from medreason_ray.engines.request import Fact, Model, Request, Shown, ShownPath
from medreason_ray.prompt import Prompt, one_line, quoted
from medreason_ray.reply import read

Row = dict[str, Any]

STAGE = "write_chains"
PROMPT = Prompt.beside(__file__)


class Step(BaseModel):
    """One inference and what it rests on."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=1000)
    support: Literal["kg", "question", "background"]
    edges: list[str] = Field(max_length=8)

    @model_validator(mode="after")
    def _kg_cites(self) -> Self:
        if self.support == "kg" and not self.edges:
            raise ValueError("a kg step cites no edge")
        return self


class Reply(BaseModel):
    """What the writer answers; engines decode under `schema`."""

    model_config = ConfigDict(extra="forbid")

    steps: list[Step] = Field(min_length=1, max_length=40)
    conclusion: str = Field(min_length=1, max_length=2000)


@cache
def schema(edges: int) -> str:
    """JSON schema of a reply when E1 to E`edges` are shown: one text, so one compiled grammar, a number."""
    form = Reply.model_json_schema()
    form["$defs"]["Step"]["properties"]["edges"]["items"]["enum"] = [f"E{n}" for n in range(1, edges + 1)]
    return json.dumps(form, sort_keys=True)


def requests(case: Row, config: ChainsConfig, model: Model) -> list[Request]:
    """The one request of a case.

    Raises:
        Rejected: NO_CHAIN, when no path of the answer fits chains.max_edges.
    """
    shown = show(case, config)
    request = Request.of(
        model,
        stage=STAGE,
        question_id=case["question_id"],
        prompt=render(case, config, shown),
        prompt_hash=PROMPT.hash,
        schema=schema(len(shown.facts)),
        max_tokens=4096,
        seed=config.seed,
        shown=shown,
    )
    return [request]


def show(case: Row, config: ChainsConfig) -> Shown:
    """The paths to the answer that fit into `chains.max_edges` edges, best first over all pairs; a path is never cut.

    Raises:
        Rejected: NO_CHAIN, when none fits.
    """
    found = [path for pair in case["pairs"] if pair["side"] == "answer" for path in pair["paths"]]
    found.sort(key=lambda path: (path["cost"], path["path_id"]))
    labels: dict[int, str] = {}
    facts: dict[str, Fact] = {}
    paths = []
    for path in found:
        if len(labels.keys() | set().union(*path["steps"])) > config.max_edges:
            continue
        _label(path, case["edges"], labels, facts)
        hops = [[labels[number] for number in step] for step in path["steps"]]
        paths.append(ShownPath(path["path_id"], one_line(path["text"]), hops))
    if not paths:
        raise Rejected(Reason.NO_CHAIN, f"none of {len(found)} paths fits into chains.max_edges={config.max_edges}")
    return Shown(answer=one_line(case["answer"]), facts=facts, paths=paths, keep=config.keep_paths)


def _label(path: Row, edges: list[Row], labels: dict[int, str], facts: dict[str, Fact]) -> None:
    """Give the path's edges that have none yet their labels."""
    for hop, step in enumerate(path["steps"]):
        for number in step:
            if number not in labels:
                labels[number] = label = f"E{len(labels) + 1}"
                facts[label] = Fact(one_line(edges[number]["sentence"]), path["path_id"], hop, number)


def render(case: Row, config: ChainsConfig, shown: Shown | None = None) -> str:
    """The prompt of a case; what data says stands on lines of ours, behind a mark, so it cannot pose as structure.

    Raises:
        Rejected: NO_CHAIN, when no path fits.
    """
    shown = shown or show(case, config)
    options = [f"- {one_line(option['key'])}. {one_line(option['text'])}" for option in case["options"] or ()]
    brackets = ["; ".join(", ".join(hop) for hop in path.hops) for path in shown.paths]
    paths = [f"{n}. {path.text} [{b}]" for n, (path, b) in enumerate(zip(shown.paths, brackets, strict=True), start=1)]
    return PROMPT.fill(
        question=quoted(case["question"]),
        options="\n".join(options) or "- none: an open question",
        answer=f"- {one_line(case['answer_key'])}. {shown.answer}" if case["answer_key"] else f"- {shown.answer}",
        negatives=_negatives(case) or "- none",
        facts="\n".join(f"{label}: {fact.sentence}" for label, fact in shown.facts.items()),
        paths="\n".join(paths),
        keep_paths=config.keep_paths,
    )


def _negatives(case: Row) -> str:
    said = {"absent": "not present", "family": "in a relative"}
    return "\n".join(f"- {one_line(each['name'])}: {said[each['assertion']]}" for each in case["negatives"] or ())


def parse(case: Row, request: Request, reply: str) -> Row:
    """The chain row that a reply stands for.

    Raises:
        Rejected: NOT_A_REPLY, when it is not JSON of the asked form; UNSHOWN_EDGE, when it cites a label not shown.
    """
    written = read(Reply, reply)
    shown = request.shown
    assert isinstance(shown, Shown)
    facts = shown.facts
    steps = [_step(step, facts, case["edges"]) for step in written.steps]
    walked = {edge["path_id"] for step in steps for edge in step["edges"]}
    paths = [path for path in shown.paths if path.path_id in walked]
    conclusion = one_line(written.conclusion)
    return {
        "chain_id": chain_id(case["question_id"], "answer", 0, request.request_id),
        "question_id": case["question_id"],
        "sample": 0,
        "arm": "answer",
        "evidence": [path.path_id for path in paths],
        "steps": steps,
        "reasoning": _layout([path.text for path in paths], [step["text"] for step in steps], conclusion),
        "conclusion": conclusion,
        "model": request.model,
        "prompt_hash": request.prompt_hash,
        "kg_version": case["kg_version"],
    }


def _step(step: Step, facts: Mapping[str, Fact], edges: list[Row]) -> Row:
    """A step as the table has it; `quote` stays null and `mentions` empty until they are looked for."""
    if unshown := [label for label in step.edges if label not in facts]:
        raise Rejected(Reason.UNSHOWN_EDGE, f"{one_line(unshown[0])}; shown are E1 to E{len(facts)}")
    cited = [_cited(facts[label], edges) for label in dict.fromkeys(step.edges)]
    return {"text": one_line(step.text), "support": step.support, "edges": cited, "quote": None, "mentions": []}


def _cited(fact: Fact, edges: list[Row]) -> Row:
    edge = edges[fact.edge]
    return {
        "path_id": fact.path_id,
        "hop": fact.hop,
        "edge_id": edge["edge_id"],
        "src": edge["src"],
        "relation": edge["relation"],
        "dst": edge["dst"],
    }


def _layout(paths: list[str], steps: list[str], conclusion: str) -> str:
    """MedReason's three parts; each heading on its own line, and no text of ours begins a line with one."""
    parts = (
        ["Finding reasoning paths:", *(f"{n}. {text}" for n, text in enumerate(paths, start=1)), ""],
        ["Reasoning Process:", *(f"{n}. {text}" for n, text in enumerate(steps, start=1)), ""],
        ["Conclusion:", conclusion],
    )
    return "\n".join(line for part in parts for line in part)
