"""Two runs side by side (no engine): MLflow runs or lakes -> comparison.html, comparison.json, and the counts."""

import json
import sys
from pathlib import Path

from conf.loading import operational
from conf.outcome import ConfigError
from jobs._run import Run, run_job
from jobs._runs_of_mlflow import read_run
from jobs._say import say, say_table
from medreason_ray.review import comparison
from medreason_ray.review.comparison import STATUSES
from medreason_ray.review.funnel import funnel
from medreason_ray.review.snapshot import details, fates, released_columns


def main(run: Run) -> None:
    """Compare, write both files, log them to MLflow.

    Raises:
        ConfigError: a run is not named, or MLflow knows it not.
        ContractError: a lake lacks its questions, or a version's files are gone.
    """
    config = run.config.compare
    if not (config.run_a and config.run_b):
        raise ConfigError("give two runs: run_a=ID_OR_LAKE run_b=ID_OR_LAKE, each an MLflow run id or a lake's root")
    (a, lake_a), (b, lake_b) = (read_run(name, run.config) for name in (config.run_a, config.run_b))
    columns = released_columns(lake_a) & released_columns(lake_b)
    changes = comparison.compare(fates(lake_a), fates(lake_b), columns)
    sections = comparison.side_by_side(funnel(lake_a), funnel(lake_b))
    found = comparison.summed(changes, a, b, operational(), sections)
    shown = comparison.chosen(found, config.shown)
    ids = [each.question_id for each in shown]
    html = comparison.page(found, shown, details(lake_a, ids), details(lake_b, ids))
    content = json.dumps(comparison.as_json(found), ensure_ascii=False, indent=1)
    _write(Path(config.dir), html, content)
    run.tracker.text(html, "comparison.html")
    run.tracker.text(content, "comparison.json")
    run.tracker.metrics({f"compare/{status}": float(count) for status, count in found.counts.items()})
    say_table("rows of the release", ["", "rows"], [[status, found.counts[status]] for status in STATUSES])
    say(f"  {Path(config.dir) / 'comparison.html'}")
    run.more["comparison"] = {**found.counts, "why": found.why, "closed": found.closed, "config": len(found.config)}


def _write(folder: Path, html: str, content: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "comparison.html").write_text(html, encoding="utf-8")
        (folder / "comparison.json").write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"compare.dir '{folder}' cannot be written to: {error.strerror}") from error


def arguments(given: list[str]) -> list[str]:
    """`run_a=` and `run_b=` in full, `lake.root` at the place of the files: a comparison has no lake of its own."""
    full = [f"compare.{each}" if each.startswith(("run_a=", "run_b=")) else each for each in given]
    folder = next((each.partition("=")[2] for each in full if each.startswith("compare.dir=")), "comparison")
    return [f"lake.root={folder}", *full]


def cli() -> None:
    """The console script."""
    run_job("compare_runs", main, arguments(sys.argv[1:]))


if __name__ == "__main__":
    cli()
