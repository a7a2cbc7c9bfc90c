"""The wheel: it declares every package that its code imports."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.jobs.conftest import ROOT

OWN = ("conf", "kg_spark", "medreason_ray", "jobs")
BROUGHT = dict.fromkeys(("vllm", "torch", "transformers", "psutil"), "vllm")
"""By one of two extras, in code that runs only where it is there."""


def plain(name: str) -> str:
    """A distribution's name in its normal form."""
    return name.lower().replace("_", "-")


def imported() -> dict[str, set[str]]:
    """The packages that are imported, each with the files that do so."""
    found: dict[str, set[str]] = {}
    for path in (file for name in OWN for file in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            else:
                names = [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(str(path.relative_to(ROOT)))
    return {name: files for name, files in found.items() if name not in {*OWN, *sys.stdlib_module_names}}


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {plain(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in lines}


def test_what_is_imported_is_declared():
    distributions = packages_distributions()
    there = declared()
    missing = {}
    for name, files in imported().items():
        bring = {BROUGHT[name]} if name in BROUGHT else {plain(each) for each in distributions.get(name, [name])}
        if not bring & there:
            missing[name] = sorted(files)
    assert missing == {}
