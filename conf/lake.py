"""The lake as both engines see it: where tables lie, what their newest commit says, whether a step is up to date.

Read with delta-rs, so that "nothing to do" is known before any JVM or Ray starts (13 ms a table). Every commit of ours
carries, as `userMetadata`, the step, its fingerprint and the table's schema version: that is the rerun law's memory, and
how readers refuse tables of other versions and siblings that come from different runs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from conf.config import Config
from conf.fingerprint import fingerprint
from conf.flow import Step, writer
from conf.outcome import ConfigError, ContractError, TableReport
from conf.table import Table
from conf.tables import TABLES

# Commits that change no row: a table keeps the fingerprint below them.
_MAINTENANCE = {"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "COMPUTE STATS", "FSCK"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The newest commit of a table that changed rows."""

    version: int
    """Newest Delta version of the table, maintenance included."""
    rows: int
    step: str
    fingerprint: str
    """Empty when somebody else wrote last."""
    schema_version: int
    facts: Mapping[str, str] = field(default_factory=dict)


class Lake:
    """Tables by name under one root."""

    def __init__(self, config: Config, versions: Mapping[str, int] | None = None) -> None:
        """A lake, or with `versions` one as it was: Delta versions by table, the others are read as they are now."""
        self._config = config
        self._versions = dict(versions or {})
        self.root = config.lake.root.rstrip("/")
        self.storage_options = dict(config.lake.storage_options) or None
        if "://" not in self.root:
            self.root = str(Path(self.root).absolute())

    def uri(self, table: str) -> str:
        """Where a table lies."""
        return f"{self.root}/{table}"

    def path(self, name: str) -> str:
        """Where something beside the tables lies, such as the export."""
        return f"{self.root}/{name}"

    def check_writable(self) -> None:
        """Write and remove one small file.

        Raises:
            ConfigError: the root cannot be written to.
        """
        if not self._config.lake.root:
            raise ConfigError("lake.root must be given: a folder, or the cloud URI of storage that every node sees")
        if self.root.startswith(("/Volumes/", "/dbfs/")):
            raise ConfigError(
                f"lake.root '{self.root}' lies on a mount that cannot rename, so no Delta commit by Ray would be atomic:"
                " give the cloud URI of an external location (s3://…, abfss://…, gs://…)"
            )
        if "://" in self.root:
            return
        probe = Path(self.root) / ".probe"
        try:
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"medreason" * 512)
            probe.unlink()
        except OSError as error:
            raise ConfigError(f"lake.root '{self.root}' cannot be written to: {error.strerror}") from error

    def open(self, table: str, version: int | None = None) -> DeltaTable | None:
        """The Delta table, or None where there is none."""
        at = self._versions.get(table) if version is None else version
        try:
            return DeltaTable(self.uri(table), version=at, storage_options=self.storage_options)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            text = " ".join(str(error).split())
            raise ContractError(f"table '{table}' at {self.uri(table)} cannot be opened: {text}") from error

    def commit(self, table: str) -> Commit | None:
        """What the newest commit that changed rows says; None where there is no table."""
        found = self.open(table)
        if found is None:
            return None
        meta: dict[str, Any] = {}
        for entry in found.history(20):
            if entry.get("operation") in _MAINTENANCE:
                continue
            meta = _metadata(entry)
            break
        return Commit(
            version=found.version(),
            rows=_rows(found),
            step=meta.get("step", ""),
            fingerprint=meta.get("fingerprint", ""),
            schema_version=meta.get("schema_version", 0),
            facts=meta.get("facts", {}),
        )

    def fingerprint(self, step: Step) -> str:
        """The step's fingerprint over the tables as they are now.

        Raises:
            ConfigError: a raw file is missing.
            ContractError: an input table is missing, of another schema version, or torn between two runs.
        """
        inputs = {name: content(commit.fingerprint, commit.facts) for name, commit in self.inputs(step).items()}
        return fingerprint(step, self._config, inputs)

    def inputs(self, step: Step) -> dict[str, Commit]:
        """The newest commit of each table that the step reads, after checking that they may be read."""
        return {name: self.checked(name, reader=step.name) for name in step.reads}

    def checked(self, name: str, *, reader: str) -> Commit:
        """The commit of one table.

        Raises:
            ContractError: the table is missing, of another schema version, or its siblings come from another run.
        """
        source = writer(name)
        again = f"run {source.job} again" if source else "start a new lake"
        commit = self.commit(name)
        if commit is None:
            first = f"run {source.job} first" if source else "nothing has written it yet"
            raise ContractError(f"{reader} reads table '{name}', which is not in {self.root}: {first}")
        self._check_schema(TABLES[name], commit, again)
        if source is None:
            return commit
        for sibling in source.writes:
            other = commit if sibling == name else self.commit(sibling)
            if other is None or other.fingerprint != commit.fingerprint:
                raise ContractError(f"tables '{name}' and '{sibling}' come from different runs: {again}")
        return commit

    def is_current(self, step: Step, wanted: str) -> bool:
        """True when every table that the step writes carries the fingerprint."""
        commits = [self.commit(name) for name in step.writes]
        if not all(commit is not None and commit.fingerprint == wanted for commit in commits):
            return False
        failed = any(commit is not None and commit.facts.get("failed", "0") != "0" for commit in commits)
        return not (failed and any(engine.retry == "failed" for engine in self._config.asked))

    def report(self, table: str) -> TableReport:
        """Rows and version of a table as it is now; zero rows and version -1 where there is none."""
        commit = self.commit(table)
        return TableReport(rows=commit.rows, version=commit.version) if commit else TableReport(rows=0, version=-1)

    def _check_schema(self, table: Table, commit: Commit, again: str) -> None:
        if commit.schema_version != table.version:
            raise ContractError(
                f"table '{table.name}' in {self.root} has schema version {commit.schema_version or 'unknown'},"
                f" this software reads version {table.version}: {again}"
            )
        found = self.open(table.name)
        assert found is not None
        names = {each.name for each in found.schema().fields}
        missing = [name for name in table.schema.names if name not in names]
        if missing:
            raise ContractError(f"table '{table.name}' in {self.root} lacks column '{missing[0]}': {again}")


def content(fingerprint: str, facts: Mapping[str, str]) -> str:
    """What a table's readers follow from: its fingerprint, and how many requests had no reply when it was written.

    Asked again (engine.retry=failed) those change the table under the same fingerprint; what failed is only ever less.
    """
    failed = facts.get("failed", "0")
    return fingerprint if failed == "0" else f"{fingerprint} but {failed}"


def user_metadata(step: Step, table: Table, wanted: str, facts: Mapping[str, str]) -> str:
    """The text that a commit carries (`userMetadata` in Spark's commits and in ours through delta-rs)."""
    content = {"step": step.name, "fingerprint": wanted, "schema_version": table.version, "facts": dict(facts)}
    return json.dumps(content, sort_keys=True)


def _metadata(entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        content = json.loads(entry.get("userMetadata") or "{}")
    except json.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _rows(table: DeltaTable) -> int:
    actions = pa.table(table.get_add_actions(flatten=True))
    return int(pc.sum(actions["num_records"]).as_py() or 0)
