"""The demo, run once for all tests of this package: from the wheel, in an environment and a folder of its own."""

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder

from conf.tables import TABLES
from jobs._run import execute

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Place:
    """An empty folder with the installed wheel at hand."""

    folder: Path
    bin: Path

    def run(self, job: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A console script of the wheel, run in the folder."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
        return subprocess.run(
            [self.bin / job, *arguments],
            cwd=self.folder,
            env={**keep, "SPARK_LOCAL_IP": "127.0.0.1"},
            capture_output=True,
            text=True,
            check=False,
        )


def last_line(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON object that every job ends with."""
    return json.loads(done.stdout.strip().splitlines()[-1])


def rows(lake: Path, name: str) -> list[dict[str, Any]]:
    """A table's rows in the order of its key, without what differs from run to run."""
    table = TABLES[name]
    columns = ", ".join(f'"{each}"' for each in table.stable_columns)
    query = f"select {columns} from t order by {', '.join(table.key)}"
    return pa.table(QueryBuilder().register("t", DeltaTable(str(lake / name))).execute(query).read_all()).to_pylist()


def run_here(job: ModuleType, *arguments: str) -> dict[str, Any]:
    """A job on this process's Spark and Ray, which must succeed; its last line. No JVM starts cold: two thirds of the time."""
    out = io.StringIO()
    with redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what runs for a user, who is not stopped by them
        code = execute(job.__name__.rpartition(".")[2], job.main, arguments)
    assert code == 0, out.getvalue()[-3000:]
    return json.loads(out.getvalue().strip().splitlines()[-1])


MADE_BY_RAY = ("mentions", "links")
FROM_CASES = ("replies", "chains", "verdicts", "checks", "release", "preference_pairs", "export")


def copied(lake: Path, to: Path, without: Iterable[str] = ()) -> Path:
    """A lake's copy, less some of its tables."""
    shutil.copytree(lake, to, ignore=lambda folder, _: set(without) if Path(folder) == lake else set())
    return to


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The wheel in an environment of its own, which finds the packages that it needs, and not the project, in ours.

    To install them again, 150 of them compiled, took two minutes; test_wheel.py says that it declares what it imports.
    """
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    home = tmp_path_factory.mktemp("wheel")
    quiet = {"check": True, "capture_output": True}
    subprocess.run([uv, "build", "--wheel", "--out-dir", home / "dist", ROOT], **quiet)
    [wheel] = (home / "dist").glob("*.whl")
    subprocess.run([uv, "venv", "--python", sys.executable, home / "env"], **quiet)
    python = home / "env" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--python", python, "--no-deps", wheel], **quiet)
    [packages] = (home / "env").glob("lib/python*/site-packages")
    # Python reads no .pth of a folder that is named in one, so what is installed there for editing is not found.
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib"))
    _take_over_what_numba_compiled(packages)
    folder = home / "empty"
    folder.mkdir()
    return Place(folder, home / "env" / "bin")


def _take_over_what_numba_compiled(packages: Path) -> None:
    """The path search as set-up compiled it, half a minute: numba's cache goes by a source's name, size and time."""
    ours, theirs = ROOT / "kg_spark" / "paths", packages / "kg_spark" / "paths"
    shutil.copytree(
        ours / "__pycache__", theirs / "__pycache__", ignore=shutil.ignore_patterns("*.pyc"), dirs_exist_ok=True
    )
    for source in ours.glob("*.py"):
        shutil.copystat(source, theirs / source.name)


@pytest.fixture(scope="session")
def demo(place: Place) -> tuple[Place, subprocess.CompletedProcess[str]]:
    """The demo's first run, which must succeed."""
    done = place.run("medreason-run-pipeline", "profile=demo")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return place, done
