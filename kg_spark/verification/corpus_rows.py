"""A case as it was written -> the rows of `cases`, `questions`, `links`, `edges` and `chains` that it stands for.

As build_cases and write_chains make them: a case holds the edges of its paths and no others, a step of a path shows every
edge between its two nodes, and a cited edge belongs to the first path that shows it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from conf.identity import chain_id, edge_id, path_id, question_id
from conf.semantics import Relation

Row = dict[str, Any]

KG_VERSION = "corpus"
COST = 65_536  # of every edge: the corpus ranks nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node with all its names, the first one its own."""

    node_id: str
    type: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Nodes in the order they are walked, and the edge_ids of each hop."""

    path_id: str
    nodes: tuple[str, ...]
    hops: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a case says, looked up; the answer's paths come first."""

    name: str
    part: str
    stem: str
    nodes: Mapping[str, Node]
    options: Sequence[str]
    """node_ids, the options in order of their keys."""
    answer: str
    absent: frozenset[str]
    edges: Mapping[str, Row]
    paths: Sequence[Path]

    @property
    def question_id(self) -> str:
        """Id of the question."""
        return question_id(f"corpus_{self.part}", self.name, self.stem)

    def key(self, node: str) -> str:
        """The key of the option that a node is."""
        return "ABCDEFGH"[self.options.index(node)]

    def asked(self) -> Row:
        """The columns that a case and a question share."""
        return {
            "question_id": self.question_id,
            "question": self.stem,
            "options": [{"key": self.key(node), "text": self.nodes[node].names[0]} for node in self.options],
            "answer_key": self.key(self.answer),
            "answer": self.nodes[self.answer].names[0],
            "flags": [],
        }


def spans(text: str, nodes: Iterable[Node]) -> list[tuple[int, int, str]]:
    """Start, end and node_id of the names that a text holds as whole words, in order; where two overlap the longer counts."""
    names = sorted(((name, node.node_id) for node in nodes for name in node.names), key=lambda each: -len(each[0]))
    found: list[tuple[int, int, str]] = []
    for name, node_id in names:
        for match in _whole(name).finditer(text):
            if all(match.end() <= start or end <= match.start() for start, end, _ in found):
                found.append((match.start(), match.end(), node_id))
    return sorted(found)


@lru_cache(maxsize=10_000)
def _whole(name: str) -> re.Pattern[str]:
    """Kept: the corpus asks for the same 1,274 names again and again, and re keeps 512."""
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)


def names_in(text: str, nodes: Iterable[Node]) -> list[str]:
    """The node_ids that a text names, in order of the text."""
    return list(dict.fromkeys(node_id for _, _, node_id in spans(text, nodes)))


def question_row(written: Written) -> Row:
    """The row of `questions`."""
    return {
        **written.asked(),
        "dataset": f"corpus_{written.part}",
        "id_in_dataset": written.name,
        "split": "",
        "role": "work",
        "answer_kind": "entity",
        "context": "",
        "licence": None,
        "is_test_set": False,
    }


def link_rows(written: Written) -> list[Row]:
    """The rows of `links`: what the stem names, and each option."""
    said = [("question", "", node) for node in names_in(written.stem, written.nodes.values())]
    chosen = [("answer" if node == written.answer else "option", written.key(node), node) for node in written.options]
    return [
        {
            "question_id": written.question_id,
            "side": side,
            "option_key": key,
            "node_id": node,
            "mention": written.nodes[node].names[0],
            "score": 1.0,
            "method": "exact",
            "assertion": "absent" if side == "question" and node in written.absent else "present",
            "runner_up": None,
        }
        for side, key, node in said + chosen
    ]


def edge_row(src: str, relation: Relation, dst: str) -> Row:
    """The row of `edges` that states a relation of two nodes."""
    label = relation.display_relation or relation.display or relation.relation
    return {
        "edge_id": edge_id(src, relation.relation, label, dst, symmetric=relation.symmetric),
        "src": src,
        "dst": dst,
        "relation": relation.relation,
        "display_relation": label,
        "predicate": relation.predicate,
        "phrase": relation.phrase,
        "inverse_phrase": relation.inverse_phrase,
        "symmetric": relation.symmetric,
        "kind": relation.kind,
        "polarity": relation.polarity,
        "may_carry": relation.may_carry,
        "no_passage": {"subject": "src", "object": "dst", None: ""}[relation.no_passage],
        "cost": COST,
        "sources": [relation.vocabulary],
        "licence": None,
    }


