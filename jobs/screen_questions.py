"""Job 4 of 8 (Spark): questions, mentions, links -> screened."""

from jobs._run import Run, run_job
from kg_spark.stages import screen_questions


def main(run: Run) -> None:
    """Close the questions that no path can serve."""
    run.on_spark(
        "screen_questions",
        screen_questions.run,
        purpose=run.config.release.purpose,
        benchmarks=run.config.questions.benchmarks,
        config=run.config.screen,
    )


def cli() -> None:
    """The console script."""
    run_job("screen_questions", main)


if __name__ == "__main__":
    cli()
