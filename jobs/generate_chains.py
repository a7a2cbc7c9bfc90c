"""Job 6 of 7 (Ray): cases -> replies -> chains, verdicts."""

from jobs._run import Run, run_job
from medreason_ray.ledger import Ledger
from medreason_ray.stages import generate_chains


def main(run: Run) -> None:
    """Ask what the ledger does not know, then read every reply."""
    config = run.config
    ledger = Ledger(run.lake.uri("replies"), run.lake.storage_options)
    run.on_ray(
        "generate_chains",
        generate_chains.run,
        ledger=ledger,
        engine=config.engine,
        chains=config.chains,
        verify=config.verify,
        batch_rows=config.ray.batch_rows,
        report=run.show,
    )


def cli() -> None:
    """The console script."""
    run_job("generate_chains", main)


if __name__ == "__main__":
    cli()
