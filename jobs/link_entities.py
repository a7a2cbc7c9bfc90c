"""Job 3 of 7 (Ray): questions, nodes -> mentions -> links."""

from jobs._run import Run, run_job
from medreason_ray.stages import link_entities


def main(run: Run) -> None:
    """Link questions, answers and options to nodes."""
    config = run.config
    run.on_ray("link_entities", link_entities.run, config=config.links, batch_rows=config.ray.batch_rows)


def cli() -> None:
    """The console script."""
    run_job("link_entities", main)


if __name__ == "__main__":
    cli()
