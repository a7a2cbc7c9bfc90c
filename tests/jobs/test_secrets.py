"""What a run is given to work with is not told: no password or key in MLflow's store, in its files, or on the terminal."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from conf.loading import load
from jobs._mlflow import shown, shown_arguments, without_password
from jobs._run import execute
from jobs.tracking import Tracker, flat

SECRET = "hunter2-never-told"
GIVEN = [
    "profile=local",
    f"lake.storage_options.AWS_SECRET_ACCESS_KEY={SECRET}",
    f"judge.http.base_url=http://me:{SECRET}@judge.example/v1",
    f"spark.conf={{spark.hadoop.fs.s3a.secret.key: {SECRET}, spark.ui.enabled: 'false'}}",
]
IN_DATABASE = f"tracking.uri=postgresql+psycopg2://me:{SECRET}@127.0.0.1:1/runs"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an MLflow store that holds one run of a job."""
    folder = tmp_path_factory.mktemp("tracked")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
            patch.delenv(name, raising=False)
        arguments = [*GIVEN, f"tracking.uri=sqlite:///{folder}/mlflow.db"]
        with Tracker("maintain", load(arguments), arguments).open() as tracker:
            assert tracker.run_id
    return folder


def holding(folder: Path, text: str) -> set[str]:
    """The names of files that hold a text."""
    return {each.name for each in folder.rglob("*") if each.is_file() and text.encode() in each.read_bytes()}


def test_no_file_of_the_store_holds_a_secret(store):
    assert holding(store, SECRET) == set()


def test_what_is_no_secret_is_in_the_parameters_the_arguments_and_the_file(store):
    assert holding(store, "judge.example") == {"mlflow.db", "config.json"}
    config = json.loads(next(store.rglob("config.json")).read_text())
    assert config["lake"]["storage_options"] == {"AWS_SECRET_ACCESS_KEY": "…"}
    assert config["spark"]["conf"] == {"spark.hadoop.fs.s3a.secret.key": "…", "spark.ui.enabled": "false"}


def test_the_database_of_the_runs_themselves_is_named_without_its_password():
    config = load([*GIVEN, IN_DATABASE])
    assert flat(config)["tracking.uri"] == "postgresql+psycopg2://me:…@127.0.0.1:1/runs"
    assert SECRET not in json.dumps(shown(config)) + shown_arguments([*GIVEN, IN_DATABASE])


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path, capfd):
    code = execute("maintain", lambda _: None, [f"lake.root={tmp_path}/lake", *GIVEN, IN_DATABASE])
    out, err = capfd.readouterr()
    assert (code, "postgresql+psycopg2://me:…@127.0.0.1:1/runs' cannot be used" in err) == (2, True), err
    assert SECRET not in out + err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("http://h:80/a", "http://h:80/a"),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("http://me@h/a", "http://me@h/a"),
        ("postgresql://me:p/w@rd@h:5432/a", "postgresql://me:…@h:5432/a"),
        ("mysql://h/a?user=me&password=pw&ssl=1", "mysql://h/a?user=me&password=…&ssl=1"),
        ("'http://me:pw@h' and 'http://you:pw@h'", "'http://me:…@h' and 'http://you:…@h'"),
    ],
)
def test_only_the_password_of_an_address_is_hidden(given, told):
    assert without_password(given) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["lake.storage_options={AWS_REGION: x}"], "lake.storage_options=…"),
        (["lake={storage_options: {k: v}, root: r}"], "lake=…"),
        (["spark.conf={spark.ssl.keyPassword: v}"], "spark.conf=…"),
        (["profile=demo", "paths.slack=1"], "profile=demo paths.slack=1"),
    ],
)
def test_a_command_line_is_told_but_for_what_may_be_a_key(given: Sequence[str], told: str):
    assert shown_arguments(given) == told
