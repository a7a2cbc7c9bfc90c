"""cases -> replies -> chains, verdicts: each case is asked about once, and its replies become chains or a reject.

One conversation a case (medreason_ray.conversation): which paths carry the argument, n chains, blind answers, and a judge where
spelling does not settle it. All of it goes through one engine, so that a model is loaded once and requests share what was read;
where a judge is named, what it is asked is a second pass through the ledger, when the writer's engine is closed. Asking costs
money and goes to the ledger, parsing is free and pure.
"""

import gc
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray
from ray.data import Dataset

from conf.config import ChainsConfig, EngineConfig, LinksConfig, VerifyConfig
from conf.outcome import ConfigError, Outcome, Reason, Rejected
from conf.tables import CHAINS, REJECTS_FOUND, VERDICTS
from medreason_ray.asker import COLLECT_AFTER, OpenEngine
from medreason_ray.conversation import Converse, Row, replay
from medreason_ray.engines.choice import model_of
from medreason_ray.engines.choice import open_engine as choose_engine
from medreason_ray.engines.request import Model
from medreason_ray.first_cases import first_cases
from medreason_ray.ledger import Known, Ledger
from medreason_ray.llm_stage import Asked, Report, ask_missing, silent
from medreason_ray.results import Keep, flatten, in_memory
from medreason_ray.stages import answer_blind, judge_answers, name_mentions, prune_paths, write_chains
from medreason_ray.stages.reason_case import Reasoned, reason, write

_WRITING = (prune_paths.STAGE, write_chains.STAGE)
_JUDGING = (answer_blind.STAGE, judge_answers.STAGE)
STAGES = (*_WRITING, *_JUDGING)

_LEAST_PROMPT = 1024  # tokens: the rules are 500, a short question with three paths as many again

# Cases whose chains make one file of the table at most, some 40 MB; a smaller block of cases makes a smaller one.
_FILE_CASES = 16_384

_TABLES = {"chains": CHAINS.schema, "verdicts": VERDICTS.schema}
_LISTS = {name: pa.list_(pa.struct(list(schema))) for name, schema in (_TABLES | {"rejects": REJECTS_FOUND}).items()}
_REST = pa.schema([("rejects", _LISTS["rejects"]), ("unjudged", pa.int64())])


