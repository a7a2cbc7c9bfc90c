"""Spark jobs from the wheel by spark-submit, on this machine and on a standalone master with a worker: the demo's tables."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pyspark
import pytest

from tests.jobs.conftest import ROOT, Place, last_line, rows
from tests.processes import free_ports

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent

SMALL = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC"}


def environment(place: Place) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    python = str(place.bin / "python")
    return {**keep, **SMALL, "PYSPARK_PYTHON": python, "NO_PROXY": "127.0.0.1"}


def spark_submit(
    place: Place, job: str, lake: Path, *options: str, key: str = "tracking.enabled=false"
) -> subprocess.CompletedProcess[str]:
    """The command of docs/clusters.md: the job's file lies in the environment that the wheel was installed in."""
    [script] = place.bin.parent.glob(f"lib/python*/site-packages/jobs/{job}.py")
    settings = ["--properties-file", ROOT / "deploy" / "spark-defaults.conf", "--driver-memory", "1g"]
    # Tables of a hundred rows; the second stops Spark's own look at the machine's name.
    quick = ["spark.sql.shuffle.partitions=1", "spark.driver.host=127.0.0.1", "spark.driver.bindAddress=127.0.0.1"]
    for each in quick:
        settings += ["--conf", each]
    arguments = ["profile=demo", "spark.provided=true", f"lake.root={lake}", key]
    return subprocess.run(
        [BIN / "spark-submit", *options, *settings, script, *arguments],
        cwd=place.folder,
        env=environment(place),
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def daemon(place: Place, name: str, *arguments: str, folder: Path) -> Iterator[None]:
    """A process of Spark's standalone cluster, ended by its id."""
    spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [spark_class, f"org.apache.spark.deploy.{name.lower()}.{name}", "--host", "127.0.0.1", *arguments],
            env=environment(place),
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def workers(page: str) -> int:
    """How many a master has, as its page says; none before the page is whole."""
    try:
        return int(httpx.get(f"{page}/json/", timeout=5, trust_env=False).json()["aliveworkers"])
    except (httpx.TransportError, ValueError):
        return 0


@pytest.fixture(scope="module")
def master(place: Place, tmp_path_factory) -> Iterator[str]:
    """The address of a master that has a worker of two cores."""
    folder = tmp_path_factory.mktemp("standalone")
    port, page, own_page = free_ports(3)
    with ExitStack() as stack:
        stack.enter_context(daemon(place, "Master", "--port", port, "--webui-port", page, folder=folder))
        size = ["--cores", "2", "--memory", "1g", "--webui-port", own_page, "--work-dir", str(folder)]
        stack.enter_context(daemon(place, "Worker", *size, f"spark://127.0.0.1:{port}", folder=folder))
        deadline = time.monotonic() + 120
        while not workers(f"http://127.0.0.1:{page}"):
            assert time.monotonic() < deadline, (folder / "Master.log").read_text()
            time.sleep(0.1)
        yield f"spark://127.0.0.1:{port}"


def test_spark_submit_on_this_machine_loads_the_demo_s_questions(demo, tmp_path):
    done = spark_submit(demo[0], "load_questions", tmp_path, "--master", "local[2]")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert last_line(done)["status"] == "ok"
    assert rows(tmp_path, "questions") == rows(demo[0].folder / "lake" / "demo", "questions")


def test_a_standalone_cluster_builds_the_demo_s_graph(demo, master, tmp_path):
    done = spark_submit(demo[0], "build_kg", tmp_path, "--master", master, "--executor-memory", "512m")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    for name in ("nodes", "edges"):
        assert rows(tmp_path, name) == rows(demo[0].folder / "lake" / "demo", name)


def test_a_key_that_is_unknown_is_exit_code_2_through_spark_submit_too(place, tmp_path):
    done = spark_submit(place, "build_kg", tmp_path, "--master", "local[1]", key="kg.source=[]")
    assert (done.returncode, last_line(done)["status"]) == (2, "refused")
    assert "did you mean 'kg.sources'" in last_line(done)["error"]
