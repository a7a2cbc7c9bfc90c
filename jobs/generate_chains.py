"""Job 6 of 8 (Ray): cases, nodes -> replies -> chains, verdicts."""

from conf import rounds
from jobs._run import Run, run_job
from jobs._say import say
from medreason_ray.ledger import Ledger
from medreason_ray.review import arms
from medreason_ray.stages import generate_chains


def main(run: Run) -> None:
    """Ask what the ledger does not know, then read every reply."""
    run.config.check_judge()
    run.configure(rounds.of_round(run.lake, run.config))
    config = run.config
    ledger = Ledger(run.lake.uri("replies"), run.lake.storage_options)
    run.on_ray(
        "generate_chains",
        generate_chains.run,
        ledger=ledger,
        engine=config.engine,
        chains=config.chains,
        verify=config.verify,
        judge=config.judging,
        batch_rows=config.ray.batch_rows,
        links=config.links,
        report=run.show,
    )
    found = arms.measure(run.lake)
    for finding in found.findings:
        say(f"  {finding}")
    run.tracker.metrics(dict(found.metrics()))


def cli() -> None:
    """The console script."""
    run_job("generate_chains", main)


if __name__ == "__main__":
    cli()
