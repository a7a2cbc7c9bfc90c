"""gold files, raw graphs -> how well the linker finds spans, nodes and assertions.

Sets: `dev` and `frozen` (halves of 100 annotated real stems), `hard` (150 sentences of ours), `perturbed` (Hetionet's names with
one typo). The graph is Hetionet and DrugMechDB as published, read without Spark; nodes are not merged, so gold lists all twins.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
from ahocorasick_rs import AhoCorasick, MatchKind

from conf import semantics
from conf.config import EmbeddingConfig
from conf.identity import name_key, node_id
from conf.outcome import ConfigError
from conf.tables import NODES
from medreason_ray.linking.dictionary import GENE
from medreason_ray.linking.linker import PRESENT, Linker
from medreason_ray.linking.perturb import recovered
from medreason_ray.linking.scoring import GoldMention, Predicted, Score

GRAPHS = (
    ("hetionet", "hetionet/hetionet-v1.0-nodes.tsv", ("id", "name", "kind")),
    ("biolink", "drugmechdb/nodes.tsv", ("id", "name", "label")),
)
Find = Callable[[str], list[Predicted]]


def read_graph(data: Path, graphs: Sequence[tuple[str, str, tuple[str, ...]]] = GRAPHS) -> pa.Table:
    """The graphs' nodes with the columns of conf.tables.NODES that linking reads; an id of both keeps its first name.

    Raises:
        ConfigError: a file is missing.
    """
    generic = semantics.generic_names()
    rows: dict[str, dict[str, Any]] = {}
    for vocabulary, name, columns in graphs:
        for row in _rows(data / name):
            raw, label, kind = (row[column] for column in columns)
            key, kind = node_id(vocabulary, raw, kind), semantics.canonical_type(vocabulary, kind) or ""
            if not key:
                continue
            known = rows.setdefault(key, {"node_id": key, "name": label, "type": kind, "synonyms": []})
            if name_key(label) != name_key(known["name"]):
                known["synonyms"].append(label)
    full = [
        {**row, "generic": (row["type"], name_key(row["name"])) in generic, "degree": 0}
        for _, row in sorted(rows.items())
    ]
    return pa.Table.from_pylist(full, schema=NODES.schema)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}; data= is the folder with hetionet/, drugmechdb/ and qa/"
        ) from error


def read_stems(data: Path, name: str) -> Iterator[tuple[str, list[GoldMention]]]:
    """The stems of a gold file with their annotations.

    Raises:
        ConfigError: a file of questions is missing, or a stem is not the one that was annotated.
    """
    lines: dict[str, list[str]] = {}
    for record in _gold(name):
        if record["file"] not in lines:
            file = data / "qa" / record["file"]
            try:
                lines[record["file"]] = file.read_text(encoding="utf-8").splitlines()
            except OSError as error:
                raise ConfigError(
                    f"{file}: {error.strerror}; data= is the folder with hetionet/, drugmechdb/ and qa/"
                ) from error
        stem = json.loads(lines[record["file"]][record["row"]])["question"]
        if hashlib.sha256(stem.encode()).hexdigest()[:16] != record["sha256"]:
            raise ConfigError(
                f"{record['file']}, row {record['row']}: not the stem that was annotated; take the files as published"
            )
        yield stem, _mentions(record)


def read_hard() -> Iterator[tuple[str, list[GoldMention]]]:
    """The sentences of ours with their annotations."""
    for record in _gold("hard"):
        yield record["text"], _mentions(record)


def _gold(name: str) -> Iterator[dict[str, Any]]:
    text = (files("medreason_ray.linking") / "gold" / f"{name}.jsonl").read_text(encoding="utf-8")
    yield from map(json.loads, text.splitlines())


def _mentions(record: dict[str, Any]) -> list[GoldMention]:
    return [GoldMention(start=s, end=e, assertion=a, nodes=frozenset(ids)) for s, e, a, ids in record["mentions"]]


def by_linker(linker: Linker) -> Find:
    """What the linker links in a stem: the best candidate of each mention, unless it is generic."""

    def find(text: str) -> list[Predicted]:
        return [
            Predicted(
                start=m.start,
                end=m.end,
                assertion=m.assertion,
                node=m.candidates[0].node_id,
                type=m.candidates[0].type,
                method=m.candidates[0].method,
            )
            for m in linker.mentions(text, "question")
            if not m.candidates[0].generic
        ]

    return find


def by_plain_names(nodes: pa.Table) -> Find:
    """The baseline: every name of the graph of three letters or more, whatever its case, longest first, and nothing else."""
    named: dict[str, tuple[str, str]] = {}
    for row in nodes.select(["node_id", "name", "type"]).to_pylist():
        key = row["name"].casefold()
        if len(key) >= 3:
            named.setdefault(key, (row["node_id"], row["type"]))
    names = list(named)
    automaton = AhoCorasick(names, matchkind=MatchKind.Standard)

    def find(text: str) -> list[Predicted]:
        folded = text.casefold() if len(text.casefold()) == len(text) else text.lower()
        hits = automaton.find_matches_as_indexes(folded, overlapping=True)
        found: list[Predicted] = []
        for number, start, end in sorted(hits, key=lambda hit: (hit[1], -hit[2])):
            inside = folded[start - 1 : start].isalnum() or folded[end : end + 1].isalnum()
            if not inside and (not found or found[-1].end <= start):
                node, kind = named[names[number]]
                found.append(Predicted(start=start, end=end, assertion=PRESENT, node=node, type=kind, method="exact"))
        return found

    return find


def by_typo(data: Path, config: EmbeddingConfig) -> dict[str, Any]:
    """The share of Hetionet's names that come first again at one typo, within their type, genes apart.

    Returns:
        METRICS' node_precision, node_recall, node_f1 and mention_f1, one number here, over all names but genes; `by_type`.
    """
    hetionet = read_graph(data, GRAPHS[:1])
    found = recovered(hetionet, config, typos=1)
    others = [each for each in found if each.type != GENE]
    top = round(sum(each.top1 * each.names for each in others) / max(1, sum(each.names for each in others)), 4)
    by_type = {each.type: round(each.top1, 4) for each in found}
    return {**dict.fromkeys(("node_precision", "node_recall", "node_f1", "mention_f1"), top), "by_type": by_type}


def score(texts: Sequence[tuple[str, list[GoldMention]]], find: Find) -> Score:
    """The counts over some texts."""
    total = Score()
    for text, gold in texts:
        total.add(gold, find(text))
    return total
