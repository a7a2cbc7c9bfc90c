"""A submitted job that Ray is told to stop: as SIGTERM ends a local one (test_stopped_job.py), on a cluster of its own."""

import json

import pytest

from jobs._run import STOPPED
from tests.jobs.ray_head import RAY, ray_head
from tests.jobs.test_stopped_job import AT_ONCE, IN_FLIGHT, holding, kept, let_go, put_cases, settings_of, wait_until

pytestmark = pytest.mark.slow


def test_a_job_that_ray_stops_ends_what_is_in_flight_and_is_143(tmp_path):
    put_cases(tmp_path)
    with ray_head(cpus=4) as head, holding() as endpoint:
        given = [f"lake.root={tmp_path}/lake", "env.OPENAI_API_KEY=none", *settings_of(endpoint)]
        with head.submitting("job=generate_chains", *given) as process:
            wait_until(lambda: len(endpoint.seen) == AT_ONCE + IN_FLIGHT, process)
            submission = process.stdout.readline().partition(":")[0]
            assert head.run(RAY, "job", "stop", "--no-wait", "--address", head.dashboard, submission).returncode == 0
            wait_until(lambda: kept(tmp_path) == AT_ONCE, process)
            let_go(endpoint, tmp_path, process)
            out, _ = process.communicate(timeout=120)
    told = json.loads(out.splitlines()[-1])
    assert (process.returncode, told["status"], told["submission_id"]) == (STOPPED, "stopped", submission)
    assert kept(tmp_path) == len(endpoint.answered) == AT_ONCE + IN_FLIGHT
