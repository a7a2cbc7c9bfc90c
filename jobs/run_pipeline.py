"""Every job in order, in one process: what `make demo` and `make real` run."""

from jobs import (
    assemble_release,
    build_kg,
    find_paths,
    generate_chains,
    link_entities,
    load_questions,
    screen_questions,
    show_funnel,
)
from jobs._run import Run, run_job
from jobs._say import say

JOBS = (
    build_kg,
    load_questions,
    link_entities,
    screen_questions,
    find_paths,
    generate_chains,
    assemble_release,
    show_funnel,
)


def main(run: Run) -> None:
    """Run the jobs, each in a child run of MLflow."""
    for job in JOBS:
        with run.child(job.__name__.rpartition(".")[2]) as child:
            job.main(child)
    say(f"\nThe lake is {run.lake.root}; a person starts with {run.lake.path('export')}/card.md and release.jsonl")


def cli() -> None:
    """The console script."""
    run_job("run_pipeline", main)


if __name__ == "__main__":
    cli()
