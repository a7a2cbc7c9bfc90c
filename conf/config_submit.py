"""How a job is handed to a Ray cluster: the keys of `python -m jobs.submit_job`, beside the job's own."""

from dataclasses import dataclass
from typing import Literal

from conf.config_field import option


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitConfig:
    """What goes to the cluster with the job, and how it is started there."""

    job: str = ""
    """Name of the job: link_entities, generate_chains …"""

    address: str = ""
    """Address of the head's dashboard, such as http://HEAD:8265; empty: RAY_API_SERVER_ADDRESS."""

    working_dir: str = "."
    """Folder that is uploaded and that the job runs in."""

    excludes: list[str] = option(
        [
            ".[a-z]*",
            "__pycache__",
            "/benchmarks",
            "/data",
            "/dist",
            "/docs",
            "/lake",
            "/mlruns",
            "/models",
            "/shared",
            "/tests",
            "mlflow.db",
            "*.log",
        ]
    )
    """What is not uploaded, in the form of .gitignore; .gitignore and .rayignore count too."""

    install: Literal["none", "uv", "pip"] = "none"
    """none: the cluster's environment holds what the project needs; uv, pip: Ray installs it for the job, with vLLM where it is
    the engine."""

    python: str = ""
    """Path of the interpreter on the nodes; empty: the `python` that Ray finds."""

    env: dict[str, str] = option({})
    """Further environment variables of the job. Ray shows them to whoever sees its dashboard: keys belong in the nodes' own."""

    stop_wait_s: int = option(300, low=0)
    """Seconds that `ray job stop` gives the job to end what is in flight; Ray's own default is 3."""

    wait: bool = option(default=True)
    """False: return when the job is handed over."""

    timeout_s: float = option(10.0, low=0.1)
    """Seconds within which the cluster must answer."""
