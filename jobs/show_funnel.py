"""The funnel of a lake: how many questions came in, where each left and why. Starts no engine."""

from jobs._run import Run, run_job
from jobs._say import say_table
from medreason_ray.review.funnel import arms_sections, check_closed, funnel


def main(run: Run) -> None:
    """Print the funnel and what blind answers show; when the release is there, hold the lake to the row law."""
    text = []
    for section in [*funnel(run.lake), *arms_sections(run.lake)]:
        say_table(section.title, section.columns, section.rows)
        text += [section.title, *[" | ".join(map(str, row)) for row in section.rows], ""]
    run.tracker.text("\n".join(text), "funnel.txt")
    if run.lake.commit("release") is not None:
        check_closed(run.lake)


def cli() -> None:
    """The console script."""
    run_job("show_funnel", main)


if __name__ == "__main__":
    cli()
