"""What a team shares: MLflow on PostgreSQL with its artifacts and the lake on an object store, and two jobs at once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import psycopg2
import pytest

from medreason_ray.ledger import Ledger
from tests.jobs.conftest import ROOT, last_line
from tests.jobs.mlflow_server import Server
from tests.medreason_ray.test_object_store import replies
from tests.object_store import KEY, REGION, SECRET, object_store
from tests.postgres import postgres

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Team:
    mlflow: str
    database: str
    store: dict[str, str]


def environment(store: dict[str, str]) -> dict[str, str]:
    """Of a server and of the jobs: nothing but what the store needs."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    s3 = {**store, "MLFLOW_S3_ENDPOINT_URL": store["AWS_ENDPOINT_URL"]}
    return {**keep, **s3, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with postgres() as database, object_store(folder) as store:
        server = Server(
            folder,
            store=database.replace("://", "+psycopg2://", 1),
            artifacts="s3://lake/mlflow",
            environment=environment(store),
        )
        server.start()
        try:
            yield Team(server.uri, database, store)
        finally:
            server.stop()


@pytest.fixture(scope="module")
def done(team: Team, tmp_path_factory) -> list[subprocess.CompletedProcess[str]]:
    """Two jobs at once, each on a lake of its own in the store; its credentials stand in the environment."""
    processes = []
    for name in ("one", "two"):
        uri = f"s3://lake/{name}/replies"
        Ledger(uri, team.store).create()
        Ledger(uri, team.store).append(replies(name))
        command = [sys.executable, "-m", "jobs.maintain", f"lake.root=s3://lake/{name}", f"tracking.uri={team.mlflow}"]
        processes.append(
            subprocess.Popen(
                command,
                cwd=tmp_path_factory.mktemp(name),
                env=environment(team.store),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    ended = [(process, *process.communicate(timeout=300)) for process in processes]
    return [subprocess.CompletedProcess(each.args, each.returncode, out, err) for each, out, err in ended]


def test_both_jobs_are_runs_of_the_database(done, team):
    assert [each.returncode for each in done] == [0, 0], done[0].stderr[-2000:]
    ids = {
        last_line(each)["mlflow_run_id"]: f"s3://lake/{name}" for each, name in zip(done, ("one", "two"), strict=True)
    }
    connection = psycopg2.connect(team.database)
    with connection, connection.cursor() as cursor:
        cursor.execute("select run_uuid, status from runs")
        assert dict(cursor.fetchall()) == dict.fromkeys(ids, "FINISHED")
        cursor.execute("select run_uuid, value from params where key = 'lake.root'")
        assert dict(cursor.fetchall()) == ids
    connection.close()


def test_their_artifacts_lie_in_the_object_store(done, team):
    client = boto3.client(
        "s3",
        endpoint_url=team.store["AWS_ENDPOINT_URL"],
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name=REGION,
    )
    keys = [each["Key"] for each in client.list_objects_v2(Bucket="lake", Prefix="mlflow/")["Contents"]]
    runs = {last_line(each)["mlflow_run_id"] for each in done}
    assert {run for run in runs if any(f"/{run}/artifacts/config.json" in key for key in keys)} == runs


def test_the_lakes_were_tended_with_the_environment_s_credentials_alone(done):
    tended = [last_line(each)["tables"]["replies"] for each in done]
    assert [(each["before"]["files"], each["after"]["files"]) for each in tended] == [(1, 1)] * 2
