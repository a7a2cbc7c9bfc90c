"""The shared data's files as rows, for the tests that hold the declared meanings against them."""

import csv
import gzip
import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"

MALFORMED = {"GO:005507", "UniProt:P3535", "UniProt:P4984", "UniProt:41972"}
"""DrugMechDB's ids that have lost a character: no one can say which node they name."""


def table(name: str) -> list[dict[str, str]]:
    """Rows of one file of the shared data; skips the test where the data are not at hand."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there: this test reads the shared data")
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="," if path.suffix == ".csv" else "\t"))


def primekg_shape() -> list[dict[str, str]]:
    path = DATA / "primekg_shape.json"
    if not path.exists():
        pytest.skip(f"{path} is not there: this test reads the shared data")
    rows: list[dict[str, str]] = json.loads(path.read_text())["relations"]
    return rows
