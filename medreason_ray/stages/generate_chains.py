"""cases -> replies -> chains, verdicts: each case is asked about once, and its reply becomes a chain or a reject.

The two kinds of work are kept apart (medreason_ray.llm_stage): asking costs money and goes to the ledger, parsing is
free and pure.
"""

from collections import Counter
from functools import partial
from typing import Any

import pyarrow as pa
import ray
from ray.data import Dataset

from conf.config import ChainsConfig, EngineConfig
from conf.outcome import Outcome, Reason, Rejected
from conf.tables import CHAINS, REJECTS, VERDICTS
from medreason_ray.engines.choice import model_of
from medreason_ray.engines.choice import open_engine as choose_engine
from medreason_ray.engines.request import Request
from medreason_ray.ledger import Known, Ledger
from medreason_ray.llm_stage import OpenEngine, Requests, ask_missing, with_replies
from medreason_ray.reply import answered
from medreason_ray.stages import write_chains
from medreason_ray.store import flatten

Row = dict[str, Any]

# The store adds the step and the reason's sentence.
_REJECTS = pa.schema([REJECTS.schema.field(name) for name in ("entity", "key", "reason", "detail")])
_PARSED = {"chains": CHAINS.schema, "verdicts": VERDICTS.schema, "rejects": _REJECTS}


def run(
    cases: Dataset,
    *,
    ledger: Ledger,
    engine: EngineConfig,
    chains: ChainsConfig,
    batch_rows: int,
    open_engine: OpenEngine = choose_engine,
) -> Outcome:
    """A chain and its verdicts for each case, or a reject that says why there is none.

    Args:
        cases: the table `cases`.
        ledger: the replies.
        engine: who writes.
        chains: what is asked.
        batch_rows: cases rendered or parsed at a time.
        open_engine: makes the engine on each actor.
    """
    requests = partial(write_chains.requests, config=chains, model=model_of(engine))
    asked = ask_missing(
        cases,
        requests,
        stage=write_chains.STAGE,
        ledger=ledger,
        engine=engine,
        batch_rows=batch_rows,
        open_engine=open_engine,
    )
    # Kept, for the store reads it once a table and once to count; blocks beyond memory are spilled to disk.
    parsed = cases.map_batches(
        partial(_parse_batch, requests=requests, known=ray.put(asked.known)),
        batch_size=batch_rows,
        batch_format="pyarrow",
        zero_copy_batch=True,
    ).materialize()
    tables = {name: flatten(parsed.select_columns([name]), name, schema) for name, schema in _PARSED.items()}
    rejects = tables.pop("rejects").materialize()
    reasons: Counter[str] = Counter()
    for batch in rejects.iter_batches(batch_format="pyarrow", batch_size=None):
        reasons.update(batch["reason"].to_pylist())
    failed = reasons[Reason.REQUEST_FAILED.name]
    return Outcome(
        tables=tables,
        units_in=asked.rows,
        rejects=rejects,
        facts={"failed": str(failed)},
        notices=(f"{asked.asked} requests asked; {failed} cases without a reply",),
    )


def _parse_batch(batch: pa.Table, requests: Requests, known: "ray.ObjectRef[Known]") -> pa.Table:
    """One row: the lists of chains, verdicts and rejects of the batch's cases."""
    parsed: dict[str, list[Row]] = {name: [] for name in _PARSED}
    for case, asked in with_replies(batch, requests, ray.get(known)):
        try:
            if isinstance(asked, Rejected):
                raise asked
            [(request, reply)] = asked
            chain = _chain(case, request, reply)
        except Rejected as reason:
            parsed["rejects"].append(_reject(case, reason))
            continue
        parsed["chains"].append(chain)
        parsed["verdicts"].append(_verdict(chain))
    columns = {name: pa.array([parsed[name]], pa.list_(pa.struct(list(schema)))) for name, schema in _PARSED.items()}
    return pa.table(columns)


def _chain(case: Row, request: Request, reply: Row) -> Row:
    """The chain that a row of `replies` stands for.

    Raises:
        Rejected: REQUEST_FAILED, and what write_chains.parse raises.
    """
    return write_chains.parse(case, request, answered(reply))


def _verdict(chain: Row) -> Row:
    """A chain that no one has answered blind."""
    return {
        "chain_id": chain["chain_id"],
        "arm": "chain",
        "answer_key": None,
        "agrees": None,
        "method": "not_judged",
        "judge_model": None,
        "why": "template engine: nothing to judge",
    }


def _reject(case: Row, reason: Rejected) -> Row:
    return {"entity": "question", "key": case["question_id"], "reason": reason.reason.name, "detail": reason.detail}
