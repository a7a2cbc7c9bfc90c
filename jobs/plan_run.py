"""Plan (Ray): cases -> replies of a few of them -> what all of them will take, in requests, tokens, hours and money."""

from dataclasses import asdict

from conf.outcome import ContractError
from jobs._run import Run, run_job
from jobs._say import say, say_table, working
from medreason_ray.engines.choice import model_of
from medreason_ray.estimate import Estimate, Used, estimate
from medreason_ray.ledger import Ledger
from medreason_ray.plan import choose, count_open, only, used
from medreason_ray.stages import generate_chains
from medreason_ray.store import RayStore


def main(run: Run) -> None:
    """Ask a probe, whose replies count for the run, and print what the cases still to be asked will take.

    Raises:
        ContractError: there is no case, or no request of the probe was answered.
    """
    config, engine = run.config, run.config.engine
    run.lake.checked("cases", reader="plan_run")
    if not model_of(engine).reads:
        say(f"engine.name={engine.name} follows rules: no model is asked and nothing is paid")
        run.more["plan"] = {"paid": False}
        return
    store = RayStore(config, run.lake)
    cases = store.read("cases", reader="plan_run")
    ids = [row["question_id"] for row in cases.select_columns(["question_id"]).iter_rows()]
    if not ids:
        raise ContractError(f"table 'cases' in {run.lake.root} is empty: there is nothing to ask")
    ledger = Ledger(run.lake.uri("replies"), run.lake.storage_options)
    converse = generate_chains.conversation(engine, config.chains, config.verify)
    probe = only(cases, choose(ids, config.plan))
    with working("plan_run") as show:
        asked = generate_chains.ask(
            probe,
            converse,
            ledger=ledger,
            engine=engine,
            batch_rows=config.ray.batch_rows,
            report=lambda progress: show(progress.line()),
        )
        taken = used(probe, converse, asked.known)
        show("counting the cases that are not answered")
        left = count_open(cases, converse, asked.known, retry=engine.retry, batch_rows=config.ray.batch_rows)
    _check(taken)
    found = estimate(taken, left, engine, config.plan.seed)
    _tell(run, len(ids), len(taken), asked.asked, left, found)


def _check(taken: Used) -> None:
    """Failures cost nothing, so a plan must not rest on them alone."""
    requests, *_, failed = (int(each) for each in taken.sum(axis=0))
    if requests and failed == requests:
        raise ContractError(
            f"all {failed} requests of the probe failed: see replies.error; engine.retry=failed asks again"
        )
    if failed:
        say(f"{failed} of {requests} requests of the probe failed and are taken to fail in the run, too")


def _tell(run: Run, cases: int, probed: int, asked: int, left: int, found: list[Estimate]) -> None:
    engine = run.config.engine
    say(
        f"{cases:,} cases; {probed:,} probed with {asked:,} new requests, their replies kept; {left:,} still to be asked"
    )
    if probed < engine.concurrency:
        say(
            f"{probed} cases do not fill engine.concurrency={engine.concurrency}: a full engine answers a request later"
        )
    if not any((engine.price_in, engine.price_out, engine.price_hour)):
        say("no price is given (engine.price_in, price_out, price_hour), so the money is 0")
    say_table(
        f"what {left:,} cases will take, {engine.actors} actors",
        ["", "expected", "95 % from", "to"],
        [[each.name.replace("_", " "), *map(_shown, (each.value, each.low, each.high))] for each in found],
    )
    counts = {"cases": cases, "probed": probed, "asked": asked, "open": left}
    run.more["plan"] = {"paid": True, **counts, "estimates": {each.name: asdict(each) for each in found}}
    run.tracker.metrics({f"plan/{each.name}": each.value for each in found})


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def cli() -> None:
    """The console script."""
    run_job("plan_run", main)


if __name__ == "__main__":
    cli()
