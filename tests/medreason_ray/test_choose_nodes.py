"""What a model is shown of undecided mentions, what its choice becomes, and both LLM stages of linking from end to end."""

import asyncio
import json
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import ray

from conf.config import EngineConfig, LinksConfig
from conf.flow import step
from conf.outcome import Outcome, Reason, Rejected, check_row_law
from conf.tables import LINKS, QUESTIONS
from medreason_ray.engines.choice import model_of, open_engine
from medreason_ray.engines.request import ModelReply, Request
from medreason_ray.engines.template import TemplateEngine
from medreason_ray.ledger import Ledger
from medreason_ray.linking.linker import Linker
from medreason_ray.linking.vectors import in_memory
from medreason_ray.stages import choose_nodes, extract_mentions, link_entities
from medreason_ray.stages.link_question import find, picks, settle
from tests.medreason_ray.drawn import graph, question

Row = dict[str, Any]

NODES = graph(
    ("ibuprofen", "drug"),
    ("ibuprofen lysine", "drug"),
    ("ibuproxam", "drug"),
    ("fever", "effect/phenotype"),
    ("stroke", "disease"),
    {"name": "neoplasm", "type": "disease", "generic": True},
)
CONFIG = LinksConfig(choice="model")
OPTIONS = [{"key": "A", "text": "Ibuprofan"}, {"key": "B", "text": "Ibuprofenn"}, {"key": "C", "text": "fever"}]


def found(options: list[Row] = OPTIONS) -> Row:
    """The row of FOUND of a question with these options."""
    linker = Linker(NODES, CONFIG, in_memory(NODES, CONFIG.embedding))
    linker.look_up(option["text"] for option in options)
    return find(question(question="Fever?", options=options), linker, {}, [])


def requested(row: Row) -> Request:
    [request] = choose_nodes.requests(row, model=model_of(EngineConfig()))
    return request


def chosen(*choices: tuple[int, int]) -> str:
    return json.dumps({"choices": [{"mention": mention, "candidate": number} for mention, number in choices]})


def settled(reply: str | None, options: list[Row] = OPTIONS) -> Row:
    row = found(options)
    linked = settle(row, picks(row, [(requested(row), {"reply": reply, "finish_reason": "stop", "error": "gone"})]))
    assert linked["named"] == len(linked["links"]) + len(linked["rejects"]) + linked["merged"]
    return linked


def by_model(linked: Row) -> list[tuple[str, str, str]]:
    """Mention, node and runner-up of each link that the model decided."""
    return [
        (each["mention"], each["node_id"], each["runner_up"]) for each in linked["links"] if each["method"] == "model"
    ]


def reasons(linked: Row) -> list[str]:
    return [each["reason"] for each in linked["rejects"]]


# What is shown


def test_only_what_no_name_decides_is_shown_with_its_candidates() -> None:
    prompt = requested(found()).prompt
    assert "### Mention 1: Ibuprofan\n> Ibuprofan\n1. ibuprofen (drug)\n" in prompt
    assert "### Mention 2: Ibuprofenn\n" in prompt
    assert "### Mention 3" not in prompt


def test_a_question_whose_names_decide_all_is_not_asked_about() -> None:
    assert choose_nodes.requests(found(OPTIONS[2:]), model=model_of(EngineConfig())) == []


def test_the_schema_lets_only_shown_numbers_through() -> None:
    properties = json.loads(choose_nodes.schema(2, 3))["$defs"]["Choice"]["properties"]
    assert (properties["mention"]["enum"], properties["candidate"]["enum"]) == ([1, 2], [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It is so. He has gout now. He went.", "He has gout now."),
        ("gout", "gout"),
        ("one\ngout 3.5 mg\ntwo", "gout 3.5 mg"),
        ("x" * 400 + " gout " + "y" * 400, "x" * 299 + " gout " + "y" * 299),
    ],
)
def test_a_mention_is_shown_in_its_sentence(text: str, shown: str) -> None:
    start = text.index("gout")
    assert choose_nodes.sentence(text, start, start + 4) == shown


