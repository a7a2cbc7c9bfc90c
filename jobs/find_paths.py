"""Job 5 of 8 (Spark): screened, links -> paths -> cases; builds the index of the graph where there is none."""

from functools import partial

from jobs._run import Run, run_job
from kg_spark.paths.csr import ensure_index
from kg_spark.paths.engine import has_index
from kg_spark.stages import build_cases, find_paths


def main(run: Run) -> None:
    """Search every pair, then write the cases."""
    config = run.config.paths
    graph = run.lake.checked("nodes", reader="find_paths")
    version = graph.facts["kg_version"]
    folder = run.lake.path(f"_index/{version}")
    index = partial(ensure_index, folder=folder, local_dir=config.index_dir, kg_version=version)
    there = partial(has_index, folder, version)
    stage = partial(find_paths.run, kg_version=version, open_csr=index, has_index=there)
    run.on_spark("find_paths", stage, config=config)
    run.on_spark("build_cases", build_cases.run, config=run.config.cases)


def cli() -> None:
    """The console script."""
    run_job("find_paths", main)


if __name__ == "__main__":
    cli()
