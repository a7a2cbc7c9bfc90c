"""A run's name -> its lake at the Delta versions that the run left or read, its parameters and its prompts.

A run names its tables twice: what it wrote by tags (`STEP.TABLE.version`), what it read by its inputs. A table that it
knows nothing of is read as it is now.
"""

import json
import re
from dataclasses import replace
from typing import Any

from conf.config import Config
from conf.lake import Lake
from conf.outcome import ConfigError
from conf.tables import TABLES
from jobs._mlflow import connect, without_password
from medreason_ray.review.comparison import Run

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_VERSION = re.compile(r"\w+\.(?P<table>\w+)\.version")
_FACTS = ("kg_version", "release_digest", "medreason.version", "mlflow.source.git.commit")


def read_run(name: str, config: Config) -> tuple[Run, Lake]:
    """The run of that id, or the lake of that root as it is now.

    Raises:
        ConfigError: MLflow cannot be reached, or there is no such run; the run is not one of this project's.
    """
    if not _RUN_ID.fullmatch(name):
        return _of_lake(name, config, {}, name, {})
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    uri = connect(config)
    try:
        found = MlflowClient().get_run(name)
    except MlflowException as error:
        raise ConfigError(
            f"there is no run '{name}' in tracking.uri '{without_password(uri)}': {without_password(str(error))}"
        ) from error
    params = dict(found.data.params)
    # As a dataset's address it is whole; as a parameter it may be relative to the folder that the run began in.
    root = _root(found) or params.get("lake.root", "")
    versions = _versions(found)
    if not root or not versions:
        raise ConfigError(
            f"run '{name}' names no tables: it is not one of a job that worked on a lake, or had just begun"
        )
    return _of_lake(root, config, params, name, dict(found.data.tags), versions)


def _of_lake(
    root: str,
    config: Config,
    params: dict[str, str],
    label: str,
    tags: dict[str, str],
    versions: dict[str, int] | None = None,
) -> tuple[Run, Lake]:
    lake = Lake(replace(config, lake=replace(config.lake, root=root)), versions)
    known = {table: opened.version() for table in TABLES if (opened := lake.open(table)) is not None}
    facts: dict[str, str] = {}
    for table in ("nodes", "release"):
        commit = lake.commit(table)
        facts |= commit.facts if commit else {}
    facts |= {name: tags[name] for name in _FACTS if name in tags}
    registered = [value.partition(" ") for key, value in tags.items() if key.startswith("prompt.")]
    prompts = {digest: version for version, _, digest in registered}
    run = Run(label=label, lake=lake.root, versions=known, params=params, prompts=prompts, facts=facts)
    return run, lake


def _root(run: Any) -> str:
    """The lake's root, from the address of one of its tables; empty where the run names none."""
    places = (json.loads(each.dataset.source).get("path") for each in run.inputs.dataset_inputs)
    return next((place.rpartition("/")[0] for place in places if place), "")


def _versions(run: Any) -> dict[str, int]:
    """Delta version by table; of a table that one step read and a later one wrote, what was left in the end."""
    found: dict[str, int] = {}
    for each in run.inputs.dataset_inputs:
        version = json.loads(each.dataset.source).get("delta_table_version")
        if version is not None and int(version) >= 0:
            found[each.dataset.name] = max(int(version), found.get(each.dataset.name, 0))
    for tag, value in run.data.tags.items():
        match = _VERSION.fullmatch(tag)
        if match and match["table"] in TABLES and int(value) >= 0:
            found[match["table"]] = int(value)
    return found
