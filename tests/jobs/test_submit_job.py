"""What submit_job refuses before it speaks to a cluster: one line, exit code 2, and the same in its JSON."""

import json

import pytest

from jobs.submit_job import main

RAY = ["job=generate_chains", "address=http://127.0.0.1:1", "timeout_s=0.2", "tracking.enabled=false"]
LAKE = "lake.root=s3://bucket/lake"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([LAKE], "job='' is no job; Ray's are"),
        (["job=no_such", LAKE], "is no job"),
        (["job=generate_chains.run", LAKE], "is no job"),
        (["job=submit_job", LAKE], "is no job"),
        (["job=build_kg", LAKE], "needs Spark: use spark-submit"),
        ([*RAY, "lake.root=lake"], "lies in the job's own folder"),
        ([*RAY, LAKE, "engine.nme=vllm"], "engine.nme"),
        ([*RAY, LAKE, "lake.storage_options.AWS_SECRET_ACCESS_KEY=s3cr3t"], "AWS_SECRET_ACCESS_KEY holds a secret"),
        ([*RAY, LAKE, "tracking.uri=postgresql://me:s3cr3t@host/db"], "tracking.uri holds a secret"),
        ([*RAY, LAKE, "env.MLFLOW_TRACKING_URI=http://me:s3cr3t@host"], "MLFLOW_TRACKING_URI holds a secret"),
        ([*RAY, LAKE], "nothing answers"),
    ],
)
def test_what_cannot_be_handed_over_is_one_line(given, said, capsys, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert main(given) == 2
    out, err = capsys.readouterr()
    told = json.loads(out.splitlines()[-1])
    assert (told["status"], err.count("\n")) == ("refused", 1)
    assert said in told["error"]
    assert said in err
    assert "s3cr3t" not in out + err
