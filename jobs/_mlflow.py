"""MLflow's client, told where the store is and how long to wait; the one place that speaks to it by run id.

What is logged or said of a configuration is `shown`, without passwords and keys: more people read a run than hold its keys.
"""

import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from conf.config import Config
from conf.lake import Lake
from conf.outcome import ConfigError

UNUSABLE = (OSError, ValueError, ImportError)
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    # Two lines a run, for ten runs a pipeline; the last line has the run id.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}

_HIDDEN = "…"
# SQLAlchemy takes a slash or an @ within a password, so all up to the last @ is one.
_PASSWORD = re.compile(r"(://[^/\s:@'\"]*:)[^\s'\"]*(?=@)|([?&;](?:password|pwd)=)[^&;\s'\"]*", re.IGNORECASE)
_SECRET = re.compile(r"secret|passw|pwd|token|key|credential|sas|auth|account", re.IGNORECASE)
_OPTIONS, _CONF = "lake.storage_options", "spark.conf"


def connect(config: Config) -> str:
    """Point MLflow at the tracking store and return its address.

    Raises:
        ConfigError: it is none, or nothing answers there.
    """
    from mlflow.exceptions import MlflowException

    uri = config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI", "") or "sqlite:///mlflow.db"
    # Without these a server that is down is asked again for minutes before the job says so.
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        check_database(uri)
        _point(uri)
    except (*UNUSABLE, MlflowException) as error:
        raise unusable(uri, error) from error
    return uri


def _point(uri: str) -> None:
    """MLflow also writes the address into the environment, where the next run of a notebook would take it for its user's."""
    import mlflow

    given = os.environ.get("MLFLOW_TRACKING_URI")
    try:
        mlflow.set_tracking_uri(uri)
    finally:
        if given is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        else:
            os.environ["MLFLOW_TRACKING_URI"] = given


def unusable(uri: str, error: Exception) -> ConfigError:
    first = without_password(" ".join(str(error).split()))[:200]
    return ConfigError(
        f"tracking.uri '{without_password(uri)}' cannot be used: {first}; tracking.enabled=false logs nothing"
    )


def shown(config: Config) -> dict[str, Any]:
    """The configuration as nested dicts, without its secrets.

    Those are the passwords in addresses, every value of lake.storage_options, and those of spark.conf whose name tells of one.
    """
    content: dict[str, Any] = _each_without_password(asdict(config))
    content["lake"]["storage_options"] = dict.fromkeys(config.lake.storage_options, _HIDDEN)
    conf = content["spark"]["conf"]
    content["spark"]["conf"] = {name: _HIDDEN if _SECRET.search(name) else value for name, value in conf.items()}
    return content


def shown_arguments(arguments: Sequence[str]) -> str:
    """A command line for people, as `shown`."""
    return " ".join(map(_shown_argument, arguments))


def _shown_argument(argument: str) -> str:
    key, is_given, value = argument.partition("=")
    if key.startswith(_OPTIONS) or (key.startswith(_CONF) and _SECRET.search(argument)):
        return f"{key}={_HIDDEN}"
    # A whole section may be given as one value: lake={storage_options: …}.
    inside = "storage_options" in value or (key == "spark" and _SECRET.search(value))
    return f"{key}={_HIDDEN}" if inside else f"{key}{is_given}{without_password(value)}"


def without_password(text: str) -> str:
    """The text, its addresses without the passwords that stand in them."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}{_HIDDEN}", text)


def _each_without_password(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _each_without_password(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_each_without_password(each) for each in value]
    return without_password(value) if isinstance(value, str) else value


def client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient()


def log_batch(
    run_id: str,
    *,
    params: Mapping[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
    at_ms: int = 0,
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    client().log_batch(
        run_id,
        metrics=[Metric(name, float(value), at_ms, 0) for name, value in (metrics or {}).items()],
        params=[Param(name, value) for name, value in (params or {}).items()],
        tags=[RunTag(name, value) for name, value in (tags or {}).items()],
    )


def now_ms() -> int:
    return int(time.time() * 1000)


def check_database(uri: str) -> None:
    """A database that does not answer is told at once: MLflow would try it for minutes.

    Raises:
        OSError: nothing answers.
    """
    found = urlsplit(uri)
    port = _DATABASES.get(found.scheme.partition("+")[0])
    if port and found.hostname:
        socket.create_connection((found.hostname, found.port or port), timeout=5).close()


def dataset(lake: Lake, name: str, version: int, fingerprint: str) -> Any:
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = DeltaDatasetSource(path=lake.uri(name), delta_table_version=version)
    return MetaDataset(source, name=name, digest=f"{fingerprint}v{version}"[:36])
