"""corpus/*.yaml -> samples: chains of free prose, each over a small case of its own, that are right as they stand.

The verifier's false alarms and its mutation score are measured on them. `dev` was there to write the verifier by, `held_out`
was not shown to whoever wrote it. The form is told in corpus/README.md; whatever breaks it is one line with file and case.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from conf.outcome import ContractError
from conf.semantics import Relation, canonical_type, find_relation
from kg_spark.verification.corpus_rows import (
    Node,
    Path,
    Row,
    Written,
    case_row,
    chain_row,
    cited,
    edge_row,
    link_rows,
    names_in,
    path_of,
    question_row,
)

PARTS = ("dev", "held_out")

_TYPES = {
    "drug": "drug",
    "disease": "disease",
    "phenotype": "effect/phenotype",
    "gene": "gene/protein",
    "anatomy": "anatomy",
    "process": "biological_process",
    "function": "molecular_function",
    "component": "cellular_component",
    "pathway": "pathway",
    "exposure": "exposure",
    "chemical": "chemical",
    "class": "drug_class",
    "organism": "organism",
}
_EDGE = re.compile(r"(\d+) (.+?) -\[(.+?)\]-> (.+)")
_STEP = re.compile(r'\[(?P<edges>[\d ]+)\] (?P<kg>.+)|"(?P<quote>.+?)" (?P<question>.+)|~ (?P<background>.+)')
_KEYS = {"stem", "options", "nodes", "absent", "edges", "paths", "steps"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sound chain with all that it is checked against."""

    name: str
    part: str
    chain: Row
    case: Row
    question: Row
    links: list[Row]
    nodes: Mapping[str, Node]
    edges: Mapping[str, Row]
    """The case's own facts by edge_id, those that no path walks included."""


@cache
def read(part: str) -> tuple[Sample, ...]:
    """The samples of a part, in the order of its files.

    Raises:
        ContractError: a case is not of the form; one line with the file, the case and what is wrong.
    """
    folder = files("kg_spark.verification").joinpath("corpus")
    names = sorted(each.name for each in folder.iterdir() if each.name.startswith(part) and each.name.endswith(".yaml"))
    return tuple(sample for name in names for sample in parse(folder.joinpath(name).read_text("utf-8"), part, name))


def parse(text: str, part: str, file: str) -> Iterator[Sample]:
    """The samples of a file.

    Raises:
        ContractError: as `read`.
    """
    try:
        cases = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe, and 8 times faster
    except yaml.YAMLError as error:
        raise ContractError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    for name, said in cases.items():
        try:
            yield _sample(name, part, said)
        except ContractError as error:
            raise ContractError(f"{file}: {name}: {error}") from error


