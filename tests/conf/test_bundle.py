"""The Databricks bundle: each job of the flow is a task of it, and Databricks' own types take every field.

The published JSON schema is printed by Databricks' command line alone; the package databricks-bundles carries the same types
and refuses a field that they do not have. The head, databricks.yml, is held to a schema of ours.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from conf.flow import FLOW
from conf.loading import load

ROOT = Path(__file__).resolve().parents[2]
HEAD = yaml.safe_load((ROOT / "databricks.yml").read_text(encoding="utf-8"))
PIPELINE = yaml.safe_load((ROOT / "resources/pipeline.job.yml").read_text(encoding="utf-8"))["resources"]["jobs"][
    "pipeline"
]
TASKS: dict[str, dict[str, Any]] = {task["task_key"]: task for task in PIPELINE["tasks"]}

TEXT = {"type": "string"}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


SCHEMA = closed(
    ["bundle", "include", "artifacts", "variables", "targets"],
    bundle=closed(["name"], name=TEXT),
    include={"type": "array", "items": TEXT},
    artifacts={
        "type": "object",
        "additionalProperties": closed(["type", "build", "path"], type={"const": "whl"}, build=TEXT, path=TEXT),
    },
    variables={
        "type": "object",
        "additionalProperties": closed(["description"], description=TEXT, default=TEXT),
    },
    targets=closed(
        ["dev", "prod"],
        dev=closed(["mode", "default"], mode={"const": "development"}, default={"const": True}),
        prod=closed(
            ["mode", "workspace", "permissions"],
            mode={"const": "production"},
            workspace=closed(["root_path"], root_path=TEXT),
            permissions={"type": "array", "items": closed(["level", "group_name"], level=TEXT, group_name=TEXT)},
        ),
    ),
)


def test_the_head_has_the_fields_of_a_bundle_and_no_others():
    jsonschema.validate(HEAD, SCHEMA)


def test_databricks_own_types_take_the_job():
    jobs = pytest.importorskip("databricks.bundles.jobs", reason="databricks-bundles is not installed")
    job = jobs.Job.from_dict(PIPELINE)
    assert [task.task_key for task in job.tasks] == list(TASKS)


def test_the_tasks_are_the_flow_s_jobs_in_its_order():
    wanted = list(dict.fromkeys(step.job for step in FLOW))
    assert list(TASKS) == wanted
    assert [task.get("depends_on", []) for task in TASKS.values()] == [
        [],
        *([{"task_key": name}] for name in wanted[:-1]),
    ]


def test_each_task_runs_a_script_of_the_wheel_on_the_cluster_of_its_engine():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for step in FLOW:
        task = TASKS[step.job]
        assert scripts[task["python_wheel_task"]["entry_point"]] == f"jobs.{step.job}:cli"
        assert task["job_cluster_key"] == {"spark": "graph", "ray": "ray"}[step.engine]


def test_what_a_task_is_given_is_a_configuration():
    values = {"profile": "databricks", "lake_root": "s3://bucket/lake", "files": "/Volumes/c/s/v"}
    for name, task in TASKS.items():
        given = [
            re.sub(r"\{\{job\.parameters\.(\w+)\}\}", lambda found: values.get(found[1], found[1]), each)
            for each in task["python_wheel_task"]["parameters"]
        ]
        config = load(given)
        assert (config.lake.root, config.lake.catalog, config.spark.provided) == ("s3://bucket/lake", "catalog", True)
        assert bool(config.ray.on_spark.workers) == (task["job_cluster_key"] == "ray"), name


def test_every_variable_that_is_named_is_declared():
    text = (ROOT / "resources/pipeline.job.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{var\.(\w+)\}", text)) <= HEAD["variables"].keys()
    parameters = {each["name"] for each in PIPELINE["parameters"]}
    assert set(re.findall(r"\{\{job\.parameters\.(\w+)\}\}", text)) == parameters


def test_the_runtime_s_pyspark_is_not_overwritten():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    named = [*wheel, *(str(library) for task in TASKS.values() for library in task["libraries"])]
    assert [each for each in named if re.search(r"pyspark|delta-spark|graphframes", each)] == []
