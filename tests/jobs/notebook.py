"""A notebook of Databricks run without Databricks: its Python cells in order, in one namespace, with stand-ins.

`dbutils.widgets`, `display`, `displayHTML` and `spark` are what the notebooks use; `display` evaluates the frame.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HEAD = "# Databricks notebook source"
_PARTED = re.compile(r"^# COMMAND -+$", re.MULTILINE)


class Widgets:
    """Widgets that a job's parameters fill; one that the notebook does not make is refused, as Databricks does."""

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given
        self.made: dict[str, str] = {}

    def text(self, name: str, default: str, label: str = "") -> None:
        self.made[name] = self._given.get(name, default)

    def dropdown(self, name: str, default: str, choices: Sequence[str], label: str = "") -> None:
        self.text(name, default)
        assert self.made[name] in choices, f"{name}={self.made[name]} is none of {choices}"

    def get(self, name: str) -> str:
        return self.made[name]


class ActiveSession:
    """The session that is there when it is asked for; in a job's notebook the job starts it."""

    def __getattr__(self, name: str) -> Any:
        from pyspark.sql import SparkSession

        return getattr(SparkSession.builder.getOrCreate(), name)


def cells(path: Path) -> list[str]:
    """The cells as written, magic ones included."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(HEAD + "\n"), f"{path.name} is not in source format"
    return [cell.strip() for cell in _PARTED.split(text.removeprefix(HEAD))]


def run(path: Path, **widgets: str) -> dict[str, Any]:
    """Run a notebook and return its names, with what it showed as `shown` and `html`."""
    held = Widgets(widgets)
    shown: list[list[Any]] = []
    html: list[str] = []
    names: dict[str, Any] = {
        "dbutils": SimpleNamespace(widgets=held),
        "display": lambda frame: shown.append(frame.collect()),
        "displayHTML": html.append,
        "spark": ActiveSession(),
    }
    for number, cell in enumerate(cells(path)):
        if not cell.startswith("# MAGIC"):
            exec(compile(cell, f"{path.name}[{number}]", "exec"), names)
    assert widgets.keys() <= held.made.keys(), f"{path.name} has no widget {sorted(widgets.keys() - held.made.keys())}"
    return names | {"shown": shown, "html": html}
