"""What deploy/ holds agrees with the software: the manifest with KubeRay's fields and our keys, Spark's file with our session."""

import json
import shlex
from pathlib import Path

import jsonschema
import ray
import yaml

from conf.config import SparkConfig
from conf.config_submit import SubmitConfig
from conf.loading import load
from kg_spark.session import OWN_SETTINGS
from tests.jobs.conftest import ROOT

MANIFEST = yaml.safe_load((ROOT / "deploy" / "rayjob.yaml").read_text())
SPEC = MANIFEST["spec"]
SETTINGS = dict(
    line.split(maxsplit=1)
    for line in (ROOT / "deploy" / "spark-defaults.conf").read_text().splitlines()
    if line and not line.startswith("#")
)


def test_the_manifest_has_the_fields_that_kuberay_knows():
    schema = json.loads((Path(__file__).parent / "rayjob.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(MANIFEST)


def test_the_manifest_s_entrypoint_is_a_job_with_keys_that_are_known():
    command, python, _, job, *arguments = shlex.split(SPEC["entrypoint"])
    assert (command, python, job) == ("exec", "python", "jobs.generate_chains")
    assert load(arguments).engine.vllm.device == "gpu"


def test_gpu_workers_start_from_none_and_everything_goes_when_the_job_is_done():
    [gpu] = SPEC["rayClusterSpec"]["workerGroupSpecs"]
    assert (gpu["replicas"], gpu["minReplicas"], gpu["maxReplicas"] > 0) == (0, 0, True)
    assert (SPEC["shutdownAfterJobFinishes"], SPEC["ttlSecondsAfterFinished"] > 0) == (True, True)
    assert SPEC["rayClusterSpec"]["rayVersion"] == ray.__version__


def test_a_stopped_job_has_as_long_as_submit_job_gives_it():
    wait = yaml.safe_load(SPEC["runtimeEnvYAML"])["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"]
    assert int(wait) == SubmitConfig().stop_wait_s


def test_spark_submit_s_file_sets_what_our_own_session_sets():
    expected = {**OWN_SETTINGS, "spark.jars.packages": ",".join(SparkConfig().packages)}
    assert expected == SETTINGS
