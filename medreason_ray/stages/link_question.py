"""one question -> its mentions, links and rejects: the pure part of medreason_ray.stages.link_entities.

In two halves, for a model may have to choose between them: `find` gives every mention its candidates, `settle` links those
that names, a score or the model's pick decide. What a model named comes in as stretches of text, as if a dictionary had.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from conf.identity import mention_id
from conf.outcome import Reason, Rejected
from conf.tables import LINKS, MENTIONS, REJECTS_FOUND
from medreason_ray.engines.request import Request
from medreason_ray.linking.dictionary import Candidate
from medreason_ray.linking.linker import Extracted, Linker, Mention, sides
from medreason_ray.reply import answered
from medreason_ray.stages import choose_nodes, extract_mentions
from medreason_ray.stages.extract_mentions import Place

Row = dict[str, Any]
Spans = Mapping[Place, Sequence[Extracted]]
"""What a model named, by side and option key."""
Picks = Mapping[str, int | Rejected]
"""By mention_id: the candidate that a model picked, from 0, or why none."""

ASSERTIONS = ("present", "past", "hypothetical", "other", "family", "absent")
"""Of several mentions of a node the first of these stands in its link."""

_CANDIDATE = [("node_id", pa.string()), ("score", pa.float64()), ("method", pa.string()), ("name", pa.string())]
_SHOWN = pa.struct([*_CANDIDATE, ("type", pa.string()), ("generic", pa.bool_()), ("typo", pa.bool_())])
_MENTION = [field for field in MENTIONS.schema if field.name != "candidates"]
_MENTION += [
    pa.field("candidates", pa.list_(_SHOWN)),
    pa.field("decided", pa.bool_()),
    pa.field("sentence", pa.string()),
]
_REJECT_LIST = pa.list_(pa.struct(list(REJECTS_FOUND)))
FOUND = pa.schema(
    [
        ("question_id", pa.string()),
        ("mentions", pa.list_(pa.struct(_MENTION))),
        ("rejects", _REJECT_LIST),
        ("overlapped", pa.int32()),
    ]
)
"""What `find` gives."""
LINKED = pa.schema(
    [
        ("mentions", pa.list_(pa.struct(list(MENTIONS.schema)))),
        ("links", pa.list_(pa.struct(list(LINKS.schema)))),
        ("rejects", _REJECT_LIST),
        ("named", pa.int32()),
        ("merged", pa.int32()),
        ("overlapped", pa.int32()),
        ("failed", pa.int32()),
    ]
)
"""What `settle` gives; of its mentions and candidates the columns of the table."""


def link_question(question: Row, linker: Linker) -> Row:
    """What one question names when no model is asked: a row of LINKED.

    Args:
        question: a row of conf.tables.QUESTIONS; null texts and options count as empty.
        linker: the names, rules and vectors of the graph.
    """
    return settle(find(question, linker, {}, []), {})


def extraction(question: Row, asked: Sequence[tuple[Request, Row]]) -> tuple[Spans, list[Row]]:
    """What a model named in a question, and a reject for each thing it named that is none.

    Args:
        question: a row of conf.tables.QUESTIONS.
        asked: the request of extract_mentions with its row of `replies`; none where it was not asked.
    """
    key = f"{question['question_id']}|model"
    for request, reply in asked:
        try:
            parsed = extract_mentions.parse(request, answered(reply))
        except Rejected as reason:
            return {}, [_reject(key, reason)]
        return parsed.spans, [_reject(f"{key}|{n}", each) for n, each in enumerate(parsed.rejected, start=1)]
    return {}, []


def texts_of(question: Row, spans: Spans) -> Iterator[tuple[str, str]]:
    """Text and type of all that a model named."""
    for side, option_key, text in sides(question):
        for each in spans.get((side, option_key), ()):
            yield text[each.start : each.end], each.type


def find(question: Row, linker: Linker, spans: Spans, rejects: list[Row]) -> Row:
    """The mentions of a question with their candidates: a row of FOUND.

    Args:
        question: a row of conf.tables.QUESTIONS.
        linker: has looked up what `texts_of` and `sides` give.
        spans: what a model named.
        rejects: what it named besides.
    """
    mentions = []
    overlapped = 0
    for side, option_key, text in sides(question):
        found, gave_way = linker.union(text, side, spans.get((side, option_key), ()))
        overlapped += gave_way
        mentions += [_mention(question["question_id"], side, option_key, text, each) for each in found]
    return {"question_id": question["question_id"], "mentions": mentions, "rejects": rejects, "overlapped": overlapped}


def picks(found: Row, asked: Sequence[tuple[Request, Row]]) -> Picks:
    """What a model chose for the undecided mentions of a row of FOUND; one reason for all where it cannot be read."""
    for request, reply in asked:
        try:
            return choose_nodes.parse(request, answered(reply))
        except Rejected as reason:
            return {each["mention_id"]: reason for each in choose_nodes.undecided(found)}
    return {}


def settle(found: Row, picked: Picks) -> Row:
    """The links of a question: a row of LINKED.

    Returns:
        named: units, which are mentions, those that gave way and what a model named besides; merged: how many mentions name a
        node again on their side; failed: how many lack a reply.
    """
    links: dict[tuple[str, str, str], Row] = {}
    mentions: list[Row] = []
    rejects = list(found["rejects"])
    merged = 0
    for each in found["mentions"]:
        mention, refused = _decided(each, picked.get(each["mention_id"]))
        mentions.append(mention)
        if refused:
            rejects.append(_reject(mention["mention_id"], refused))
            continue
        key = mention["side"], mention["option_key"], mention["candidates"][0]["node_id"]
        if known := links.get(key):
            merged += 1
            known["assertion"] = min(known["assertion"], mention["assertion"], key=ASSERTIONS.index)
        else:
            links[key] = _link(mention)
    return {
        "mentions": mentions,
        "links": list(links.values()),
        "rejects": rejects,
        "named": len(mentions) + len(found["rejects"]) + found["overlapped"],
        "merged": merged,
        "overlapped": found["overlapped"],
        "failed": sum(each["reason"] == Reason.REQUEST_FAILED.name for each in rejects),
    }


def _decided(mention: Row, pick: int | Rejected | None) -> tuple[Row, Rejected | None]:
    """The mention with the chosen candidate first, and why it is not linked."""
    if not mention["candidates"]:
        return mention, Rejected(Reason.NO_LINK, f"'{mention['text']}' has no candidate of type {mention['type']}")
    if isinstance(pick, Rejected):
        return mention, pick
    if pick is not None:
        others = list(mention["candidates"])
        chosen = others.pop(pick) | {"method": choose_nodes.METHOD}
        mention = mention | {"candidates": [chosen, *others], "type": chosen["type"], "decided": True}
    best = mention["candidates"][0]
    if mention["decided"] and not best["generic"]:
        return mention, None
    reason = Reason.GENERIC_NODE if mention["decided"] else Reason.NO_LINK
    return mention, Rejected(reason, f"'{mention['text']}' names {best['node_id']}, score {best['score']:g}")


def _mention(question: str, side: str, option_key: str, text: str, found: Mention) -> Row:
    around = "" if found.decided else choose_nodes.sentence(text, found.start, found.end)
    return {
        "mention_id": mention_id(question, side, option_key, found.start, found.end, found.extractor),
        "question_id": question,
        "side": side,
        "option_key": option_key,
        "text": text[found.start : found.end],
        "start": found.start,
        "end": found.end,
        "type": found.type,
        "assertion": found.assertion,
        "extractor": found.extractor,
        "candidates": [_candidate(each) for each in found.candidates],
        "decided": found.decided,
        "sentence": around,
    }


def _candidate(each: Candidate) -> Row:
    return {
        "node_id": each.node_id,
        "score": each.score,
        "method": each.method,
        "name": each.name,
        "type": each.type,
        "generic": each.generic,
        "typo": each.typo,
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


def _reject(key: str, reason: Rejected) -> Row:
    return {"entity": "mention", "key": key, "reason": reason.reason.name, "detail": reason.detail}
