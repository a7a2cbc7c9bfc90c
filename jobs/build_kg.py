"""Job 1 of 7 (Spark): raw files -> nodes, edges, graph_profile."""

from functools import partial

from conf.flow import step
from jobs._run import Run, run_job
from kg_spark.stages import build_kg


def main(run: Run) -> None:
    """Build the graph."""
    load = partial(build_kg.load, config=run.config.kg)
    run.record(run.spark.run(step("build_kg"), build_kg.run, load=load, config=run.config.kg))


def cli() -> None:
    """The console script."""
    run_job("build_kg", main)


if __name__ == "__main__":
    cli()