def case_row(written: Written) -> Row:
    """The row of `cases`."""
    shown = list(dict.fromkeys(edge for path in written.paths for hop in path.hops for edge in hop))
    number = {edge: place for place, edge in enumerate(shown)}
    pairs: dict[tuple[str, str, str, str], list[Row]] = {}
    for path in written.paths:
        target = path.nodes[-1]
        side = "answer" if target == written.answer else "option"
        pairs.setdefault((side, written.key(target), path.nodes[0], target), []).append(
            {
                "path_id": path.path_id,
                "text": path_text(path, written),
                "hops": len(path.hops),
                "cost": COST * len(path.hops),
                "steps": [[number[edge] for edge in hop] for hop in path.hops],
            }
        )
    return {
        **written.asked(),
        "answer_names": sorted(written.nodes[written.answer].names),
        "negatives": [
            {"name": name, "assertion": "absent"} for name in sorted(written.nodes[n].names[0] for n in written.absent)
        ],
        "answer_margin": 1.0,
        "pairs": [
            {"side": side, "option_key": key, "source": source, "target": target, "paths": paths}
            for (side, key, source, target), paths in pairs.items()
        ],
        "edges": [_shown(written.edges[edge], written.nodes) for edge in shown],
        "kg_version": KG_VERSION,
    }


def _shown(edge: Row, nodes: Mapping[str, Node]) -> Row:
    sentence = f"{nodes[edge['src']].names[0]} {edge['phrase']} {nodes[edge['dst']].names[0]}."
    return {**{column: edge[column] for column in ("edge_id", "src", "relation", "dst")}, "sentence": sentence}


def path_text(path: Path, written: Written) -> str:
    """The path in words, as a case shows it."""
    text = written.nodes[path.nodes[0]].names[0]
    for source, target, hop in zip(path.nodes, path.nodes[1:], path.hops, strict=False):
        edges = [written.edges[edge] for edge in hop]
        words = [edge["phrase" if edge["src"] == source else "inverse_phrase"] for edge in edges]
        text += f" -[{'; '.join(dict.fromkeys(words))}]-> {written.nodes[target].names[0]}"
    return text


def chain_row(written: Written, steps: list[Row], conclusion: str) -> Row:
    """The row of `chains`."""
    walked = {edge["path_id"] for step in steps for edge in step["edges"]}
    paths = [path for path in written.paths if path.path_id in walked]
    return {
        "chain_id": chain_id(written.question_id, "answer", 0, written.name),
        "question_id": written.question_id,
        "sample": 0,
        "arm": "answer",
        "evidence": [path.path_id for path in paths],
        "steps": steps,
        "reasoning": layout([path_text(path, written) for path in paths], [step["text"] for step in steps], conclusion),
        "conclusion": conclusion,
        "paths_shown": sum(path.nodes[-1] == written.answer for path in written.paths),
        "paths_left_out": 0,
        "model": "corpus/by_hand",
        "prompt_hash": "",
        "kg_version": KG_VERSION,
    }


def layout(paths: list[str], steps: list[str], conclusion: str) -> str:
    """MedReason's three parts, as write_chains puts them."""
    numbered = [[f"{n}. {text}" for n, text in enumerate(each, start=1)] for each in (paths, steps)]
    lines = ["Finding reasoning paths:", *numbered[0], "", "Reasoning Process:", *numbered[1], "", "Conclusion:"]
    return "\n".join([*lines, conclusion])


def cited(edge: str, written: Written) -> Row | None:
    """The citation of an edge: the first path to the answer that shows it, and the hop; None where none does."""
    for path in written.paths:
        for hop, edges in enumerate(path.hops):
            if edge in edges and path.nodes[-1] == written.answer:
                row = {column: written.edges[edge][column] for column in ("edge_id", "src", "relation", "dst")}
                return {"path_id": path.path_id, "hop": hop, **row}
    return None


def path_of(nodes: Sequence[str], edges: Mapping[str, Row]) -> Path:
    """The path over these nodes; a hop without an edge is empty."""
    ends = [{source, target} for source, target in pairwise(nodes)]
    hops = tuple(tuple(e for e, row in edges.items() if {row["src"], row["dst"]} == pair) for pair in ends)
    return Path(path_id=path_id(list(nodes)), nodes=tuple(nodes), hops=hops)
