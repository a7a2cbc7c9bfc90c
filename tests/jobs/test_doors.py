"""Three doors, one result: the command line, `ray job submit` and a notebook, each with a lake of its own."""

import json

import pytest
from mlflow import MlflowClient

from conf.lake import Lake
from conf.loading import load
from tests.jobs.conftest import ROOT
from tests.jobs.ray_head import RAY, ray_head

pytestmark = pytest.mark.slow

APART = ("lake.", "tracking.")


def door(folder):
    """The release's digest and the pipeline's MLflow parameters, as they lie behind a door."""
    release = Lake(load([f"lake.root={folder}/lake/demo"])).commit("release")
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = [each.experiment_id for each in client.search_experiments()]
    [run] = client.search_runs(experiments, "tags.`medreason.pipeline` = 'true'", max_results=1)
    return release.facts["release_digest"], {k: v for k, v in run.data.params.items() if not k.startswith(APART)}


@pytest.fixture(scope="module")
def command_line(demo):
    place, _ = demo
    return door(place.folder)


def own(folder):
    return [f"lake.root={folder}/lake/demo", f"tracking.uri=sqlite:///{folder}/mlflow.db"]


@pytest.fixture(scope="module")
def submitted(place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("submitted")
    env = {"py_executable": str(place.bin / "python"), "env_vars": {"SPARK_LOCAL_IP": "127.0.0.1"}}
    with ray_head(cpus=4) as head:
        command = [RAY, "job", "submit", "--address", head.dashboard, "--runtime-env-json", json.dumps(env), "--"]
        done = head.run(*command, place.bin / "medreason-run-pipeline", "profile=demo", *own(folder), cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return door(folder)


@pytest.fixture(scope="module")
def notebook(place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    root, uri = (each.partition("=")[2] for each in own(folder))
    widgets = ["profile=demo", f"lake_root={root}", f"overrides=tracking.uri={uri}"]
    files = [str(ROOT / "tests/jobs/notebook.py"), str(ROOT / "notebooks/03_generate_at_scale.py")]
    done = place.run("python", *files, *widgets)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return door(folder)


@pytest.mark.parametrize("name", ["submitted", "notebook"])
def test_doors_lead_to_one_release_by_one_configuration(command_line, name, request):
    digest, params = request.getfixturevalue(name)
    assert digest == command_line[0]
    assert params == command_line[1]
