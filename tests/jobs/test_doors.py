"""Three doors, one result: the command line, `ray job submit` and a notebook, each with a lake of its own."""

import json
import warnings

import pytest
from mlflow import MlflowClient

from conf.lake import Lake
from conf.loading import load
from tests.jobs.conftest import FROM_CASES, ROOT, copied
from tests.jobs.notebook import run
from tests.jobs.ray_head import RAY, ray_head

pytestmark = pytest.mark.slow

APART = ("lake.", "tracking.")


def door(folder, code):
    """The release's digest and the pipeline's MLflow parameters behind a door; files that are bundled lie beside the code."""
    release = Lake(load([f"lake.root={folder}/lake/demo"])).commit("release")
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = [each.experiment_id for each in client.search_experiments()]
    [run] = client.search_runs(experiments, "tags.`medreason.pipeline` = 'true'", max_results=1)
    params = {k: v.replace(str(code), "CODE") for k, v in run.data.params.items() if not k.startswith(APART)}
    return release.facts["release_digest"], params


def wheel(place):
    [packages] = place.bin.parent.glob("lib/python*/site-packages")
    return packages


@pytest.fixture(scope="module")
def command_line(demo):
    place, _ = demo
    return door(place.folder, wheel(place))


def own(folder):
    return [f"lake.root={folder}/lake/demo", f"tracking.uri=sqlite:///{folder}/mlflow.db"]


def test_ray_job_submit_goes_on_from_another_s_cases_and_releases_the_same(demo, command_line, place, tmp_path):
    """It is given the command line's lake up to the cases: were its configuration another, they would be made again."""
    copied(demo[0].folder / "lake" / "demo", tmp_path / "lake" / "demo", FROM_CASES)
    env = {"py_executable": str(place.bin / "python"), "env_vars": {"SPARK_LOCAL_IP": "127.0.0.1"}}
    with ray_head(cpus=4) as head:
        command = [RAY, "job", "submit", "--address", head.dashboard, "--runtime-env-json", json.dumps(env), "--"]
        done = head.run(*command, place.bin / "medreason-run-pipeline", "profile=demo", *own(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "build_cases: up to date" in done.stdout
    assert "generate_chains: up to date" not in done.stdout
    assert door(tmp_path, wheel(place)) == command_line


def test_a_notebook_on_seven_partitions_with_small_batches_releases_the_same(
    command_line, spark, ray_cluster, tmp_path
):
    root, uri = (each.partition("=")[2] for each in own(tmp_path))
    widgets = {"profile": "demo", "lake_root": root, "overrides": f"tracking.uri={uri} ray.batch_rows=5"}
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run(ROOT / "notebooks/03_generate_at_scale.py", **widgets)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    digest, params = door(tmp_path, ROOT)
    assert digest == command_line[0]
    assert params == command_line[1] | {"ray.batch_rows": "5"}
