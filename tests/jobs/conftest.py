"""The demo, run once for all tests of this package: from the wheel, in an environment and a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder

from conf.tables import TABLES

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


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The wheel with Spark, installed alone."""
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    home = tmp_path_factory.mktemp("wheel")
    quiet = {"check": True, "capture_output": True}
    subprocess.run([uv, "build", "--wheel", "--out-dir", home / "dist", ROOT], **quiet)
    [wheel] = (home / "dist").glob("*.whl")
    # The versions of the lock, so that the wheel is tried with what the project was tried with.
    locked = [uv, "export", "--locked", "--no-dev", "--extra", "spark", "--no-emit-project", "--no-hashes", "-o"]
    subprocess.run([*locked, home / "locked.txt"], cwd=ROOT, **quiet)
    subprocess.run([uv, "venv", "--python", sys.executable, home / "env"], **quiet)
    python = home / "env" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--python", python, f"{wheel}[spark]", "-r", home / "locked.txt"], **quiet)
    folder = home / "empty"
    folder.mkdir()
    return Place(folder, home / "env" / "bin")


@pytest.fixture(scope="session")
def demo(place: Place) -> tuple[Place, subprocess.CompletedProcess[str]]:
    """The demo's first run, which must succeed."""
    done = place.run("medreason-run-pipeline", "profile=demo")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return place, done
