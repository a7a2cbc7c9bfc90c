"""cases, replies -> a probe of the cases, what each of its cases used, and how many cases are still to be asked.

All of it is read from the ledger by driving the conversations over it, as the run will: a case is answered when nothing
is missing, and what it used are the replies that it was sent. So a probe that was asked before, or for another purpose,
counts like one asked now, and a reply to an older prompt does not.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
from ray.data import Dataset

from conf.config import PlanConfig
from conf.identity import digest
from conf.outcome import Rejected
from medreason_ray.conversation import Conversation, Converse, Row, Talk, advance, look_up_in, replay
from medreason_ray.estimate import USED, Used
from medreason_ray.ledger import Known


def choose(question_ids: Iterable[str], config: PlanConfig) -> list[str]:
    """The cases of the probe: those whose digest with the seed is smallest, whatever their order; a larger share adds some."""
    by_digest = sorted(question_ids, key=lambda each: digest(each, str(config.seed)))
    return by_digest[: max(config.min_rows, math.ceil(config.share * len(by_digest)))]


def only(cases: Dataset, question_ids: list[str]) -> Dataset:
    """The rows of some cases, in memory."""
    wanted = pa.array(question_ids, pa.string())

    def keep(batch: pa.Table) -> pa.Table:
        return batch.filter(pc.is_in(batch["question_id"], wanted))

    return cases.map_batches(keep, batch_format="pyarrow", zero_copy_batch=True).materialize()


def used(probe: Dataset, converse: Converse, known: Sequence[Known], stages: Collection[str]) -> Used:
    """What each case of the probe, which has been asked, used of the engine that is asked some stages."""
    talks = replay(probe.take_all(), partial(_metered, converse=converse, stages=stages), *known)
    return np.array([talk.result for talk in talks]).reshape(-1, len(USED))


def _metered(row: Row, converse: Converse, stages: Collection[str]) -> Conversation:
    """The conversation, with what it used for its result."""
    talk = converse(row)
    total = np.zeros(len(USED))
    replies: list[Row] | None = None
    while True:
        try:
            requests = talk.send(replies)  # type: ignore[arg-type]  # None begins a generator
        except (StopIteration, Rejected):
            return total
        replies = yield requests
        for reply in (each for each in replies if each["stage"] in stages):
            tokens = reply["tokens_in"] or 0, reply["tokens_out"] or 0
            total += (1, *tokens, reply["seconds"] or 0, reply["error"] is not None)


def count_open(cases: Dataset, converse: Converse, known: Sequence[Known], *, retry: str, batch_rows: int) -> int:
    """How many cases wait for a reply that the ledger does not hold; the last of `known` is the engine's, the others given."""

    def count(batch: pa.Table, held: "list[ray.ObjectRef[Known]]") -> pa.Table:
        *given, own = ray.get(held)
        talks = [Talk(row, converse) for row in batch.to_pylist()]
        return pa.table({"open": [len(advance(talks, look_up_in(own, retry=retry, given=given), results=False))]})

    counted = cases.map_batches(
        count,
        fn_kwargs={"held": [ray.put(each) for each in known]},
        batch_size=batch_rows,
        batch_format="pyarrow",
        zero_copy_batch=True,
    )
    return sum(row["open"] for row in counted.take_all())
