"""Maintenance (no engine): replies, node_vectors -> the same rows in fewer files; may run while a job appends."""

from dataclasses import asdict

from conf.outcome import ContractError
from conf.tables import TABLES
from jobs._run import Run, run_job
from jobs._say import say, say_table, working
from medreason_ray.upkeep import WEEK_HOURS, Kept, Size, tidy

_HEAD = ["table", "", "files", "MB", "files stored", "MB stored"]


def main(run: Run) -> None:
    """Compact and VACUUM the append-only tables that are there.

    Raises:
        ContractError: none is.
    """
    hours = run.config.lake.vacuum_hours
    names = [name for name, table in TABLES.items() if table.append_only and run.lake.open(name) is not None]
    if not names:
        raise ContractError(f"no table that is appended to lies in {run.lake.root}: is lake.root right?")
    if hours < WEEK_HOURS:
        say(f"lake.vacuum_hours={hours} is below {WEEK_HOURS}: a job that runs now may lose files it has yet to read")
    kept: dict[str, Kept] = {}
    for name in names:
        with working(f"maintain {name}"):
            kept[name] = tidy(run.lake.uri(name), hours, run.lake.storage_options)
    say_table("append-only tables", _HEAD, [row for name, each in kept.items() for row in _rows(name, each)])
    run.more["tables"] = {name: asdict(each) for name, each in kept.items()}


def _rows(name: str, kept: Kept) -> list[list[object]]:
    return [[name, "before", *_shown(kept.before)], ["", "after", *_shown(kept.after)]]


def _shown(size: Size) -> list[object]:
    return [size.files, f"{size.bytes / 1e6:,.1f}", size.stored_files, f"{size.stored_bytes / 1e6:,.1f}"]


def cli() -> None:
    """The console script."""
    run_job("maintain", main)


if __name__ == "__main__":
    cli()
