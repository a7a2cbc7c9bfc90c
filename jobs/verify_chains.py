"""Job 7 of 8 (Spark): chains, cases, questions, links, nodes, edges -> checks."""

from jobs._run import Run, run_job
from kg_spark.stages import verify_chains


def main(run: Run) -> None:
    """Hold every chain to the graph, its case and its question."""
    version = run.lake.checked("nodes", reader="verify_chains").facts["kg_version"]
    run.on_spark("verify_chains", verify_chains.run, kg_version=version, max_steps=run.config.longest_chain)


def cli() -> None:
    """The console script."""
    run_job("verify_chains", main)


if __name__ == "__main__":
    cli()
