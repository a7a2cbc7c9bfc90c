"""Fetch PrimeKG's kg.csv: resumes, checks, refuses a truncated file. Starts no engine."""

from pathlib import Path

from jobs._run import Run, run_job
from jobs._say import say
from kg_spark.sources.download import download


def main(run: Run) -> None:
    """Fetch kg.csv to kg.download.target."""
    wanted = run.config.kg.download
    shown = {"percent": -5}

    def report(done: int, total: int | None) -> None:
        percent = int(100 * done / total) if total else done >> 20
        if percent >= shown["percent"] + 5:
            shown["percent"] = percent
            say(f"  {done / 1e6:,.0f} MB" + (f" of {total / 1e6:,.0f}" if total else ""))

    path = download(
        wanted.url,
        Path(wanted.target),
        size_bytes=wanted.size_bytes or None,
        sha256=wanted.sha256 or None,
        timeout_s=wanted.timeout_s,
        attempts=wanted.attempts,
        report=report,
    )
    say(f"{path} is whole; build the graph with kg.sources='[{{name: primekg, format: primekg, edges: {path}}}]'")


def cli() -> None:
    """The console script."""
    run_job("download_primekg", main)


if __name__ == "__main__":
    cli()
