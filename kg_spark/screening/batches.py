"""Questions as Arrow batches -> the same with what they repeat, their MinHash bands and how much of the answer is linked.

One pass in Python workers over all that needs Python, so that a worker starts once and every text crosses once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from conf.config import ScreenConfig
from kg_spark.screening import duplicates, entities
from kg_spark.screening.benchmark import Index, Said, said
from kg_spark.screening.compare import Comparison, compare
from kg_spark.screening.coverage import coverage

TEXTS = ("question", "options", "spans", "entities")
"""Columns that are read here and not handed on."""

FOUND = pa.schema(
    [
        ("content", pa.string()),
        ("bands", pa.list_(pa.int64())),
        ("answer_coverage", pa.float64()),
        ("nearest_benchmark", pa.string()),
        ("similarity", pa.float64()),
        ("match", pa.string()),
        ("match_rule", pa.string()),
        ("match_from", pa.string()),
        ("near", pa.string()),
        ("near_from", pa.string()),
        ("origins", pa.int64()),
    ]
)
"""Columns that are added. match, near: rule, score, dataset, id_in_dataset and question_id of the item; null for none."""

# So many questions at once keep the product of the matrices small beside the index.
_ROWS = 512

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Item:
    """A benchmark item as it is named."""

    question_id: str
    dataset: str
    split: str
    id_in_dataset: str

    @property
    def origin(self) -> str:
        """What a set is told by."""
        return origin(self.dataset, self.split)


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """What the questions are compared with, as it is sent to the workers."""

    items: tuple[Item, ...]
    origins: tuple[str, ...]
    index: Index
    entities: entities.Entities
    barred: Mapping[str, int]
    """Bits of the origins that a set, named by its own origin, is not compared with."""


def origin(dataset: str, split: str | None) -> str:
    """A dataset and its split, if it has one, as one word."""
    return f"{dataset}/{split}" if split else dataset


def screener(benchmarks: Benchmarks | None, config: ScreenConfig) -> Callable[[Batches], Batches]:
    """What `mapInArrow` calls: batches of work questions -> the same without TEXTS and with FOUND."""

    def screen(batches: Batches) -> Batches:
        for whole in batches:
            for start in range(0, whole.num_rows, _ROWS):
                yield _screened(whole.slice(start, _ROWS), benchmarks, config)

    return screen


def _screened(batch: pa.RecordBatch, benchmarks: Benchmarks | None, config: ScreenConfig) -> pa.RecordBatch:
    rows = batch.to_pylist()
    asked = [said(row["question"], row["options"], row["answer"]) for row in rows]
    spans = [[(span["start"], span["end"]) for span in row["spans"] or []] for row in rows]
    found: dict[str, list[Any]] = {
        "content": [" ".join(one.content) for one in asked],
        "bands": list(duplicates.bands((one.numbers for one in asked), config)),
        "answer_coverage": [coverage(row["answer"], spans) for row, spans in zip(rows, spans, strict=True)],
    }
    if benchmarks is not None:
        found |= _beside(rows, asked, benchmarks, config)
    kept = [name for name in batch.schema.names if name not in TEXTS]
    nothing = [None] * len(rows)
    added = [pa.array(found.get(field.name, nothing), field.type) for field in FOUND]
    return pa.RecordBatch.from_arrays([*(batch[name] for name in kept), *added], [*kept, *FOUND.names])


def _beside(
    rows: Sequence[Mapping[str, Any]], asked: Sequence[Said], benchmarks: Benchmarks, config: ScreenConfig
) -> dict[str, list[Any]]:
    every = (1 << len(benchmarks.origins)) - 1
    allowed = [every & ~benchmarks.barred.get(origin(row["dataset"], row["split"]), 0) for row in rows]
    columns: dict[str, list[Any]] = {field.name: [] for field in FOUND if field.name not in _WITHOUT}
    compared = compare(benchmarks.index, asked, allowed, config)
    for row, bits, one in zip(rows, allowed, compared, strict=True):
        for name, value in _told(row, bits, one, benchmarks, config).items():
            columns[name].append(value)
    return columns


_WITHOUT = ("content", "bands", "answer_coverage")


def _told(
    row: Mapping[str, Any], allowed: int, one: Comparison, benchmarks: Benchmarks, config: ScreenConfig
) -> dict[str, Any]:
    """The columns of one question."""
    match, near = one.match, None
    if match is None and row["answer_kind"] != "yes_no_maybe":
        near = entities.near(
            benchmarks.entities,
            row["entities"] or [],
            row["answer"],
            lambda item: bool(allowed >> int(benchmarks.index.origin[item]) & 1),
            config,
        )
    return {
        "nearest_benchmark": benchmarks.items[one.nearest].question_id if one.nearest >= 0 else None,
        "similarity": one.similarity if one.nearest >= 0 else 0.0,
        "match": match and _detail(match.rule, match.score, benchmarks.items[match.item]),
        "match_rule": match and match.rule,
        "match_from": match and benchmarks.items[match.item].origin,
        "near": near and _detail("entities", near[1], benchmarks.items[near[0]]),
        "near_from": near and benchmarks.items[near[0]].origin,
        "origins": one.origins,
    }


def _detail(rule: str, score: float, item: Item) -> str:
    return f"{rule} {score:.2f} {item.dataset} {item.id_in_dataset} {item.question_id}"


def alike(config: ScreenConfig) -> Callable[[Batches], Batches]:
    """What `mapInArrow` calls: pairs with content words and answers -> those that are alike, by which rule."""

    def judge(batches: Batches) -> Batches:
        for batch in batches:
            yield pa.RecordBatch.from_pylist(list(_alike(batch.to_pylist(), config)), schema=ALIKE)

    return judge


ALIKE = pa.schema([("first", pa.string()), ("second", pa.string()), ("rule", pa.string()), ("score", pa.float64())])


def _alike(pairs: Iterable[Mapping[str, Any]], config: ScreenConfig) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        told = duplicates.alike(pair["content"], pair["answer"], pair["other"], pair["other_answer"], config)
        if told is not None:
            yield {"first": pair["first"], "second": pair["second"], "rule": told[0], "score": told[1]}
