"""What a table is and the types that its columns share; the tables themselves stand in conf/tables.py.

Spark's StructType and Ray's checks derive from a Table's schema. A column that differs from run to run is marked
volatile and stays out of digests and comparisons.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

_VOLATILE = b"volatile"
_DOC = b"doc"


def column(name: str, kind: pa.DataType, doc: str, *, volatile: bool = False) -> pa.Field:
    """A column with its sentence; all columns may be null, the sentence says when."""
    metadata = {_DOC: doc.encode()}
    if volatile:
        metadata[_VOLATILE] = b"true"
    return pa.field(name, kind, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A Delta table: what it holds, what makes a row unique, and the version of its meaning."""

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[pa.Field, ...]
    partition_by: tuple[str, ...] = ()
    append_only: bool = False
    """True for what was paid for: rows are added, never replaced."""
    version: int = 1
    """Raised when a column changes its name, type or meaning; a table of another version is refused."""
    _schema: pa.Schema = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_schema", pa.schema([pa.field(c.name, c.type) for c in self.columns]))

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, without the sentences."""
        return self._schema

    @property
    def stable_columns(self) -> tuple[str, ...]:
        """Columns that two runs of one input agree on."""
        return tuple(c.name for c in self.columns if _VOLATILE not in (c.metadata or {}))


def markdown(tables: Iterable[Table]) -> Iterator[str]:
    """The lines of docs/tables.md."""
    yield "# Tables"
    yield ""
    yield "Printed by `python -m conf.tables`; a test holds this file to the code."
    for table in tables:
        yield ""
        yield f"## {table.name}"
        yield ""
        yield f"{table.doc} Key: {', '.join(f'`{name}`' for name in table.key)}."
        yield ""
        yield "| column | type | what |"
        yield "|---|---|---|"
        for c in table.columns:
            what = c.metadata[_DOC].decode().replace("|", "\\|")
            yield f"| {c.name} | {c.type} | {what} |"


TEXT = pa.string()
TEXTS = pa.list_(TEXT)
FLAG = pa.bool_()
I32 = pa.int32()
I64 = pa.int64()
F64 = pa.float64()

OPTION = pa.struct([("key", TEXT), ("text", TEXT)])
CANDIDATE = pa.struct([("node_id", TEXT), ("score", F64), ("method", TEXT)])
PATH = pa.struct(
    [
        ("path_id", TEXT),
        ("nodes", TEXTS),
        ("edges", pa.list_(TEXTS)),
        ("forward", pa.list_(pa.list_(FLAG))),
        ("hops", I32),
        ("cost", I64),
        ("rank", I32),
        ("score", F64),
    ]
)
CASE_EDGE = pa.struct([("edge_id", TEXT), ("src", TEXT), ("relation", TEXT), ("dst", TEXT), ("sentence", TEXT)])
CASE_PATH = pa.struct(
    [("path_id", TEXT), ("text", TEXT), ("hops", I32), ("cost", I64), ("steps", pa.list_(pa.list_(I32)))]
)
NEGATIVE = pa.struct([("name", TEXT), ("assertion", TEXT)])
"""A node's name; absent or family."""

CASE_PAIR = pa.struct(
    [
        ("side", TEXT),
        ("option_key", TEXT),
        ("source", TEXT),
        ("target", TEXT),
        ("paths", pa.list_(CASE_PATH)),
    ]
)
CITED_EDGE = pa.struct(
    [("path_id", TEXT), ("hop", I32), ("edge_id", TEXT), ("src", TEXT), ("relation", TEXT), ("dst", TEXT)]
)
QUOTE = pa.struct([("start", I32), ("end", I32)])
CHAIN_STEP = pa.struct(
    [
        ("text", TEXT),
        ("support", TEXT),
        ("edges", pa.list_(CITED_EDGE)),
        ("quote", QUOTE),
        ("mentions", TEXTS),
    ]
)
EVIDENCE = pa.struct([("text", TEXT), ("edge_ids", pa.list_(TEXTS))])
FINDING = pa.struct([("step", I32), ("flag", TEXT), ("detail", TEXT)])
"""Number of the step from 1, 0 for the whole chain; the name of a Flag or Reason; what was found, in words."""
QUOTED = pa.struct([("step", I32), ("start", I32), ("end", I32)])
