"""questions, nodes -> mentions -> links: the nodes that a question, its answer and its other options name.

One pass: an actor builds the automaton once from the nodes in the object store and answers each question by one row
that holds all its mentions, links and rejects as lists, which are then laid out flat. Nothing is joined, shuffled or
counted over questions, so the result is the same for any batch, actor and row order. `link_question` is the whole of it
for one question: further extractors, assertion and rules for numbers add to the mentions there, other methods to the
choice.

Source: MedReason (arXiv:2504.00993) asks a model for names and embeds them; an exact name wins there as it does here.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray
from ray.data import ActorPoolStrategy, Dataset

from conf.config import LinksConfig
from conf.identity import mention_id
from conf.outcome import Outcome, Reason
from conf.tables import LINKS, MENTIONS, REJECTS
from medreason_ray.linking.linker import Linker, Mention, sides
from medreason_ray.linking.neighbours import NodeVectors
from medreason_ray.store import flatten

Row = dict[str, Any]

ASSERTIONS = ("present", "past", "hypothetical", "other", "family", "absent")
"""Of several mentions of a node the first of these stands in its link."""

_READ = ("question_id", "role", "question", "options", "answer_key", "answer")
_NAMED = ("node_id", "name", "type", "synonyms", "generic", "degree")
_REJECTED = pa.schema([REJECTS.schema.field(name) for name in ("entity", "key", "reason", "detail")])
_FOUND = pa.schema(
    [
        ("mentions", pa.list_(pa.struct(list(MENTIONS.schema)))),
        ("links", pa.list_(pa.struct(list(LINKS.schema)))),
        ("rejects", pa.list_(pa.struct(list(_REJECTED)))),
        ("named", pa.int32()),
        ("merged", pa.int32()),
    ]
)
_MAX_ACTORS = 2  # 4,600 questions/s each: an actor's start costs as much as 30,000 questions


def run(
    questions: Dataset,
    nodes: pa.Table,
    *,
    config: LinksConfig,
    batch_rows: int,
    vectors_of: Callable[[pa.Table], NodeVectors] | None = None,
) -> Outcome:
    """Link the questions that are to be worked on.

    Args:
        questions: conf.tables.QUESTIONS; rows of another role than `work` are passed over.
        nodes: conf.tables.NODES.
        config: shortest name.
        batch_rows: questions a batch; operational.
        vectors_of: the vectors of the nodes (medreason_ray.linking.vectors.node_vectors, bound to its lake); without it
            names alone are linked.

    Returns:
        mentions (every one that was found), links, and a reject for each mention whose node is generic or whose best
        candidate is not good enough. The unit is the mention: a node's further mentions on the same side of a question
        are merged into its first.
    """
    shared = ray.put(nodes.select(_NAMED))
    vectors = vectors_of(nodes) if vectors_of else None
    found = (
        questions.select_columns(list(_READ))
        .map_batches(
            _Linker,
            fn_constructor_kwargs={"nodes": shared, "vectors": ray.put(vectors), "config": config},
            batch_format="pyarrow",
            batch_size=batch_rows,
            compute=ActorPoolStrategy(min_size=1, max_size=_MAX_ACTORS),
        )
        .materialize()
    )
    sums = _sums(found)
    return Outcome(
        tables={
            "mentions": flatten(found, "mentions", MENTIONS.schema),
            "links": flatten(found, "links", LINKS.schema),
        },
        units_in=sums["named"],
        rejects=flatten(found, "rejects", _REJECTED),
        merged={"same_node": sums["merged"]},
    )


def link_question(question: Mapping[str, Any], linker: Linker) -> Row:
    """What one question names.

    Args:
        question: a row of conf.tables.QUESTIONS; null texts and options count as empty.
        linker: the names, rules and vectors of the graph.

    Returns:
        mentions, links, rejects: rows of those tables (rejects without the step); named, merged: how many mentions
        there are and how many name a node again on their side.
    """
    mentions: list[Row] = []
    links: dict[tuple[str, str, str], Row] = {}
    rejects: list[Row] = []
    merged = 0
    for side, option_key, text in sides(question):
        for found in linker.mentions(text, side):
            mention = _mention(question["question_id"], side, option_key, text, found)
            mentions.append(mention)
            best = found.candidates[0]
            known = links.get((side, option_key, best.node_id))
            if not found.decided:
                rejects.append(_reject(mention, Reason.NO_LINK))
            elif best.generic:
                rejects.append(_reject(mention, Reason.GENERIC_NODE))
            elif known:
                merged += 1
                known["assertion"] = min(known["assertion"], found.assertion, key=ASSERTIONS.index)
            else:
                links[side, option_key, best.node_id] = _link(mention)
    return {
        "mentions": mentions,
        "links": list(links.values()),
        "rejects": rejects,
        "named": len(mentions),
        "merged": merged,
    }


class _Linker:
    """A Ray actor's names, rules and vectors, built once."""

    def __init__(
        self, nodes: "ray.ObjectRef[pa.Table]", vectors: "ray.ObjectRef[NodeVectors | None]", config: LinksConfig
    ) -> None:
        self._linker = Linker(ray.get(nodes), config, ray.get(vectors))

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Questions in, one row of findings each out."""
        work = batch.filter(pc.equal(batch["role"], "work")).to_pylist()
        self._linker.look_up(text for row in work for side, _, text in sides(row) if side != "question")
        return pa.Table.from_pylist([link_question(row, self._linker) for row in work], schema=_FOUND)


def _mention(question: str, side: str, option_key: str, text: str, found: Mention) -> Row:
    return {
        "mention_id": mention_id(question, side, option_key, found.start, found.end, found.extractor),
        "question_id": question,
        "side": side,
        "option_key": option_key,
        "text": text[found.start : found.end],
        "start": found.start,
        "end": found.end,
        "type": found.candidates[0].type,
        "assertion": found.assertion,
        "extractor": found.extractor,
        "candidates": [
            {"node_id": each.node_id, "score": each.score, "method": each.method} for each in found.candidates
        ],
    }


def _link(mention: Row) -> Row:
    best, *others = mention["candidates"]
    return {
        "question_id": mention["question_id"],
        "side": mention["side"],
        "option_key": mention["option_key"],
        "node_id": best["node_id"],
        "mention": mention["text"],
        "score": best["score"],
        "method": best["method"],
        "assertion": mention["assertion"],
        "runner_up": others[0]["node_id"] if others else None,
    }


def _reject(mention: Row, reason: Reason) -> Row:
    best = mention["candidates"][0]
    return {
        "entity": "mention",
        "key": mention["mention_id"],
        "reason": reason.name,
        "detail": f"'{mention['text']}' names {best['node_id']}, score {best['score']:g}",
    }


def _sums(found: Dataset) -> dict[str, int]:
    """Sums of the counts, which travel to the driver alone."""
    sums = {"named": 0, "merged": 0}
    for batch in found.select_columns(list(sums)).iter_batches(batch_format="pyarrow", batch_size=None):
        for name in sums:
            sums[name] += pc.sum(batch[name]).as_py() or 0
    return sums
