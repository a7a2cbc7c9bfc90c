"""Cases drawn in words, and rows of `nodes` and `questions`, for the tests of the stages that read them."""

import json
from typing import Any

import pyarrow as pa

from conf.identity import digest
from conf.tables import NODES, QUESTIONS

Row = dict[str, Any]


def case(
    number: int, paths: tuple[str, ...] = ("A treats B, B presents C", "A causes D, D resembles C"), **changes
) -> dict:
    """A case of drawn paths, cheapest first; a step is `X verb Y`, parallel edges are joined by /."""
    index: dict[tuple[str, str, str], int] = {}
    shown = []
    for cost, drawn in enumerate(paths):
        hops = [[tuple(edge.split()) for edge in hop.split("/")] for hop in drawn.split(", ")]
        steps = [[index.setdefault(edge, len(index)) for edge in hop] for hop in hops]
        shown.append({"path_id": digest(drawn), "text": drawn, "hops": len(hops), "cost": cost, "steps": steps})
    edges = [
        {"edge_id": digest(*e), "src": e[0], "relation": e[1], "dst": e[2], "sentence": " ".join(e) + "."}
        for e in index
    ]
    pair = {"side": "answer", "option_key": "A", "source": "A", "target": "C", "paths": shown}
    row = {
        "question_id": digest("case", str(number)),
        "question": f"What does finding {number} lead to?",
        "options": [{"key": "A", "text": "C"}, {"key": "B", "text": "E"}],
        "answer_key": "A",
        "answer": "C",
        "answer_names": [],
        "flags": [],
        "negatives": [],
        "answer_margin": 1.0,
        "pairs": [pair],
        "edges": edges,
        "kg_version": "drawn",
    }
    return row | changes


def said(*edges: str, support: str = "kg", text: str = "So it is.") -> str:
    return json.dumps({"steps": [{"support": support, "edges": edges, "text": text}], "conclusion": "C."})


def graph(*nodes: Row | tuple[str, str]) -> pa.Table:
    """A nodes table; a node is (name, type) or more columns, its id the name unless given."""
    rows = [{"name": node[0], "type": node[1]} if isinstance(node, tuple) else node for node in nodes]
    defaults: Row = {"synonyms": [], "generic": False, "degree": 1}
    full = [defaults | {"node_id": row["name"]} | row for row in rows]
    return pa.Table.from_pylist(full, schema=NODES.schema)


def question(question_id: str = "q", **columns: Any) -> Row:
    """A row of `questions` with two options, A the right one."""
    options = [{"key": "A", "text": ""}, {"key": "B", "text": ""}]
    given = {"question_id": question_id, "role": "work", "question": "", "options": options, "answer_key": "A"}
    return dict.fromkeys(QUESTIONS.schema.names) | given | columns
