"""The doctor says what is missing and what to do, and no key."""

import json

import pytest
from deltalake import CommitProperties, DeltaTable

from conf.tables import QUESTIONS
from jobs._checks import misfits
from jobs.doctor import main

KEY = "sk-proj-7Yt0never-shown"
PACKAGES = ("io.delta:delta-spark_4.2_2.13:4.4.0", "org.apache.sedona:sedona-spark-shaded-4.0_2.13:1.8.0")
FOUND = {"pyspark": "4.2.0", "delta-spark": "4.4.0", "graphframes-py": "0.9.2"}


@pytest.fixture
def doctor(tmp_path, capsys, monkeypatch):
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, dict, str]:
        code = main(["profile=demo", f"lake.root={tmp_path}/lake", *arguments])
        out = capsys.readouterr().out
        told = json.loads(out.strip().splitlines()[-1])
        return code, {each["check"]: each for each in told["checks"]}, out

    return run


def test_a_machine_that_has_all_is_well(doctor):
    code, checks, _ = doctor()
    assert (code, {each["state"] for each in checks.values()} <= {"ok", "note"}) == (0, True), checks
    assert {"python", "java", "spark", "ray", "engine", "lake", "memory", "mlflow", "upload"} <= set(checks)


def test_without_java_it_says_what_to_install(doctor, monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    code, checks, _ = doctor()
    assert (code, checks["java"]["state"]) == (2, "missing")
    assert "openjdk-17-jre-headless" in checks["java"]["todo"]
    assert doctor("spark.provided=true")[1]["java"]["state"] == "ok"


@pytest.mark.parametrize(
    ("found", "packages", "said"),
    [
        ({}, PACKAGES, []),
        ({"pyspark": "4.1.3"}, PACKAGES, ["built for Spark 4.2, pyspark is 4.1.3"]),
        ({"delta-spark": "4.4.1"}, PACKAGES, ["delta-spark 4.4.1 wants"]),
        ({"graphframes-py": "0.12.3"}, PACKAGES, ["carries GraphFrames 0.9.2, graphframes-py is 0.12.3"]),
        ({}, ("io.graphframes:graphframes-spark4_2.13:0.9.3",), ["carries GraphFrames 0.9.3"]),
        ({}, (), []),
    ],
)
def test_versions_that_do_not_go_together_are_named(found, packages, said):
    wrong = misfits(FOUND | found, packages)
    assert (len(wrong), [text for text, each in zip(said, wrong, strict=True) if text not in each]) == (len(said), [])


def test_a_key_is_looked_for_and_never_shown(doctor, monkeypatch):
    http = ("engine.name=http", "engine.model=tiny", "engine.http.azure_api_version=2025-01-01")
    down = "engine.http.base_url=http://127.0.0.1:1/v1"
    code, checks, _ = doctor(*http, down)
    assert (code, checks["key"]["state"], checks["endpoint"]["state"]) == (2, "missing", "missing")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    code, checks, out = doctor(*http, down, "tracking.uri=http://me:secret-word@127.0.0.1:1")
    assert (checks["key"]["state"], checks["mlflow"]["state"]) == ("ok", "missing")
    assert (KEY in out, "secret-word" in out) == (False, False)


def test_a_gpu_that_is_asked_for_and_is_not_there_is_missing(doctor, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", "")
    checks = doctor("engine.name=vllm", "engine.model=m", "engine.vllm.device=gpu")[1]
    assert (checks["gpu"]["state"], checks["gpu"]["found"]) == ("missing", "none on this machine")


def test_a_table_of_another_schema_version_names_the_job_that_writes_it(doctor, tmp_path):
    metadata = json.dumps({"step": "load_questions", "fingerprint": "1", "schema_version": QUESTIONS.version - 1})
    DeltaTable.create(
        f"{tmp_path}/lake/questions",
        QUESTIONS.schema,
        commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
    )
    checks = doctor()[1]
    assert checks["table questions"]["todo"] == "run load_questions again"
    assert f"this software's is {QUESTIONS.version}" in checks["table questions"]["found"]


def test_a_lake_that_cannot_be_written_to_is_missing(doctor):
    code, checks, _ = doctor("lake.root=/proc/lake")
    assert (code, checks["lake"]["state"]) == (2, "missing")


def test_a_writer_that_no_other_model_judges_is_told(doctor):
    written = ("engine.name=http", "engine.model=tiny", "engine.http.base_url=http://127.0.0.1:1/v1")
    assert doctor(*written)[1]["judge"]["state"] == "missing"
    assert "judge" not in doctor(*written, "verify.judge=writer")[1]


def test_a_judge_of_its_own_is_looked_at_too(doctor):
    judge = ("judge.name=http", "judge.model=tiny", "judge.http.key_env=JUDGE_KEY")
    code, checks, _ = doctor(*judge, "judge.http.base_url=http://127.0.0.1:1/v1", "verify.arms=[chain]")
    assert (code, checks["engine"]["state"], checks["judge's endpoint"]["state"]) == (2, "ok", "missing")
    assert "judge.http.base_url" in checks["judge's endpoint"]["todo"]
    assert checks["judge's key"]["found"] == "JUDGE_KEY is not set"
