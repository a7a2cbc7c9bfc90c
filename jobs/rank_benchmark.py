"""Benchmark (no engine): DrugMechDB's gold paths -> how high each ranker puts them; learn=true learns in folds first."""

import sys
from collections.abc import Sequence

from conf.outcome import ConfigError
from kg_spark.paths.rank_report import USAGE, options, report


def main(arguments: Sequence[str]) -> int:
    """Print the tables and, last, one line of JSON; the exit code."""
    if {"-h", "--help", "help"} & set(arguments):
        print(USAGE)
        return 0
    try:
        report(options(arguments), print)
    except ConfigError as error:
        print(f"rank_benchmark: {error}", file=sys.stderr)
        return 2
    return 0


def cli() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    cli()
