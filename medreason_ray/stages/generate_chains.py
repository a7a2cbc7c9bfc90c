"""cases -> replies -> chains, verdicts: each case is asked about once, and its replies become chains or a reject.

One conversation a case (medreason_ray.conversation), all of it through one engine: which paths carry the argument, n chains,
blind answers, and a judge where spelling does not settle it. Asking costs money and goes to the ledger, parsing is free and
pure.
"""

import gc
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import ray
from ray.data import Dataset

from conf.config import ChainsConfig, EngineConfig, VerifyConfig
from conf.outcome import ConfigError, Outcome, Reason, Rejected
from conf.tables import CHAINS, REJECTS, VERDICTS
from medreason_ray.asker import COLLECT_AFTER, OpenEngine
from medreason_ray.conversation import Converse, Row, replay
from medreason_ray.engines.choice import model_of
from medreason_ray.engines.choice import open_engine as choose_engine
from medreason_ray.ledger import Known, Ledger
from medreason_ray.llm_stage import Asked, Report, ask_missing, silent
from medreason_ray.stages import answer_blind, judge_answers, prune_paths, write_chains
from medreason_ray.stages.reason_case import Reasoned, reason
from medreason_ray.store import flatten

STAGES = (prune_paths.STAGE, write_chains.STAGE, answer_blind.STAGE, judge_answers.STAGE)

_LEAST_PROMPT = 1024  # tokens: the rules are 500, a short question with three paths as many again

# Cases whose chains make one block, some 40 MB, and one file of the table: each block that Ray passes on costs 10 to 50 ms,
# and the tables are read four times.
_BLOCK_CASES = 16_384

# The store adds the step and the reason's sentence.
_REJECTS = pa.schema([REJECTS.schema.field(name) for name in ("entity", "key", "reason", "detail")])
_PARSED = {"chains": CHAINS.schema, "verdicts": VERDICTS.schema, "rejects": _REJECTS}


def run(
    cases: Dataset,
    *,
    ledger: Ledger,
    engine: EngineConfig,
    chains: ChainsConfig,
    verify: VerifyConfig,
    batch_rows: int,
    open_engine: OpenEngine = choose_engine,
    report: Report = silent,
) -> Outcome:
    """The chains and verdicts of each case, or a reject that says why there are none.

    Args:
        cases: the table `cases`.
        ledger: the replies.
        engine: who answers.
        chains: what is asked of the writer.
        verify: what is asked to test a chain.
        batch_rows: cases rendered or parsed at a time; fewer are begun at once where a model answers.
        open_engine: makes the engine on each actor.
        report: told how far it has come.

    Raises:
        TooManyFailures: more than engine.max_failed_share of an actor's requests failed.
    """
    converse = conversation(engine, chains, verify)
    asked = ask(
        cases, converse, ledger=ledger, engine=engine, batch_rows=batch_rows, open_engine=open_engine, report=report
    )
    # Kept, for the store reads it once a table and once to count; blocks beyond memory are spilled to disk.
    parsed = cases.map_batches(
        partial(_parse_batch, converse=converse, known=ray.put(asked.known)),
        batch_size=batch_rows,
        batch_format="pyarrow",
        zero_copy_batch=True,
    ).materialize()
    lists = max(1, _BLOCK_CASES // batch_rows)
    tables = {
        name: flatten(parsed.select_columns([name]), name, schema, lists=lists) for name, schema in _PARSED.items()
    }
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
        metrics=_metrics(asked, engine),
        notices=(f"{asked.asked} requests asked; {failed} cases or chains without a reply",),
    )


def conversation(engine: EngineConfig, chains: ChainsConfig, verify: VerifyConfig) -> Converse:
    """What is said about a case.

    Raises:
        ConfigError: the engine's model is not named, or the longest chain leaves no room for a prompt.
    """
    model, longest = model_of(engine), write_chains.max_tokens(chains)
    if model.max_model_len and model.max_model_len - longest < _LEAST_PROMPT:
        raise ConfigError(
            f"engine.max_model_len={engine.max_model_len} has no room for a prompt beside a chain of {longest} tokens:"
            " raise it, or lower chains.max_steps or chains.step_chars"
        )
    return partial(reason, chains=chains, verify=verify, model=model)


def ask(
    cases: Dataset,
    converse: Converse,
    *,
    ledger: Ledger,
    engine: EngineConfig,
    batch_rows: int,
    open_engine: OpenEngine = choose_engine,
    report: Report = silent,
) -> Asked:
    """The asking alone; its replies count for any later run."""
    reads = model_of(engine).reads
    return ask_missing(
        cases,
        converse,
        stages=STAGES,
        ledger=ledger,
        engine=engine,
        # A model takes seconds a case: small batches tell of their end sooner, and four of them are in work at once.
        batch_rows=min(batch_rows, max(4, engine.concurrency // 2)) if reads else batch_rows,
        open_engine=open_engine,
        of_rows=cases.count() if reads else 0,
        report=report,
    )


def _metrics(asked: Asked, engine: EngineConfig) -> Mapping[str, float]:
    """What the asking took, for MLflow."""
    done = asked.progress
    sums = {"requests": asked.asked, "tokens_in": done.tokens_in, "tokens_out": done.tokens_out}
    if not asked.asked or not done.tokens_in + done.tokens_out:
        return {"requests": float(asked.asked)}
    price = (done.tokens_in * engine.price_in + done.tokens_out * engine.price_out) / 1e6
    hours = done.seconds / 3600 * engine.actors
    return {name: float(count) for name, count in sums.items()} | {
        "tokens_cached": float(done.tokens_cached),
        "tokens_out_per_s": done.tokens_out / done.seconds,
        "engine_hours": hours,
        "cost": price + hours * engine.price_hour,
    }


def _parse_batch(batch: pa.Table, converse: Converse, known: "ray.ObjectRef[Known]") -> pa.Table:
    """One row: the lists of chains, verdicts and rejects of the batch's cases."""
    gc.set_threshold(COLLECT_AFTER)
    parsed: dict[str, list[Row]] = {name: [] for name in _PARSED}
    for talk in replay(batch.to_pylist(), converse, ray.get(known)):
        found = talk.result
        if isinstance(found, Rejected):
            parsed["rejects"].append(_reject("question", talk.row["question_id"], found))
            continue
        assert isinstance(found, Reasoned)
        parsed["chains"] += found.chains
        parsed["verdicts"] += found.verdicts
        parsed["rejects"] += [_reject("chain", key, why) for key, why in found.lost]
    columns = {name: pa.array([parsed[name]], pa.list_(pa.struct(list(schema)))) for name, schema in _PARSED.items()}
    return pa.table(columns)


def _reject(entity: str, key: str, reason: Rejected) -> dict[str, Any]:
    return {"entity": entity, "key": key, "reason": reason.reason.name, "detail": reason.detail}
