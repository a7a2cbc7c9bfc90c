"""The items of data/qa, as many questions made of their sentences, and a lake on which the step screen_questions runs."""

import os
import random
import re
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from deltalake import CommitProperties, write_deltalake

from benchmarks.decontamination_copies import Item
from conf.flow import step
from conf.identity import question_id
from conf.lake import Lake, user_metadata
from conf.loading import load
from conf.outcome import Rejected
from conf.tables import TABLES
from kg_spark.questions.adapters import parse_line, split_object
from kg_spark.stages import screen_questions
from kg_spark.store import SparkStore

FILES = {
    "medqa": ("medqa_test.jsonl", "medqa"),
    "medbullets_op4": ("medbullets_op4.jsonl", "medbullets"),
    "medbullets_op5": ("medbullets_op5.jsonl", "medbullets"),
    "medxpertqa": ("MedXpertQA_test.jsonl", "medxpertqa"),
    "hle": ("HLE_biomed.jsonl", "hle"),
    "pubmedqa": ("pubmedqa_pqal.json", "pubmedqa"),
}
# As in profile=demo: on two cores a cold JVM spends longer on compiling than these questions take.
_SPARK = (
    "spark.master=local[2]",
    """spark.conf={spark.sql.adaptive.enabled: 'false', spark.sql.codegen.wholeStage: 'false',
    spark.driver.extraJavaOptions: '-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m'}""",
)
_SENTENCE = re.compile(r"(?<=[.?!]) +(?=[A-Z])")


def read_items(data: str) -> list[Item]:
    """Every readable question of the files."""
    items = []
    for dataset, (name, layout) in FILES.items():
        text = (Path(data) / "qa" / name).read_text(encoding="utf-8")
        lines = split_object(text) if name.endswith(".json") else text.splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                found = parse_line(layout, line, number)
            except Rejected:
                continue
            options = tuple(option for _, option in found.options)
            items.append(Item(dataset, found.id_in_dataset, found.question, options, found.answer))
    return items


def mixed(items: Sequence[Item], count: int) -> list[Item]:
    """So many new questions of the items' lengths: each sentence and option another item's, a third of the words drawn."""
    rng = random.Random(7)
    sentences = [_SENTENCE.split(item.question) for item in items]
    options = [option for item in items for option in item.options]
    pool = [word for told in sentences for sentence in told for word in sentence.split()]
    made = []
    for number in range(count):
        length = len(rng.choice(sentences))
        told = " ".join(rng.choice(rng.choice(sentences)) for _ in range(length)).split()
        stem = " ".join(rng.choice(pool) if rng.random() < _DRAWN else word for word in told)
        offered = tuple(dict.fromkeys(rng.choice(options) for _ in range(5)))
        made.append(Item("mixed", str(number), stem, offered, rng.choice(offered)))
    return made


_DRAWN = 1 / 3


def screen_step(data: str, count: int) -> tuple[float, float, float]:
    """Seconds of the step, of the start of Spark, and CPU seconds of the step over all processes."""
    items = read_items(data)
    with tempfile.TemporaryDirectory(prefix="medreason-bench-") as folder:
        config = load([f"lake.root={folder}", *_SPARK])
        lake = Lake(config)
        work = mixed(items, count)
        _write(lake, "questions", [*_rows(work, "work"), *_rows(items, "benchmark")])
        ids = [question_id(item.dataset, item.id_in_dataset, item.question) for item in work]
        _write(lake, "links", [row for number, name in enumerate(ids) for row in _links(name, number)])
        _write(lake, "mentions", [_mention(name) for name in ids])
        store = SparkStore(config, lake)
        started = time.monotonic()
        store.session.range(1).count()
        ready, used = time.monotonic(), _cpu_s()
        report = store.run(
            step("screen_questions"),
            screen_questions.run,
            purpose=config.release.purpose,
            benchmarks=config.questions.benchmarks,
            config=config.screen,
        )
        ended, spent = time.monotonic(), _cpu_s()
        assert report.units_in == count, report
        print(dict(report.rejected), *report.notices, sep="\n", flush=True)
        store.session.stop()
    return ended - ready, ready - started, spent - used


def _cpu_s() -> float:
    """CPU seconds so far of this process and all that it started and that still run."""
    processes = [psutil.Process(os.getpid()), *psutil.Process(os.getpid()).children(recursive=True)]
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


def _rows(items: Sequence[Item], role: str) -> list[dict[str, Any]]:
    return [
        {
            "question_id": question_id(item.dataset, item.id_in_dataset, item.question),
            "dataset": item.dataset,
            "id_in_dataset": item.id_in_dataset,
            "split": "train" if role == "work" else "test",
            "role": role,
            "question": item.question,
            "options": [{"key": chr(65 + place), "text": option} for place, option in enumerate(item.options)],
            "answer": item.answer,
            "answer_kind": "entity",
            "flags": [],
            "is_test_set": role == "benchmark",
        }
        for item in items
    ]


def _links(name: str, number: int) -> list[dict[str, Any]]:
    ends = [("answer", 1), *(("question", number * 7 + place) for place in range(6))]
    return [
        {"question_id": name, "side": side, "node_id": f"N:{node % 20_000}", "mention": f"name {node % 20_000}"}
        for side, node in ends
    ]


def _mention(name: str) -> dict[str, Any]:
    candidate = {"node_id": "N:1", "score": 1.0, "method": "exact"}
    span = {"side": "answer", "start": 0, "end": 4, "candidates": [candidate]}
    return {"mention_id": name, "question_id": name, **span}


def _write(lake: Lake, name: str, rows: list[dict[str, Any]]) -> None:
    """A table as one run of its step would leave it; columns that are not given are null."""
    writer = {"questions": "load_questions"}.get(name, "link_entities")
    schema = TABLES[name].schema
    table = pa.Table.from_pylist(rows, schema=schema)
    metadata = user_metadata(step(writer), TABLES[name], _STAMPS.setdefault(writer, uuid.uuid4().hex[:16]), {})
    write_deltalake(
        lake.uri(name),
        table,
        mode="overwrite",
        commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
    )


_STAMPS: dict[str, str] = {}
