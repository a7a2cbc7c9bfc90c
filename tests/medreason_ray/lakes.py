"""Small lakes written by hand, for the tests that read whole ones."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake

from conf.config import Config, LakeConfig
from conf.flow import FLOW, writer
from conf.lake import Lake, user_metadata
from conf.tables import TABLES

Row = dict[str, Any]


def lake_of(root: Path, versions: dict[str, int] | None = None) -> Lake:
    return Lake(Config(lake=LakeConfig(root=str(root))), versions)


def write(root: Path, facts: dict[str, str] | None = None, **tables: list[Row]) -> Lake:
    """Write the tables given, missing columns null; a second call replaces them, a version later."""
    for name, rows in tables.items():
        full = [dict.fromkeys(TABLES[name].schema.names) | row for row in rows]
        content = pa.Table.from_pylist(full, schema=TABLES[name].schema)
        metadata = user_metadata(writer(name) or FLOW[0], TABLES[name], "drawn", facts or {})
        commit = CommitProperties(custom_metadata={"userMetadata": metadata})
        write_deltalake(str(root / name), content, mode="overwrite", commit_properties=commit)
    return lake_of(root)


def question(name: str, **columns: Any) -> Row:
    options = [{"key": "A", "text": "yes"}, {"key": "B", "text": "no"}]
    given = {"question_id": name, "role": "work", "dataset": "drawn", "question": f"Question {name}?"}
    return given | {"options": options, "answer_key": "A", "answer": "yes", "answer_kind": "entity"} | columns


def chain(name: str, text: str = "So.", **columns: Any) -> Row:
    given = {"chain_id": f"chain-{name}", "question_id": name, "sample": 0, "arm": "answer", "reasoning": text}
    return given | {"model": "m", "prompt_hash": "p", "kg_version": "g"} | columns


def released(name: str, text: str = "So.", **columns: Any) -> Row:
    given = {"question_id": name, "chain_id": f"chain-{name}", "reasoning": text, "tier": "loose", "flags": []}
    return given | {"model": "m", "prompt_hash": "p", "kg_version": "g"} | columns


def rejected(name: str, reason: str = "NO_CASE", step: str = "build_cases", detail: str = "") -> Row:
    return {"step": step, "entity": "question", "key": name, "reason": reason, "meaning": "", "detail": detail}


def case(name: str, *paths: str, kg_version: str = "g") -> Row:
    shown = [{"path_id": each, "text": each, "hops": 1, "cost": 1, "steps": [[0]]} for each in paths]
    pair = {"side": "answer", "option_key": "A", "source": "s", "target": "t", "paths": shown}
    edge = {"edge_id": "e", "src": "s", "relation": "r", "dst": "t", "sentence": "s r t."}
    return {"question_id": name, "pairs": [pair], "edges": [edge], "kg_version": kg_version}


def link(name: str, node: str) -> Row:
    return {"question_id": name, "side": "question", "option_key": "", "node_id": node, "mention": node.lower()}
