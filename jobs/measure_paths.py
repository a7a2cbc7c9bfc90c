"""Measurement (no engine): screened, links, index -> how well paths tell the right option from the wrong ones.

It writes no table. What it shows is printed, kept as an artifact and metrics of the MLflow run, and is in the last line.
"""

from dataclasses import asdict

from deltalake import DeltaTable

from conf.outcome import ContractError
from jobs._run import Run, run_job
from jobs._say import say_table
from kg_spark.paths.composition import Share, composition
from kg_spark.paths.csr import open_index
from kg_spark.paths.separation import SEMANTICS, Separation, read_pairs, separation

_READS = {
    "screened": ["question_id"],
    "questions": ["question_id", "dataset", "options", "answer_key"],
    "links": ["question_id", "side", "option_key", "node_id"],
    "nodes": ["node_id", "generic"],
}


def main(run: Run) -> None:
    """Print both tables.

    Raises:
        ContractError: a table or the index is missing, or no question has options.
    """
    version = run.lake.checked("nodes", reader="measure_paths").facts["kg_version"]
    for name in _READS:
        run.lake.checked(name, reader="measure_paths")
    index = open_index(run.lake.path(f"_index/{version}"), run.config.paths.index_dir, version)
    tables = {name: _open(run, name).to_pyarrow_table(columns=columns) for name, columns in _READS.items()}
    pairs = read_pairs(**tables, index=index)
    if pairs.rows.empty:
        raise ContractError(f"no question in {run.lake.root} has two options and a pair to search: nothing to measure")
    rows = list(separation(pairs, index, run.config.paths))
    shares = list(composition(pairs, index, run.config.paths))
    say_table("right option against wrong ones of its question", *_separations(rows))
    say_table("paths to the right options", *_shares(shares))
    run.tracker.metrics({f"paths/{r.dataset}.{r.semantics}.{r.rule}.auc": r.auc for r in rows})
    run.more |= {"separation": [asdict(row) for row in rows], "composition": [asdict(share) for share in shares]}


def _open(run: Run, name: str) -> DeltaTable:
    table = run.lake.open(name)
    assert table is not None, "checked before"
    return table


def _separations(rows: list[Separation]) -> tuple[list[str], list[list[object]]]:
    head = ["dataset", "semantics", "best path by", "questions", "right is best", "chance", "AUC (95 %)",
            "AUC, both have one (95 %)", "right has one", "wrong has one"]  # fmt: skip
    shown: list[list[object]] = [
        [r.dataset, r.semantics, r.rule, r.questions, f"{r.right_best:.3f}", f"{r.chance:.3f}",
         f"{r.auc:.3f} ({r.low:.3f}–{r.high:.3f})", f"{r.auc_both:.3f} ({r.low_both:.3f}–{r.high_both:.3f})",
         f"{r.right_has_path:.3f}", f"{r.wrong_has_path:.3f}"]
        for r in sorted(rows, key=lambda row: row.dataset)
    ]  # fmt: skip
    return head, shown


def _shares(shares: list[Share]) -> tuple[list[str], list[list[object]]]:
    by_name: dict[str, dict[str, str]] = {}
    for each in shares:
        by_name.setdefault(f"{each.group}: {each.name}", {})[each.semantics] = f"{each.share:.3f}"
    rows: list[list[object]] = [[name, *[share.get(kind, "") for kind in SEMANTICS]] for name, share in by_name.items()]
    return ["share of paths", *SEMANTICS], rows


def cli() -> None:
    """The console script."""
    run_job("measure_paths", main)


if __name__ == "__main__":
    cli()