def test_names_and_sentences_cannot_pose_as_the_prompt() -> None:
    candidate = {"name": "a\n### Mention 9: {x}", "type": "drug", "typo": False}
    mention = {"text": "b\n## Form", "sentence": "c\n{mentions}\n## Form", "candidates": [candidate]}
    prompt = choose_nodes.render(choose_nodes.ShownMentions(mentions=(mention,)))
    assert prompt.count("\n## Form\n") == 1
    assert "\n1. a ### Mention 9: {x} (drug)\n" in prompt
    assert "\n> {mentions}\n" in prompt


# What a choice becomes


def test_the_chosen_node_is_linked_with_its_score_and_the_best_of_the_others() -> None:
    row = found()
    ids = [each["node_id"] for each in row["mentions"][1]["candidates"]]
    linked = settled(chosen((1, 2), (2, 1)))
    assert by_model(linked) == [("Ibuprofan", ids[1], ids[0]), ("Ibuprofenn", "ibuprofen", None)]
    assert linked["mentions"][1]["candidates"][0]["node_id"] == ids[1]
    assert linked["links"][1]["score"] == row["mentions"][1]["candidates"][1]["score"]


@pytest.mark.parametrize(
    ("reply", "refused"),
    [
        (chosen((1, 0), (2, 1)), ["NO_LINK"]),
        (chosen((2, 1)), ["NO_LINK"]),
        (chosen((1, 99), (2, 1)), ["UNSHOWN_CANDIDATE"]),
        (chosen((1, -1), (2, 1)), ["UNSHOWN_CANDIDATE"]),
        (chosen((1, 0), (2, 1), (2, 0)), ["NO_LINK"]),
        (chosen((1, 1), (2, 1), (3, 1)), ["NOT_A_REPLY"] * 2),
        (chosen((0, 1)), ["NOT_A_REPLY"] * 2),
        ("", ["NOT_A_REPLY"] * 2),
        ("[1, 2]", ["NOT_A_REPLY"] * 2),
        ('{"choices": [{"mention": "one", "candidate": 1}]}', ["NOT_A_REPLY"] * 2),
        (None, ["REQUEST_FAILED"] * 2),
    ],
)
def test_what_is_not_chosen_is_rejected_with_its_reason(reply: str | None, refused: list[str]) -> None:
    assert reasons(settled(reply)) == refused


def test_a_generic_node_is_no_link_though_chosen() -> None:
    assert reasons(settled(chosen((1, 1)), [{"key": "A", "text": "neoplasmm"}])) == ["GENERIC_NODE"]


def test_the_rule_links_what_is_misspelt_and_nothing_else() -> None:
    request = requested(found([{"key": "A", "text": "Ibuprofane"}, {"key": "B", "text": "Ibuprofenn"}]))
    reply = asyncio.run(open_engine(EngineConfig()).ask(request)).reply
    picked = list(choose_nodes.parse(request, reply or "").values())
    assert [each.reason if isinstance(each, Rejected) else each for each in picked] == [Reason.NO_LINK, 0]


# From end to end

ENGINE = EngineConfig(actors=1)
BOTH = LinksConfig(extractor="both", choice="model")


