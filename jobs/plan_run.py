"""Plan (Ray): cases -> replies of a few of them -> what all of them will take, in requests, tokens, hours and money."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

from ray.data import Dataset

from conf import rounds
from conf.outcome import ContractError
from jobs._run import Run, run_job
from jobs._say import say, say_table, working
from medreason_ray.engines.choice import model_of
from medreason_ray.estimate import Used, estimate
from medreason_ray.first_cases import first_cases
from medreason_ray.ledger import Known, Ledger
from medreason_ray.on_spark import ray_on_spark
from medreason_ray.plan import choose, count_open, only, used
from medreason_ray.stages import generate_chains
from medreason_ray.store import RayStore


def main(run: Run) -> None:
    """Ask a probe, whose replies count for the run, and print what the cases still to be asked will take.

    Raises:
        ContractError: there is no case, or no request of the probe was answered.
    """
    run.config.check_judge()
    run.lake.checked("cases", reader="plan_run")
    run.configure(rounds.of_round(run.lake, run.config))
    config = run.config
    plan = generate_chains.passes(config.engine, config.chains, config.verify, config.judging)
    if not any(model_of(each.engine).reads for each in plan):
        say(f"engine.name={config.engine.name} follows rules: no model is asked and nothing is paid")
        run.more["plan"] = {"paid": False}
        return
    with ray_on_spark(run.config.ray.on_spark):
        _plan(run, plan)


def _plan(run: Run, plan: Sequence[generate_chains.Pass]) -> None:
    """As `main`, of engines that ask a model."""
    config = run.config
    cases, _ = first_cases(RayStore(config, run.lake).read("cases", reader="plan_run"), config.chains.first_cases)
    ids = [row["question_id"] for row in cases.select_columns(["question_id"]).iter_rows()]
    if not ids:
        raise ContractError(f"table 'cases' in {run.lake.root} is empty: there is nothing to ask")
    probe = only(cases, choose(ids, config.plan))
    known: list[Known] = []
    for each in plan:
        probed = _probe(run, cases, probe, each, known)
        if model_of(each.engine).reads:
            _check(probed.taken)
            _tell(run, len(ids), probed, each)


class _Probed(NamedTuple):
    """What an engine was asked about the probe."""

    taken: Used
    asked: int
    """Requests that were new."""
    left: int
    """Cases about which it has more to be asked."""


def _probe(run: Run, cases: Dataset, probe: Dataset, one: generate_chains.Pass, known: list[Known]) -> _Probed:
    """Ask one engine about the probe, and count the cases that it must still be asked about; `known` grows by its replies."""
    batch_rows = run.config.ray.batch_rows
    with working("plan_run") as show:
        asked = generate_chains.ask(
            probe,
            one,
            ledger=Ledger(run.lake.uri("replies"), run.lake.storage_options),
            batch_rows=batch_rows,
            report=lambda progress: show(progress.line()),
            given=known,
        )
        known.append(asked.known)
        show("counting the cases that are not answered")
        left = count_open(cases, one.converse, known, retry=one.engine.retry, batch_rows=batch_rows)
    return _Probed(used(probe, one.converse, known, one.stages), asked.asked, left)


def _check(taken: Used) -> None:
    """Failures cost nothing, so a plan must not rest on them alone."""
    requests, *_, failed = (int(each) for each in taken.sum(axis=0))
    if requests and failed == requests:
        raise ContractError(
            f"all {failed} requests of the probe failed: see replies.error; engine.retry=failed asks again"
        )
    if failed:
        say(f"{failed} of {requests} requests of the probe failed and are taken to fail in the run, too")


def _tell(run: Run, cases: int, probed: _Probed, one: generate_chains.Pass) -> None:
    engine, name = one.engine, one.section
    found = estimate(probed.taken, probed.left, engine, run.config.plan.seed)
    probe = len(probed.taken)
    say(
        f"{cases:,} cases; {probe:,} probed with {probed.asked:,} new requests, their replies kept;"
        f" {probed.left:,} still to be asked"
    )
    if probe < engine.concurrency:
        say(f"{probe} cases do not fill {name}.concurrency={engine.concurrency}: a full engine answers a request later")
    if not any((engine.price_in, engine.price_out, engine.price_hour)):
        say(f"no price is given ({name}.price_in, price_out, price_hour), so the money is 0")
    say_table(
        f"what {probed.left:,} cases will take of {name}, {engine.actors} actors",
        ["", "expected", "95 % from", "to"],
        [[each.name.replace("_", " "), *map(_shown, (each.value, each.low, each.high))] for each in found],
    )
    counts = {"cases": cases, "probed": probe, "asked": probed.asked, "open": probed.left}
    figures = {**counts, "estimates": {each.name: asdict(each) for each in found}}
    # The writer's stand where they stood before there were judges.
    told = run.more.setdefault("plan", {"paid": True})
    told |= figures if name == "engine" else {name: figures}
    prefix = "plan" if name == "engine" else f"plan/{name}"
    run.tracker.metrics({f"{prefix}/{each.name}": each.value for each in found})


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def cli() -> None:
    """The console script."""
    run_job("plan_run", main)


if __name__ == "__main__":
    cli()
