"""cases -> those whose turn has come, and those that are not needed yet (conf.rounds)."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ray.data import Dataset

from conf.outcome import Reason
from conf.rounds import turn
from conf.tables import REJECTS_FOUND

_DIGEST = "S32"


def first_cases(cases: Dataset, count: int) -> tuple[Dataset, Dataset | None]:
    """The first `count` cases in the order of their turns, and a reject for each of the others; with 0 all, and None.

    Args:
        cases: the table.
        count: how many.
    """
    if not count:
        return cases, None
    ids = cases.select_columns(["question_id"])
    turns = [_turns(batch) for batch in ids.iter_batches(batch_format="pyarrow", batch_size=None)]
    ordered = np.sort(np.concatenate([np.empty(0, _DIGEST), *turns]))
    if count >= len(ordered):
        return cases, None
    last = ordered[count - 1]

    def keep(batch: pa.Table) -> pa.Table:
        return batch.filter(pa.array(_turns(batch) <= last))

    def close(batch: pa.Table) -> pa.Table:
        keys = batch.filter(pa.array(_turns(batch) > last))["question_id"].to_pylist()
        rows = [{"entity": "question", "key": key, "reason": Reason.NOT_NEEDED.name, "detail": ""} for key in keys]
        return pa.Table.from_pylist(rows, REJECTS_FOUND)

    whole = {"batch_format": "pyarrow", "batch_size": None, "zero_copy_batch": True}
    return cases.map_batches(keep, **whole), ids.map_batches(close, **whole)


def _turns(batch: pa.Table) -> npt.NDArray[np.bytes_]:
    """(rows,) the turn of each row."""
    return np.array([turn(each) for each in batch["question_id"].to_pylist()], _DIGEST)