class Reader(TemplateEngine):
    """Names the stem's last word and an invented one, picks the first candidate, fails where told; logs what it is asked."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def ask(self, request: Request) -> ModelReply:
        handle = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{request.stage} {request.question_id}\n".encode())
        os.close(handle)
        return ModelReply(reply=self._reply(request), finish_reason="stop")

    def _reply(self, request: Request) -> str:
        if f"{request.stage} fails" == request.question_id:
            raise ConnectionError("the endpoint is gone")
        if f"{request.stage} babbles" == request.question_id:
            return "I think it is"
        if request.stage == choose_nodes.STAGE:
            assert isinstance(request.shown, choose_nodes.ShownMentions)
            return chosen(*((n, 1) for n, _ in enumerate(request.shown.mentions, start=1)))
        assert isinstance(request.shown, extract_mentions.ShownParts)
        last = request.shown.parts["Q"].text.split()[-1]
        kinds = {last: "disease", "gout": "disease", "fever": "illness"}
        return json.dumps({"mentions": [{"part": "Q", "text": t, "type": kind} for t, kind in kinds.items()]})


def reader(config: EngineConfig, *, log: Path) -> Reader:
    return Reader(log)


def rows() -> list[Row]:
    stages = (extract_mentions.STAGE, choose_nodes.STAGE)
    ids = ["one", "two", *(f"{stage} {what}" for stage in stages for what in ("fails", "babbles"))]
    # No prompt twice, for equal ones are one request.
    options = [[{"key": "A", "text": drug}, {"key": "B", "text": "fever"}] for drug in ("Ibuprofan", "Ibuprofenn")]
    work = [question(each, question=f"Fever of {n} and strokke", options=options[n % 2]) for n, each in enumerate(ids)]
    return [*work, question("none", options=None), question("bench", role="benchmark", question="Fever")]


def run(lake: Path, log: Path, given: list[Row], config: LinksConfig = BOTH) -> Outcome:
    return link_entities.run(
        ray.data.from_arrow(pa.Table.from_pylist(given, schema=QUESTIONS.schema)),
        NODES,
        config=config,
        batch_rows=3,
        vectors_of=partial(in_memory, config=config.embedding),
        ledger=Ledger(str(lake / "replies")),
        engine=ENGINE,
        open_engine=partial(reader, log=log),
    )


def written(outcome: Outcome) -> dict[str, list[Row]]:
    tables = {**outcome.tables, "rejects": outcome.rejects}
    return {name: sorted(table.to_pylist(), key=json.dumps) for name, table in tables.items()}


@pytest.fixture(scope="module")
def both(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    lake = tmp_path_factory.mktemp("both")
    return lake, run(lake, lake / "log", rows())


@pytest.mark.slow
def test_what_names_leave_open_is_extracted_and_chosen(both: tuple[Path, Outcome]) -> None:
    links = [each for each in written(both[1])["links"] if each["question_id"] == "one"]
    decided = sorted((each["side"], each["mention"], each["node_id"], each["method"]) for each in links)
    assert decided == [
        ("answer", "Ibuprofan", "ibuprofen", "model"),
        ("option", "fever", "fever", "exact"),
        ("question", "Fever", "fever", "exact"),
        ("question", "strokke", "stroke", "model"),
    ]


@pytest.mark.slow
def test_every_unit_leaves_once_and_with_a_reason(both: tuple[Path, Outcome]) -> None:
    outcome, tables = both[1], written(both[1])
    counted = Counter((each["entity"], each["reason"]) for each in tables["rejects"])
    links = {tuple(each[name] for name in LINKS.key) for each in tables["links"]}
    check_row_law(step("link_entities"), outcome, len(links), counted)
    assert counted == {
        ("mention", "INVENTED_SPAN"): 4,
        ("mention", "UNSHOWN_TYPE"): 4,
        ("mention", "REQUEST_FAILED"): 3,
        ("mention", "NOT_A_REPLY"): 3,
    }
    assert len({each["key"] for each in tables["rejects"]}) == 14
    assert outcome.facts == {"failed": "3"}


@pytest.mark.slow
def test_a_second_run_asks_nothing_and_writes_the_same(both: tuple[Path, Outcome], tmp_path: Path) -> None:
    lake, first = both
    again = run(lake, tmp_path / "log", rows()[::-1])
    log = (lake / "log").read_text().splitlines()
    assert (written(again), (tmp_path / "log").exists()) == (written(first), False)
    assert (len(log), max(Counter(log).values())) == (12, 1)
