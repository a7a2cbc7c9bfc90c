"""Job 8 of 8 (Spark): questions, screened, cases, chains, verdicts, checks, … -> release, preference_pairs, and files."""

import json
import tempfile
from pathlib import Path

from conf.outcome import ConfigError
from jobs import _rounds
from jobs._run import Run, run_job
from jobs._say import say, say_table
from kg_spark.export import FILES, export, pair_rows, rows, write_whole
from kg_spark.stages import assemble_release
from medreason_ray.review.card import card, tell
from medreason_ray.review.croissant import FILE, croissant, version, version_in
from medreason_ray.review.funnel import numbers
from medreason_ray.review.sql import ask

_SAMPLE = ("question", "answer", "reasoning", "tier", "grounded", "model")


def main(run: Run) -> None:
    """Release, export."""
    folder = export_folder(run)
    report = run.on_spark("assemble_release", assemble_release.run, config=run.config.release, taken=_rounds.taken(run))
    _rounds.tell(run)
    names = (*FILES, "card.md")
    # A run that was killed between the table and the last file left metadata of another release, or none.
    whole = version_in(folder) == version(report.fingerprint) and all((folder / name).is_file() for name in names)
    if not (report.up_to_date and whole):
        _write(run, folder, report.fingerprint)
        say(f"  files: {', '.join(str(folder / name) for name in (*names, FILE))}")
    run.tracker.metrics(numbers(run.lake))


def export_folder(run: Run) -> Path:
    """Where the files go, made where it is not there; asked before any work, for the step before the files may take hours.

    Raises:
        ConfigError: it is a URI, or cannot be written to.
    """
    given = run.config.release.dir or run.lake.path("export")
    if "://" in given:
        raise ConfigError(f"the driver writes the files, and '{given}' is a URI: give a folder, release.dir=FOLDER")
    try:
        Path(given).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=given).close()
    except OSError as error:
        raise ConfigError(f"release.dir '{given}' cannot be written to: {error.strerror}") from error
    return Path(given)


def _write(run: Run, folder: Path, fingerprint: str) -> None:
    """The files, the metadata last; funnel, card and a sample into MLflow."""
    release, pairs = run.spark.read("release"), run.spark.read("preference_pairs")
    counts = export(rows(release), pair_rows(pairs, release), folder, training=run.config.release.purpose == "training")
    told = tell(run.config, run.lake, counts, fingerprint)
    text = card(told)
    write_whole(folder / "card.md", text)
    write_whole(folder / FILE, croissant(told, folder))
    say_table(told.funnel[0].title, told.funnel[0].columns, told.funnel[0].rows)
    funnel = [{"title": each.title, "columns": each.columns, "rows": each.rows} for each in told.funnel]
    run.tracker.text(json.dumps(funnel, indent=1, default=str), "funnel.json")
    run.tracker.text(text, "card.md")
    sample = ask(run.lake, ("release",), f"select {', '.join(_SAMPLE)} from release order by question_id limit 20")  # noqa: S608  our own names
    run.tracker.sample({name: [row[n] for row in sample] for n, name in enumerate(_SAMPLE)}, "samples")


def cli() -> None:
    """The console script."""
    run_job("assemble_release", main)


if __name__ == "__main__":
    cli()
