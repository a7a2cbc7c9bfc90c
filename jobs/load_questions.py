"""Job 2 of 8 (Spark): raw files -> questions."""

from functools import partial

from jobs._run import Run, run_job
from kg_spark.stages import load_questions


def main(run: Run) -> None:
    """Read every file of questions."""
    load = partial(load_questions.load, config=run.config.questions)
    run.on_spark("load_questions", load_questions.run, load=load, config=run.config.questions)


def cli() -> None:
    """The console script."""
    run_job("load_questions", main)


if __name__ == "__main__":
    cli()
