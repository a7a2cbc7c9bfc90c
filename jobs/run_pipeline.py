"""Every job in order, in one process: what `make demo` and `make real` run."""

from types import ModuleType

from jobs import (
    _rounds,
    assemble_release,
    build_kg,
    find_paths,
    generate_chains,
    link_entities,
    load_questions,
    screen_questions,
    show_funnel,
    verify_chains,
)
from jobs._run import Run, run_job
from jobs._say import say

TO_CASES = (build_kg, load_questions, link_entities, screen_questions, find_paths)
ROUND = (generate_chains, verify_chains, assemble_release)


def main(run: Run) -> None:
    """Run the jobs, each in a child run of MLflow; those of a round as often as release.target_rows needs."""
    run.config.check_judge()
    folder = assemble_release.export_folder(run)
    _each(run, *TO_CASES, *ROUND)
    while _rounds.another(run):
        _each(run, *ROUND)
    _each(run, show_funnel)
    say(f"\nThe lake is {run.lake.root}; a person starts with {folder}/card.md and release.jsonl")


def _each(run: Run, *jobs: ModuleType) -> None:
    for job in jobs:
        with run.child(job.__name__.rpartition(".")[2]) as child:
            job.main(child)


def cli() -> None:
    """The console script."""
    run_job("run_pipeline", main)


if __name__ == "__main__":
    cli()
