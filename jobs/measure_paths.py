"""Measurement (no engine): screened, links, index -> how well paths tell the right option from the wrong ones.

It writes no table. What it shows is printed, kept as an artifact and metrics of the MLflow run, and is in the last line.
"""

import math
from dataclasses import asdict

import pyarrow as pa
import pyarrow.compute as pc

from conf.outcome import ContractError
from jobs._run import Run, run_job
from jobs._say import say, say_table
from kg_spark.paths.composition import Share, composition
from kg_spark.paths.csr import Index, open_index
from kg_spark.paths.engine import has_index
from kg_spark.paths.separation import SEMANTICS, Separation, read_options, read_pairs, separation


def main(run: Run) -> None:
    """Print both tables.

    Raises:
        ContractError: a table or the index is missing, or no question has options to compare.
    """
    version = run.lake.checked("nodes", reader="measure_paths").facts["kg_version"]
    for name in ("screened", "questions", "links"):
        run.lake.checked(name, reader="measure_paths")
    index = _index(run, version)
    screened = _read(run, "screened", "question_id")
    options = read_options(screened, _read(run, "questions", "question_id", "dataset", "options", "answer_key"))
    for dataset in options.unkeyed:
        say(f"{dataset} is left out: its questions have no answer key")
    asked = pc.field("question_id").isin(pa.array(options.rows["question_id"].unique(), pa.string()))
    links = _read(run, "links", "question_id", "side", "option_key", "node_id", where=asked)
    nodes = _read(run, "nodes", "node_id", "generic", where=pc.field("generic"))
    pairs = read_pairs(options.rows, links, nodes, index)
    if pairs.rows.empty:
        raise ContractError(
            f"no question in {run.lake.root} has two options, a key to them and a pair to search: nothing to measure"
        )
    rows = list(separation(pairs, index, run.config.paths))
    shares = list(composition(pairs, index, run.config.paths))
    say_table("right option against wrong ones of its question", *_separations(rows))
    say_table("paths to the right options", *_shares(shares))
    run.tracker.metrics({f"paths/{r.dataset}.{r.semantics}.{r.rule}.auc": r.auc for r in rows})
    run.more |= {"separation": [asdict(row) for row in rows], "composition": [asdict(share) for share in shares]}


def _index(run: Run, version: str) -> Index:
    """The graph's index; under paths.engine=graphframes none has been built."""
    folder = run.lake.path(f"_index/{version}")
    if not has_index(folder, version):
        raise ContractError(
            "measure_paths needs the index of paths.engine=csr: run find_paths paths.engine=csr"
            f" (where it finds its tables up to date, remove {run.lake.uri('paths')} first)"
        )
    return open_index(folder, run.config.paths.index_dir, version)


def _read(run: Run, name: str, *columns: str, where: pc.Expression | None = None) -> pa.Table:
    table = run.lake.open(name)
    assert table is not None, "checked before"
    return table.to_pyarrow_table(columns=list(columns), filters=where)


def _separations(rows: list[Separation]) -> tuple[list[str], list[list[object]]]:
    head = ["dataset", "semantics", "best path by", "questions", "right is best", "chance", "AUC (95 %)",
            "AUC, both have one (95 %)", "right has one", "wrong has one", "truncated"]  # fmt: skip
    shown: list[list[object]] = [
        [r.dataset, r.semantics, r.rule, r.questions, f"{r.right_best:.3f}", f"{r.chance:.3f}",
         _span(r.auc, r.low, r.high), _span(r.auc_both, r.low_both, r.high_both),
         f"{r.right_has_path:.3f}", f"{r.wrong_has_path:.3f}", f"{r.truncated:.3f}"]
        for r in sorted(rows, key=lambda row: row.dataset)
    ]  # fmt: skip
    return head, shown


def _span(value: float, low: float, high: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3f} ({low:.3f}–{high:.3f})"


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
