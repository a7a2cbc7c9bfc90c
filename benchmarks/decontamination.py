"""How well copies of benchmark items are found, what is wrongly taken for one, how long it takes. One JSON line a measurement.

    python -m benchmarks.decontamination data=../shared/data [only=copies,pairs,speed,step] [quick=true]

copies: every item of data/qa, exact, with its options shuffled, and in other words at three strengths (by a writer by rule that
knows nothing of the comparison: benchmarks/decontamination_copies.py), compared with all of data/qa; the share that is found and
named rightly, and the share of 8-grams that a paraphrase keeps. pairs: pairs labelled by reading them
(decontamination_labels.tsv: ids alone): each of MedBullets' stems with its nearest in MedQA, and what MedXpertQA rewrote of
both; false positives and what is found, and the rule of any shared 8-gram beside it. speed: 32,682 questions against all of
data/qa without Spark, CPU seconds. step: the same as the step screen_questions, Delta to Delta, on two cores, by the wall.

quick=true takes a tenth of the questions.
"""

import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from csv import DictReader
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.arguments import run_parts
from benchmarks.decontamination_copies import STRENGTHS, Item, paraphrase, shuffled
from benchmarks.decontamination_lake import mixed, read_items, screen_step
from benchmarks.measure import apart, say
from conf.config import ScreenConfig
from kg_spark.screening import duplicates
from kg_spark.screening.benchmark import Index, Said, build, said
from kg_spark.screening.compare import Comparison, compare

_QUESTIONS = 32_682
_BATCH = 512
_CONFIG = ScreenConfig()


class Bench:
    """All items of data/qa, and their index."""

    def __init__(self, data: str, own: str, *, quick: bool) -> None:
        del own
        self.data = data
        self.tenth = 10 if quick else 1
        self.items = read_items(data)[:: self.tenth if quick else 1]
        self.names = sorted({item.dataset for item in self.items})
        self.said = [_said(item) for item in self.items]
        self.index = build(self.said, [self.names.index(item.dataset) for item in self.items], _CONFIG)


def copies(bench: Bench) -> None:
    """Found is a match with an item of the same stem: two editions of MedBullets share theirs."""
    exact, unordered = bench.items, [shuffled(item, random.Random(item.id_in_dataset)) for item in bench.items]
    for name, written in (("exact", exact), ("shuffled", unordered)):
        _say_found(f"copies.{name}", bench, written)
    for name, strength in STRENGTHS.items():
        written = [
            paraphrase(item, strength, random.Random(f"{item.dataset} {item.id_in_dataset}")) for item in bench.items
        ]
        _say_found(f"copies.paraphrase.{name}", bench, written)
        kept = [_kept(one, _said(copy)) for one, copy in zip(bench.said, written, strict=True) if len(one.grams)]
        say(
            f"copies.paraphrase.{name}.8_grams_kept",
            sum(kept) / len(kept),
            "mean share of the stem's 8-grams",
            n=len(kept),
        )


def _say_found(name: str, bench: Bench, written: Sequence[Item]) -> None:
    found = _compare(bench.index, [_said(copy) for copy in written], [-1] * len(written))
    right = [
        one.match is not None and bench.items[one.match.item].question == item.question
        for one, item in zip(found, bench.items, strict=True)
    ]
    say(name, sum(right) / len(right), "share found", n=len(right))
    for dataset in bench.names:
        of_set = [hit for hit, item in zip(right, bench.items, strict=True) if item.dataset == dataset]
        say(f"{name}.{dataset}", sum(of_set) / len(of_set), "share found", n=len(of_set))


def pairs(bench: Bench) -> None:
    """A pair is judged alone, with the weights of a list that holds all sets but the first question's own."""
    items = read_items(bench.data)
    where = {(item.dataset, item.id_in_dataset): item for item in items}
    with (Path(__file__).parent / "decontamination_labels.tsv").open(encoding="utf-8") as lines:
        rows = list(DictReader(lines, delimiter="\t"))
    for part in ("pairs", "rewrites"):
        same, hits, literal = [], [], []
        for family in ("medbullets", "medqa"):
            labelled = [row for row in rows if row["part"] == part and row["dataset"].startswith(family)]
            others = [item for item in items if not item.dataset.startswith(family)]
            index = build([_said(item) for item in others], [0] * len(others), _CONFIG)
            for row in labelled:
                one, other = where[row["dataset"], row["id"]], where[row["other_dataset"], row["other_id"]]
                same.append(row["label"] == "same")
                hits.append(_alone(index, others.index(other), _said(one)))
                literal.append(len(np.intersect1d(_said(one).grams, _said(other).grams)) > 0)
        _say_rates(f"pairs.{part}", hits, same)
        _say_rates(f"pairs.{part}.any_8_gram", literal, same)


def _alone(index: Index, item: int, asked: Said) -> bool:
    """Whether the question would be closed for that item, had it no other to be compared with."""
    only = replace(index, origin=(np.arange(len(index.origin)) != item).astype(np.int64))
    return next(iter(compare(only, [asked], [1], _CONFIG))).match is not None


def _say_rates(name: str, hits: Sequence[bool], same: Sequence[bool]) -> None:
    different, alike = (
        [hit for hit, is_same in zip(hits, same, strict=True) if is_same == wanted] for wanted in (False, True)
    )
    say(f"{name}.false_positives", sum(different) / len(different), "share of different pairs", n=len(different))
    say(f"{name}.found", sum(alike) / len(alike), "share of same pairs", n=len(alike))


def speed(bench: Bench) -> None:
    questions = mixed(bench.items, _QUESTIONS // bench.tenth)
    started = time.process_time()
    texts = [_said(item) for item in questions]
    read = time.process_time()
    _compare(bench.index, texts, [-1] * len(texts))
    compared = time.process_time()
    made = sum(1 for _ in duplicates.bands((text.numbers for text in texts), _CONFIG))
    ended = time.process_time()
    parts = {"words": read - started, "compare": compared - read, "bands": ended - compared, "all": ended - started}
    for name, seconds in parts.items():
        say(f"speed.{name}", seconds, "CPU s", n=made)


def step(bench: Bench) -> None:
    (wall, start, cpu), peak = apart(screen_step, bench.data, _QUESTIONS // bench.tenth)
    n = _QUESTIONS // bench.tenth
    say("step.screen_questions", wall, "s", n=n, peak_mb=peak)
    say("step.start_of_spark", start, "s", n=n)
    say("step.cpu", cpu, "CPU s of all processes", n=n)


def _said(item: Item) -> Said:
    return said(item.question, item.options, item.answer)


def _kept(one: Said, copy: Said) -> float:
    return len(set(one.grams.tolist()) & set(copy.grams.tolist())) / len(one.grams)


def _compare(index: Index, texts: Sequence[Said], allowed: Sequence[int]) -> list[Comparison]:
    return [
        one
        for start in range(0, len(texts), _BATCH)
        for one in compare(index, texts[start : start + _BATCH], allowed[start : start + _BATCH], _CONFIG)
    ]


PARTS: dict[str, Callable[[Bench], None]] = {"copies": copies, "pairs": pairs, "speed": speed, "step": step}


def main(arguments: Iterable[str]) -> int:
    return run_parts(arguments, "benchmarks/decontamination.py", "", Bench, PARTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
