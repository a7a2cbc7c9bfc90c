"""Job 1 of 8 (Spark): raw files -> nodes, edges, graph_profile."""

from functools import partial

from jobs._run import Run, run_job
from kg_spark.stages import build_kg
from medreason_ray.review.sql import ask


def main(run: Run) -> None:
    """Build the graph."""
    load = partial(build_kg.load, config=run.config.kg)
    report = run.on_spark("build_kg", build_kg.run, load=load, config=run.config.kg)
    if not report.up_to_date:
        rows = ask(run.lake, ("graph_profile",), "select section, name, value from graph_profile order by 1, 2")
        columns = [list(column) for column in zip(*rows, strict=True)]
        run.tracker.sample(dict(zip(("section", "name", "value"), columns, strict=True)), "graph_profile")


def cli() -> None:
    """The console script."""
    run_job("build_kg", main)


if __name__ == "__main__":
    cli()
