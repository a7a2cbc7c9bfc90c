"""questions, links -> the benchmarks that the work questions are kept apart from, as one index for the workers.

A set is never compared with itself: not with items of its own dataset and split, nor with an edition under another name. An
edition is told by its stems: it holds at least `own_share` of the set's, and has at least that share of its own among them.
A benchmark that a training set copied is no edition: the copies are few of the set's own stems. Where the release is for
training, an edition that does hold half of them stops the step, for to pass it over would release a test set.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.config import ScreenConfig
from conf.outcome import ContractError
from kg_spark.screening import entities
from kg_spark.screening.batches import Benchmarks, Item, origin
from kg_spark.screening.benchmark import build, said

# Of few stems a large share is soon equal by chance, or by the copies that are looked for.
_FEW_STEMS = 20
_MOST_ORIGINS = 62

_COLUMNS = ("question_id", "dataset", "split", "id_in_dataset", "question")


def squeezed(name: str) -> Column:
    """A text in lower case, its blanks each one space."""
    return F.lower(F.regexp_replace(F.trim(F.col(name)), r"\s+", " "))


def benchmarks(
    questions: DataFrame, links: DataFrame, named: Sequence[str], purpose: str, config: ScreenConfig
) -> Benchmarks | None:
    """What the work questions are compared with; None where there is nothing.

    Args:
        questions: the table.
        links: the table; its names are looked up in the items.
        named: questions.benchmarks; empty for all items of role benchmark.
        purpose: release.purpose.
        config: screen.

    Raises:
        ContractError: a named dataset has no item of role benchmark, there are too many datasets, or a training set is an
            edition of a benchmark.
    """
    listed = questions.where("role = 'benchmark'")
    if named:
        listed = listed.where(F.col("dataset").isin(*named))
    rows = _rows(listed, named)
    if not rows:
        return None
    stems = _distinct_stems(rows)
    origins = tuple(stems)
    if len(origins) > _MOST_ORIGINS:
        raise ContractError(f"{len(origins)} benchmark datasets and splits, at most {_MOST_ORIGINS}: name fewer")
    barred = _barred(questions.where("role = 'work'"), listed, stems, purpose, config)
    items = tuple(Item(row["question_id"], row["dataset"], row["split"] or "", row["id_in_dataset"]) for row in rows)
    texts = [said(row["question"], row["options"], row["answer"]) for row in rows]
    return Benchmarks(
        items,
        origins,
        build(texts, [origins.index(item.origin) for item in items], config),
        entities.build([(row["question"], row["answer"]) for row in rows], _names(links)),
        barred,
    )


def _rows(listed: DataFrame, named: Sequence[str]) -> list[dict[str, Any]]:
    """The items in the order of question_id."""
    texts = F.col("options.text").alias("options")
    rows: list[dict[str, Any]] = listed.select(*_COLUMNS, texts, "answer").toArrow().to_pylist()
    missing = sorted(set(named) - {row["dataset"] for row in rows})
    if missing:
        raise ContractError(
            f"questions.benchmarks names '{missing[0]}', of which no question has the role benchmark:"
            " add its file to questions.files with role=benchmark, or take the name off"
        )
    return sorted(rows, key=lambda row: str(row["question_id"]))


def _names(links: DataFrame) -> list[tuple[str, str]]:
    """Every name that a stem of the run links by, with the node."""
    found = links.where("side = 'question'").select("mention", "node_id").distinct().toArrow()
    return sorted(zip(*(column.to_pylist() for column in found.columns), strict=True))


def _barred(
    work: DataFrame, listed: DataFrame, stems: Mapping[str, int], purpose: str, config: ScreenConfig
) -> Mapping[str, int]:
    """Bits of the origins that each set of the work questions is not compared with; `stems`: distinct ones by origin."""
    place = F.concat_ws("/", "dataset", F.when(F.col("split") != "", F.col("split"))).alias("place")
    stem = F.xxhash64(squeezed("question")).alias("stem")
    theirs = listed.select(place, stem).groupBy("stem").agg(F.collect_set("place").alias("others"))
    ours = work.select(place, stem, "is_test_set").groupBy("place", "stem").agg(F.min("is_test_set").alias("published"))
    shared = [F.count(F.when(F.array_contains("others", name), 1)).alias(name) for name in stems]
    rows = ours.join(F.broadcast(theirs), "stem", "left").groupBy("place")
    bits: dict[str, int] = {}
    for row in rows.agg(F.count("*").alias("stems"), F.min("published").alias("published"), *shared).collect():
        for number, (name, distinct) in enumerate(stems.items()):
            least = min(row[name] / row.stems, row[name] / distinct)
            edition = row[name] >= _FEW_STEMS and least >= config.own_share and name != row.place
            if edition and purpose == "training" and not row.published:
                raise ContractError(
                    f"{row.place} shares {least:.0%} of its stems with the benchmark {name}: an edition of one set cannot be"
                    " kept apart from it; leave it out of questions.benchmarks, or set release.purpose=evaluation"
                )
            if edition or name == row.place:
                bits[row.place] = bits.get(row.place, 0) | 1 << number
    return bits


def _distinct_stems(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many distinct stems each origin has, in the order of their names."""
    stems: dict[str, set[str]] = {}
    for row in rows:
        stems.setdefault(origin(row["dataset"], row["split"]), set()).add(" ".join(row["question"].lower().split()))
    return {name: len(stems[name]) for name in sorted(stems)}
