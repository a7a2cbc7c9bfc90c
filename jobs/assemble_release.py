"""Job 7 of 7 (Spark): questions, cases, chains, verdicts, edges -> checks, release, and the files that people take."""

from pathlib import Path

from jobs._run import Run, run_job
from jobs._say import say
from kg_spark.export import export
from kg_spark.stages import assemble_release
from medreason_ray.review.card import card
from medreason_ray.review.funnel import ask, funnel

_FILES = ("release.jsonl", "release.parquet", "card.md")


def main(run: Run) -> None:
    """Check, release, export."""
    report = run.on_spark("assemble_release", assemble_release.run)
    folder = Path(run.config.release.dir or run.lake.path("export"))
    if report.up_to_date and all((folder / name).is_file() for name in _FILES):
        return
    export(run.spark.read("release"), folder)
    names = ("question", "answer", "reasoning", "tier", "grounded", "model")
    sample = ask(run.lake, ("release",), f"select {', '.join(names)} from release order by question_id limit 20")  # noqa: S608  our own names
    run.tracker.sample({name: [row[n] for row in sample] for n, name in enumerate(names)}, "samples")
    graph, release = run.lake.commit("nodes"), run.lake.commit("release")
    facts = {**(graph.facts if graph else {}), **(release.facts if release else {})}
    models = [str(row[0]) for row in ask(run.lake, ("release",), "select distinct model from release order by model")]
    (folder / "card.md").write_text(card(run.config, report, models, funnel(run.lake), facts), encoding="utf-8")
    say(f"  files: {', '.join(str(folder / name) for name in _FILES)}")


def cli() -> None:
    """The console script."""
    run_job("assemble_release", main)


if __name__ == "__main__":
    cli()