def _sample(name: str, part: str, said: Mapping[str, Any]) -> Sample:
    if wrong := (set(said) - _KEYS) | (_KEYS - {"absent"} - set(said)):
        raise ContractError(f"key '{min(wrong)}' is missing or unknown; a case has {', '.join(sorted(_KEYS))}")
    nodes, options, answer = _nodes(said["nodes"], said["options"])
    by_name = _by_name(nodes)
    numbered = dict(_edge(line, by_name, nodes) for line in _lines(said["edges"]))
    edges = {row["edge_id"]: row for row in numbered.values()}
    stem = " ".join(said["stem"].split())
    paths = [_path(line, by_name, edges, options) for line in _lines(said["paths"])]
    written = Written(
        name=name,
        part=part,
        stem=stem,
        nodes=nodes,
        options=options,
        answer=answer,
        absent=frozenset(_find(each, by_name) for each in _items(said.get("absent", ""))),
        edges=edges,
        paths=sorted(paths, key=lambda path: path.nodes[-1] != answer),
    )
    linked = set(names_in(stem, nodes.values()))
    for path in paths:
        if path.nodes[0] not in linked:
            raise ContractError(f"the stem does not name '{nodes[path.nodes[0]].names[0]}', where a path begins")
    *lines, last = _lines(said["steps"])
    if not last.startswith("=> "):
        raise ContractError("the last of its steps is not the conclusion, '=> …'")
    steps = [_step(line, numbered, written) for line in lines]
    return Sample(
        name=name,
        part=part,
        chain=chain_row(written, steps, last.removeprefix("=> ")),
        case=case_row(written),
        question=question_row(written),
        links=link_rows(written),
        nodes=nodes,
        edges=edges,
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def _items(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def _nodes(declared: str, options: str) -> tuple[dict[str, Node], list[str], str]:
    """The nodes by id, the options' ids in order, the answer's id."""
    kind, *shown = _items(options)
    marked = [each for each in shown if each.startswith("*")]
    if len(marked) != 1:
        raise ContractError("one option must be marked with * as the answer")
    nodes: dict[str, Node] = {}
    for line in _lines(declared):
        named, _, listed = line.partition(": ")
        for each in _items(listed):
            _add(nodes, named, each)
    chosen = [_add(nodes, kind, each.removeprefix("*")) for each in shown]
    return nodes, chosen, chosen[shown.index(marked[0])]


def _add(nodes: dict[str, Node], kind: str, said: str) -> str:
    """Declare a node; an option may be declared among the nodes already."""
    if kind not in _TYPES:
        raise ContractError(f"'{kind}' is no type; known are {', '.join(_TYPES)}")
    names = tuple(name.strip() for name in said.split(" = "))
    node_id = f"{kind}:{re.sub(r'[^a-z0-9]+', '_', names[0].casefold()).strip('_')}"
    nodes.setdefault(node_id, Node(node_id=node_id, type=_TYPES[kind], names=names))
    return node_id


def _by_name(nodes: Mapping[str, Node]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes.values():
        for name in node.names:
            if found.setdefault(name.casefold(), node.node_id) != node.node_id:
                raise ContractError(f"two nodes are called '{name}'")
    return found


def _find(name: str, by_name: Mapping[str, str]) -> str:
    try:
        return by_name[name.strip().casefold()]
    except KeyError:
        raise ContractError(f"no node is called '{name.strip()}'") from None


def _edge(line: str, by_name: Mapping[str, str], nodes: Mapping[str, Node]) -> tuple[int, Row]:
    match = _EDGE.fullmatch(line)
    if match is None:
        raise ContractError(f"'{line}' is not an edge, 'NUMBER SUBJECT -[RELATION]-> OBJECT'")
    src, dst = _find(match[2], by_name), _find(match[4], by_name)
    relation = _relation(match[3], nodes[src].type, nodes[dst].type)
    if relation.symmetric and dst < src:
        src, dst = dst, src
    return int(match[1]), edge_row(src, relation, dst)


def _relation(said: str, src: str, dst: str) -> Relation:
    """The first row of relations.yaml of that name, `RELATION/LABEL` where the label decides, that joins these types."""
    name, _, label = said.partition("/")
    rows = [row for v in ("primekg", "hetionet", "biolink") if (row := find_relation(v, name, label))]
    for row in rows:
        ends = [(row.subject, src), (row.object, dst)]
        if all(raw is None or canonical_type(row.vocabulary, raw) == kind for raw, kind in ends):
            return row
    raise ContractError(f"relations.yaml has no relation '{said}' from {src} to {dst}")


def _path(line: str, by_name: Mapping[str, str], edges: Mapping[str, Row], options: Iterable[str]) -> Path:
    path = path_of([_find(name, by_name) for name in line.split(" > ")], edges)
    if not path.hops or not all(path.hops):
        raise ContractError(f"no edge joins two neighbours of path '{line}'")
    if path.nodes[-1] not in options:
        raise ContractError(f"path '{line}' does not end at an option")
    return path


def _step(line: str, numbered: Mapping[int, Row], written: Written) -> Row:
    match = _STEP.fullmatch(line)
    if match is None:
        raise ContractError(f"'{line}' is not a step: '[1 2] …', '\"words of the stem\" …' or '~ …'")
    support = match.lastgroup or ""
    text = match[support]
    edges = [_cited(int(number), numbered, written) for number in (match["edges"] or "").split()]
    start = written.stem.find(match["quote"]) if match["quote"] else -1
    if match["quote"] and start < 0:
        raise ContractError(f"the stem does not say '{match['quote']}'")
    quote = {"start": start, "end": start + len(match["quote"])} if match["quote"] else None
    mentions = names_in(text, written.nodes.values())
    return {"text": text, "support": support, "edges": edges, "quote": quote, "mentions": mentions}


def _cited(number: int, numbered: Mapping[int, Row], written: Written) -> Row:
    if number not in numbered:
        raise ContractError(f"a step cites edge {number}, which there is not")
    found = cited(numbered[number]["edge_id"], written)
    if found is None:
        raise ContractError(f"a step cites edge {number}, which no path to the answer walks")
    return found
