"""The lake's tables in Unity Catalog (or any Spark catalog): external Delta tables, registered at the place where they lie.

Both engines commit by URI; the catalog only learns where. Ray cannot commit to a managed table, nor delta-rs to a folder of
a Volume (it fails at the rename), and an external table needs neither: SQL, lineage and grants see `catalog.schema.table`.
"""

from collections.abc import Sequence
from urllib.parse import unquote

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from conf.config import LakeConfig
from conf.lake import Lake
from conf.outcome import ConfigError, ContractError

_GRANT = (
    "grant USE CATALOG, USE SCHEMA and CREATE TABLE there, and CREATE EXTERNAL TABLE on the external location of lake.root;"
    " or leave lake.catalog empty: tables are then read by their place"
)


def check_catalog(session: SparkSession, config: LakeConfig) -> None:
    """The schema is there and may be used; asked before there is work to lose.

    Raises:
        ConfigError: it is not there, or a right is missing.
    """
    try:
        session.sql(f"DESCRIBE SCHEMA {_quoted(config.catalog, config.schema)}").collect()
    except PySparkException as error:
        raise ConfigError(
            f"schema {config.catalog}.{config.schema} cannot be used ({_first(error)}): create it or {_GRANT}"
        ) from error


def register(session: SparkSession, config: LakeConfig, lake: Lake, tables: Sequence[str]) -> None:
    """Register those of the tables that lie in the lake and are not registered yet.

    Raises:
        ConfigError: a right is missing; what was committed is kept.
        ContractError: a table of that name lies somewhere else.
    """
    for table in tables:
        if lake.open(table) is None:
            continue
        name = _quoted(config.catalog, config.schema, table)
        place = lake.uri(table)
        try:
            session.sql(f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION '{_text(place)}'")
            [found] = session.sql(f"DESCRIBE DETAIL {name}").select("location").collect()
        except PySparkException as error:
            raise ConfigError(
                f"table '{table}' is committed, but cannot be registered as {name} ({_first(error)}): {_GRANT}"
            ) from error
        if _place(found["location"]) != _place(place):
            raise ContractError(
                f"{name} lies at {found['location']}, not at {place}: drop it (an external table's files stay) or choose"
                " another lake.schema"
            )


def _quoted(*names: str) -> str:
    return ".".join(f"`{name.replace('`', '``')}`" for name in names)


def _text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _place(uri: str) -> str:
    """A place in one form: Spark writes a local folder as file:/x, and may write a blank as %20."""
    return unquote(uri).removeprefix("file://").removeprefix("file:").rstrip("/")


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