def run(
    cases: Dataset,
    nodes: pa.Table | None = None,
    *,
    ledger: Ledger,
    engine: EngineConfig,
    chains: ChainsConfig,
    verify: VerifyConfig,
    batch_rows: int,
    judge: EngineConfig | None = None,
    links: LinksConfig | None = None,
    open_engine: OpenEngine = choose_engine,
    report: Report = silent,
    keep: Keep = in_memory,
) -> Outcome:
    """The chains and verdicts of each case, or a reject that says why there are none.

    Args:
        cases: the table `cases`.
        nodes: the table, for the names in what a model writes; without it a step names the ends of what it cites.
        ledger: the replies.
        engine: who writes.
        chains: what is asked of the writer.
        verify: what is asked to test a chain.
        batch_rows: cases rendered or parsed at a time; fewer are begun at once where a model answers.
        judge: who answers blind and judges; None for the writer.
        links: what counts as a name.
        open_engine: makes the engine on each actor.
        report: told how far it has come.
        keep: where chains and verdicts go.

    Raises:
        TooManyFailures: more than engine.max_failed_share of an actor's requests failed.
    """
    cases, beyond = first_cases(cases, chains.first_cases)
    plan = passes(engine, chains, verify, judge)
    asked = _asked(cases, plan, ledger=ledger, batch_rows=batch_rows, open_engine=open_engine, report=report)
    parsed = cases.map_batches(
        partial(_parse_batch, converse=plan[-1].converse, known=[ray.put(each.known) for each in asked]),
        batch_size=batch_rows,
        batch_format="pyarrow",
        zero_copy_batch=True,
    )
    if nodes is not None and model_of(engine).reads:
        parsed = name_mentions.run(parsed, nodes, links or LinksConfig())
    kept = keep(parsed, _TABLES, _REST, max(1, _FILE_CASES // batch_rows))
    beyond_rows = beyond.iter_batches(batch_format="pyarrow", batch_size=None) if beyond else ()
    rejects = pa.concat_tables([flatten(kept.rest, "rejects", REJECTS_FOUND), *beyond_rows])
    reasons = Counter(rejects["reason"].to_pylist())
    failed, closed = reasons[Reason.REQUEST_FAILED.name], reasons[Reason.NOT_NEEDED.name]
    unjudged = pc.sum(kept.rest["unjudged"]).as_py() or 0
    own = judge is None and bool(verify.arms) and model_of(engine).reads
    return Outcome(
        tables=kept.tables,
        units_in=asked[-1].rows + closed,
        rejects=rejects,
        facts={"failed": str(failed + unjudged), "taken": str(asked[-1].rows)},
        metrics=_metrics(asked, plan),
        notices=_notices(asked, failed, unjudged, own=own),
    )


def _asked(
    cases: Dataset,
    plan: Sequence["Pass"],
    *,
    ledger: Ledger,
    batch_rows: int,
    open_engine: OpenEngine,
    report: Report,
) -> list[Asked]:
    """Pass by pass; each is given what those before it asked."""
    asked: list[Asked] = []
    for each in plan:
        asked.append(
            ask(
                cases,
                each,
                ledger=ledger,
                batch_rows=batch_rows,
                open_engine=open_engine,
                report=report,
                given=[before.known for before in asked],
            )
        )
    return asked


def _notices(asked: Sequence[Asked], failed: int, unjudged: int, *, own: bool) -> tuple[str, ...]:
    """What a person is told; `own`: the writer judged its own chains."""
    notices = [f"{sum(each.asked for each in asked)} requests asked; {failed} cases or chains without a reply"]
    if unjudged:
        notices.append(
            f"{unjudged} blind answers without a reply; retry=failed of the engine that was asked asks them again"
        )
    if own:
        notices.append(
            "the writer answered blind and judged its own chains (verify.judge=writer): each verdict says same_model"
        )
    return tuple(notices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one engine is asked of each case."""

    engine: EngineConfig
    stages: tuple[str, ...]
    """replies.stage of what it is asked."""
    converse: Converse
    """The conversation as far as this engine is needed; what earlier passes asked is in the ledger."""
    section: str = "engine"
    """Of the configuration, where the engine's settings stand."""

    def mend(self, error: ConfigError) -> ConfigError:
        """The error of an engine, which takes its settings for those of `engine`."""
        return ConfigError(re.sub(r"\bengine(?=[.:])", self.section, str(error)))


def passes(
    engine: EngineConfig, chains: ChainsConfig, verify: VerifyConfig, judge: EngineConfig | None = None
) -> list[Pass]:
    """Who is asked what, in turn: all of one engine, or, where a judge is named, writing and judging apart.

    Raises:
        ConfigError: a model is not named, or the longest chain leaves no room for a prompt.
    """
    model = _writer(engine, chains)
    if judge is None:
        whole = partial(reason, chains=chains, verify=verify, model=model, judge=model)
        return [Pass(engine=engine, stages=STAGES, converse=whole)]
    writing = partial(write, chains=chains, verify=verify, model=model)
    second = Pass(engine=judge, stages=_JUDGING, converse=writing, section="judge")
    try:
        judging = model_of(judge)
    except ConfigError as error:
        raise second.mend(error) from error
    whole = partial(reason, chains=chains, verify=verify, model=model, judge=judging)
    first = Pass(engine=engine, stages=_WRITING, converse=partial(writing, judge=judging, last=True))
    return [first, replace(second, converse=whole)]


def _writer(engine: EngineConfig, chains: ChainsConfig) -> Model:
    model, longest = model_of(engine), write_chains.max_tokens(chains)
    if model.max_model_len and model.max_model_len - longest < _LEAST_PROMPT:
        raise ConfigError(
            f"engine.max_model_len={engine.max_model_len} has no room for a prompt beside a chain of {longest} tokens:"
            " raise it, or lower chains.max_steps or chains.step_chars"
        )
    return model


def ask(
    cases: Dataset,
    one: Pass,
    *,
    ledger: Ledger,
    batch_rows: int,
    open_engine: OpenEngine = choose_engine,
    report: Report = silent,
    given: Sequence[Known] = (),
) -> Asked:
    """The asking of one pass alone; its replies count for any later run.

    Args:
        cases: the table `cases`.
        one: the pass.
        ledger: the replies.
        batch_rows: as `run`.
        open_engine: makes the engine on each actor.
        report: told how far it has come.
        given: what the passes before asked.
    """
    engine = one.engine
    reads = model_of(engine).reads
    try:
        return ask_missing(
            cases,
            one.converse,
            stages=one.stages,
            ledger=ledger,
            engine=engine,
            # A model takes seconds a case: small batches tell of their end sooner, and many are in work at once.
            batch_rows=min(batch_rows, max(4, engine.concurrency // 2)) if reads else batch_rows,
            open_engine=open_engine,
            of_rows=cases.count() if reads else 0,
            report=report,
            given=given,
        )
    except ConfigError as error:
        raise one.mend(error) from error


def _metrics(asked: list[Asked], plan: list[Pass]) -> Mapping[str, float]:
    """What the asking took, for MLflow; passes that asked nothing cost nothing."""
    requests = float(sum(each.asked for each in asked))
    paid = [(each.progress, one.engine) for each, one in zip(asked, plan, strict=True) if each.asked]
    read, written, cached = (
        float(sum(getattr(done, name) for done, _ in paid)) for name in ("tokens_in", "tokens_out", "tokens_cached")
    )
    if not read + written:
        return {"requests": requests}
    hours = [done.seconds / 3600 * engine.actors for done, engine in paid]
    cost = sum(
        (done.tokens_in * engine.price_in + done.tokens_out * engine.price_out) / 1e6 + each * engine.price_hour
        for (done, engine), each in zip(paid, hours, strict=True)
    )
    return {
        "requests": requests,
        "tokens_in": read,
        "tokens_out": written,
        "tokens_cached": cached,
        "tokens_out_per_s": written / sum(done.seconds for done, _ in paid),
        "engine_hours": sum(hours),
        "cost": cost,
    }


def _parse_batch(batch: pa.Table, converse: Converse, known: "Sequence[ray.ObjectRef[Known]]") -> pa.Table:
    """One row: the lists of chains, verdicts and rejects of the batch's cases, and the blind answers that never came."""
    gc.set_threshold(COLLECT_AFTER)
    parsed: dict[str, list[Row]] = {name: [] for name in _LISTS}
    for talk in replay(batch.to_pylist(), converse, *ray.get(list(known))):
        found = talk.result
        if isinstance(found, Rejected):
            parsed["rejects"].append(_reject("question", talk.row["question_id"], found))
            continue
        assert isinstance(found, Reasoned)
        parsed["chains"] += found.chains
        parsed["verdicts"] += found.verdicts
        parsed["rejects"] += [_reject("chain", key, why) for key, why in found.lost]
    columns = {name: pa.array([parsed[name]], lists) for name, lists in _LISTS.items()}
    failed = [row for row in parsed["verdicts"] if (row["why"] or "").startswith(Reason.REQUEST_FAILED.name)]
    return pa.table(columns | {"unjudged": [len(failed)]})


def _reject(entity: str, key: str, reason: Rejected) -> dict[str, Any]:
    return {"entity": entity, "key": key, "reason": reason.reason.name, "detail": reason.detail}
