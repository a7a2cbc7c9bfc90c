"""questions, nodes (-> replies) -> mentions -> links: the nodes that a question, its answer and its other options name.

An actor builds the automaton once from the nodes in the object store and answers each question by one row that holds all its
mentions, links and rejects as lists, which are then laid out flat. Nothing is joined, shuffled or counted over questions, so
the result is the same for any batch, actor and row order. Where no model is asked that is the one pass there is. A model that
extracts is asked before it, one that chooses behind it (medreason_ray.llm_stage), and what they said is read from the ledger.
What becomes of one question stands in medreason_ray.stages.link_question.

Source: MedReason (arXiv:2504.00993) asks a model for names and embeds them; an exact name wins there as it does here.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import ray
from ray.data import ActorPoolStrategy, Dataset

from conf.config import EngineConfig, LinksConfig
from conf.outcome import Outcome, Rejected
from conf.tables import LINKS, MENTIONS, REJECTS_FOUND
from medreason_ray.asker import OpenEngine
from medreason_ray.conversation import Converse, in_one_round, replay
from medreason_ray.engines.choice import model_of
from medreason_ray.engines.choice import open_engine as choose_engine
from medreason_ray.engines.request import Request
from medreason_ray.ledger import Ledger
from medreason_ray.linking.linker import Linker, sides
from medreason_ray.linking.neighbours import NodeVectors
from medreason_ray.llm_stage import Asked, Report, ask_missing, silent
from medreason_ray.results import Keep, Kept, flatten, in_memory
from medreason_ray.stages import choose_nodes, extract_mentions
from medreason_ray.stages.link_question import (
    FOUND,
    LINKED,
    Row,
    extraction,
    find,
    picks,
    settle,
    texts_of,
)

_READ = ("question_id", "role", "question", "options", "answer_key", "answer")
_NAMED = ("node_id", "name", "type", "synonyms", "generic", "degree")
_SUMS = ("named", "merged", "overlapped", "failed")
_TABLES = {"mentions": MENTIONS.schema, "links": LINKS.schema}
_REST = pa.schema([LINKED.field(name) for name in ("rejects", *_SUMS)])
_FILE_QUESTIONS = 16_384  # whose mentions and links make one file of each table
_MAX_ACTORS = 2  # 4,600 questions/s each: an actor's start costs as much as 30,000 questions

Replies = tuple[Converse, "ray.ObjectRef"]
"""What a stage says about a row, and the ledger (`Known`) that holds the replies."""


def run(
    questions: Dataset,
    nodes: pa.Table,
    *,
    config: LinksConfig,
    batch_rows: int,
    vectors_of: Callable[[pa.Table], NodeVectors] | None = None,
    ledger: Ledger | None = None,
    engine: EngineConfig | None = None,
    open_engine: OpenEngine = choose_engine,
    report: Report = silent,
    keep: Keep = in_memory,
) -> Outcome:
    """Link the questions that are to be worked on.

    Args:
        questions: conf.tables.QUESTIONS; rows of another role than `work` are passed over.
        nodes: conf.tables.NODES.
        config: who extracts, who chooses, shortest name.
        batch_rows: questions a batch; operational.
        vectors_of: the vectors of the nodes (medreason_ray.linking.vectors.node_vectors, bound to its lake); without it
            names alone are linked.
        ledger: the replies; None where no model is asked.
        engine: who is asked; None for the default.
        open_engine: makes the engine on each actor.
        report: told how far the asking has come.
        keep: where mentions and links go.

    Returns:
        mentions, links, and a reject for each mention whose node is generic, whose candidates are not good enough or whose
        choice cannot be read. The unit is the mention: a node's further mentions on the same side of a question are merged
        into its first, mentions that overlap into the one that stands. What a reply names that is no mention is a unit,
        too, and so is a reply that cannot be read.
    """
    questions = questions.select_columns(list(_READ))
    vectors = vectors_of(nodes) if vectors_of else None
    asker = _Passes(ledger, engine or EngineConfig(), batch_rows, open_engine, report)
    replies = None
    if config.extractor != "dictionary":
        replies = asker.ask(questions, extract_mentions.STAGE, partial(extract_mentions.requests, types=_types(nodes)))
    linked = questions.map_batches(
        _Linker,
        fn_constructor_kwargs={
            "nodes": ray.put(nodes.select(_NAMED)),
            "vectors": ray.put(vectors),
            "config": config,
            "replies": replies,
        },
        batch_format="pyarrow",
        batch_size=batch_rows,
        compute=ActorPoolStrategy(min_size=1, max_size=_MAX_ACTORS),
    )
    if config.choice == "model":
        linked = linked.materialize()  # read twice
        replies = asker.ask(linked, choose_nodes.STAGE, choose_nodes.requests)
        settled = partial(_settle_batch, replies=replies)
        linked = linked.map_batches(settled, batch_size=batch_rows, batch_format="pyarrow", zero_copy_batch=True)
    return _outcome(keep(linked, _TABLES, _REST, _FILE_QUESTIONS), asker.asked)


class _Passes:
    """The passes over the ledger that this run makes."""

    def __init__(
        self, ledger: Ledger | None, engine: EngineConfig, batch_rows: int, open_engine: OpenEngine, report: Report
    ) -> None:
        self.asked: list[Asked] = []
        self._report = report
        self._ledger, self._engine, self._batch_rows, self._open_engine = ledger, engine, batch_rows, open_engine

    def ask(self, rows: Dataset, stage: str, requests: Callable[..., list[Request]]) -> Replies:
        """Ask what the ledger does not know of a stage."""
        assert self._ledger, "a model is asked through the ledger only"
        converse = partial(in_one_round, partial(requests, model=model_of(self._engine)))
        done = ask_missing(
            rows,
            converse,
            stages=(stage,),
            ledger=self._ledger,
            engine=self._engine,
            batch_rows=self._batch_rows,
            open_engine=self._open_engine,
            report=self._report,
        )
        self.asked.append(done)
        return converse, ray.put(done.known)


class _Linker:
    """A Ray actor's names, rules and vectors, built once."""

    def __init__(
        self,
        nodes: "ray.ObjectRef[pa.Table]",
        vectors: "ray.ObjectRef[NodeVectors | None]",
        config: LinksConfig,
        replies: Replies | None,
    ) -> None:
        self._linker = Linker(ray.get(nodes), config, ray.get(vectors))
        self._is_settled = config.choice != "model"
        self._replies = replies

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Questions in, one row of findings each out: FOUND where a model is to choose, else LINKED."""
        of_work = batch.filter(pc.equal(batch["role"], "work"))
        work = [(row, *extraction(row, asked)) for row, asked in _with_replies(of_work, self._replies)]
        texts = (text for row, _, _ in work for side, _, text in sides(row) if side != "question")
        self._linker.look_up(texts, (named for row, spans, _ in work for named in texts_of(row, spans)))
        found = [find(row, self._linker, spans, rejects) for row, spans, rejects in work]
        if self._is_settled:
            return pa.Table.from_pylist([settle(each, {}) for each in found], schema=LINKED)
        return pa.Table.from_pylist(found, schema=FOUND)


def _settle_batch(batch: pa.Table, replies: Replies) -> pa.Table:
    """FOUND in, LINKED out: each undecided mention as the model chose."""
    settled = [settle(row, picks(row, asked)) for row, asked in _with_replies(batch, replies)]
    return pa.Table.from_pylist(settled, schema=LINKED)


def _with_replies(batch: pa.Table, replies: Replies | None) -> Iterator[tuple[Row, list[tuple[Request, Row]]]]:
    """Each row of a batch with what was asked of it."""
    if replies is None:
        yield from ((row, []) for row in batch.to_pylist())
        return
    converse, known = replies
    for talk in replay(batch.to_pylist(), converse, ray.get(known)):
        if isinstance(talk.result, Rejected):
            raise talk.result
        yield talk.row, talk.result


def _types(nodes: pa.Table) -> tuple[str, ...]:
    """The types of the graph, by name."""
    return tuple(sorted(each for each in pc.unique(nodes["type"]).to_pylist() if each))


def _outcome(kept: Kept, asked: list[Asked]) -> Outcome:
    """The tables of all rows, and the counts."""
    sums = {name: pc.sum(kept.rest[name]).as_py() or 0 for name in _SUMS}
    merged = {"same_node": sums["merged"]}
    notice = f"{sum(each.asked for each in asked)} requests asked; {sums['failed']} mentions without a reply"
    return Outcome(
        tables=kept.tables,
        units_in=sums["named"],
        rejects=flatten(kept.rest, "rejects", REJECTS_FOUND),
        merged=merged | {"overlap": sums["overlapped"]} if asked else merged,
        facts={"failed": str(sums["failed"])} if asked else {},
        notices=(notice,) if asked else (),
    )
