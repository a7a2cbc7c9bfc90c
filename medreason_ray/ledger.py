"""The ledger `replies`: what was asked of a model and what came back, appended while the job runs.

Every append is one blind commit of its own (Ray's checkpoints with its Delta writer lose rows after a kill; this does
not), so a request is asked once whatever dies. Look-ups need no Python object a row: 10 million requests are 410 MB of
sorted NumPy arrays, shared by all workers without a copy, that say in which piece of which file a reply lies; the
replies themselves are read when they are asked for, and stay on disk otherwise.

A task that Ray runs again after its commit may append an id twice, so of several rows one counts: an answer before a
failure, then the smallest text.
"""

import binascii
import json
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake

from conf.storage import file_system
from conf.table import Table
from conf.tables import REPLIES

Options = tuple[tuple[str, str], ...]
"""delta-rs' storage options, in a form that can be hashed."""

# A request_id, 64 hex digits, as bytes.
_ID = "S32"
# Appends meet other actors' appends and never conflict, but each must find a free version number.
_COMMIT_RETRIES = 50
_READERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Where the reply of each request of some stages lies; n requests, in the order of their ids."""

    ids: npt.NDArray[np.bytes_]
    """(n,) request_ids as 32 bytes, ascending."""
    failed: npt.NDArray[np.bool_]
    """(n,) true where no reply came."""
    piece: npt.NDArray[np.int32]
    """(n,) row of `pieces`."""
    row: npt.NDArray[np.int32]
    """(n,) row within the piece."""
    pieces: pa.Table
    """uri, row_group: the row groups of the ledger's files."""
    options: Options = ()
    """How the files are opened."""

    def __len__(self) -> int:
        return len(self.ids)

    def files(self) -> set[str]:
        """The files that were read."""
        return set(self.pieces["uri"].to_pylist())

    def known(self, request_ids: Sequence[str], *, retry: str = "none") -> npt.NDArray[np.bool_]:
        """Which requests need not be asked, as a mask; with retry `failed` the failed ones must be."""
        places = self._places(request_ids)
        found = places >= 0
        return found & ~self.failed[places] if retry == "failed" and len(self) else found

    def replies(self, request_ids: Sequence[str]) -> pa.Table:
        """The rows of `replies` for the requests, in their order.

        Raises:
            KeyError: the ledger does not hold one of them.
        """
        places = self._places(request_ids)
        if len(places) and places.min() < 0:
            raise KeyError(f"request {request_ids[int(places.argmin())]} is not in the ledger")
        return _take(self.pieces, self.piece[places], self.row[places], self.options)

    def _places(self, request_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """(len(request_ids),) rows of `ids`, -1 where there is none."""
        wanted = _ids(pa.array(request_ids, pa.string()))
        if not len(self):
            return np.full(len(wanted), -1)
        places = np.minimum(np.searchsorted(self.ids, wanted), len(self) - 1)
        return np.where(self.ids[places] == wanted, places, -1)


class Ledger:
    """The table `replies` at one place; small and picklable, so it goes to every actor."""

    def __init__(self, uri: str, storage_options: dict[str, str] | None = None, table: Table = REPLIES) -> None:
        self._uri = uri
        self._storage_options = storage_options
        self._table = table

    def create(self) -> None:
        """Make the table where there is none, so that the first appends do not race for it; add columns that it lacks."""
        table = DeltaTable.create(
            self._uri,
            self._table.schema,
            mode="ignore",
            storage_options=self._storage_options,
            commit_properties=self._commit(),
        )
        held = {each.name for each in table.schema().fields}
        if missing := [each for each in Schema.from_arrow(self._table.schema).fields if each.name not in held]:
            table.alter.add_columns(missing, commit_properties=self._commit())

    def append(self, rows: pa.Table) -> None:
        """Add rows in one commit."""
        write_deltalake(
            self._uri,
            rows.select(self._table.schema.names).cast(self._table.schema),
            mode="append",
            storage_options=self._storage_options,
            commit_properties=self._commit(),
        )

    def read(self, stages: Collection[str], *, skip: Collection[str] = ()) -> Known:
        """What the ledger holds of some stages as it is now.

        Args:
            stages: of replies.stage.
            skip: files to leave out, as they were read before.
        """
        uris = sorted(set(self._files()).difference(skip))
        options = tuple(sorted((self._storage_options or {}).items()))
        scan = partial(_scan, stages=pa.array(stages, pa.string()), options=options)
        with ThreadPoolExecutor(_READERS) as pool:
            found = [piece for pieces in pool.map(scan, uris) for piece in pieces]
        # Arrow keeps what its readers have freed, a pool a thread: 35 MB behind 100,000 replies in 200 files.
        pa.default_memory_pool().release_unused()
        return _index(found, options)

    def _files(self) -> list[str]:
        """The table's files now. DeltaTable.file_uris() escapes blanks in the root, which pyarrow.fs does not undo."""
        if not DeltaTable.is_deltatable(self._uri, storage_options=self._storage_options):
            return []
        table = DeltaTable(self._uri, storage_options=self._storage_options)
        return [f"{self._uri}/{path}" for path in pa.table(table.get_add_actions(flatten=True))["path"].to_pylist()]

    def _commit(self) -> CommitProperties:
        """What every commit says of itself, in the form that conf.lake reads."""
        content = {"step": self._table.name, "fingerprint": "", "schema_version": self._table.version, "facts": {}}
        metadata = {"userMetadata": json.dumps(content, sort_keys=True)}
        return CommitProperties(custom_metadata=metadata, max_commit_retries=_COMMIT_RETRIES)


class _Piece(NamedTuple):
    """What the index needs of one row group; k rows are of the stage."""

    uri: str
    row_group: int
    ids: npt.NDArray[np.bytes_]
    """(k,)"""
    failed: npt.NDArray[np.bool_]
    """(k,)"""
    row: npt.NDArray[np.int32]
    """(k,) rows of the row group."""


def _ids(request_ids: pa.Array) -> npt.NDArray[np.bytes_]:
    """(n,) ids of 64 hex digits as 32 bytes each, in their order; the digits are joined, so one call decodes all."""
    digits = pc.binary_join(pa.ListArray.from_arrays([0, len(request_ids)], request_ids), "")[0].as_buffer()
    return np.frombuffer(binascii.unhexlify(digits), _ID)


def _scan(uri: str, stages: pa.Array, options: Options) -> list[_Piece]:
    """The row groups of one file."""
    system, path = file_system(uri, dict(options))
    with pq.ParquetFile(path, filesystem=system) as file:
        found = []
        for number in range(file.num_row_groups):
            group = file.read_row_group(number, columns=["request_id", "stage", "error"])
            row = np.flatnonzero(pc.is_in(group["stage"], stages).to_numpy()).astype(np.int32)
            group = group.take(row)
            failed = group["error"].is_valid().to_numpy()
            found.append(_Piece(uri, number, _ids(group["request_id"].combine_chunks()), failed, row))
        return found


def _index(found: list[_Piece], options: Options) -> Known:
    """The look-up over the pieces, one row an id."""
    pieces = pa.table({"uri": [each.uri for each in found], "row_group": [each.row_group for each in found]})
    ids = np.concatenate([np.empty(0, _ID), *(each.ids for each in found)])
    failed = np.concatenate([np.empty(0, np.bool_), *(each.failed for each in found)])
    row = np.concatenate([np.empty(0, np.int32), *(each.row for each in found)])
    piece = np.repeat(np.arange(len(found), dtype=np.int32), [len(each.ids) for each in found])
    order = np.argsort(ids, kind="stable")
    repeated = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(repeated):
        twice = np.union1d(repeated, repeated + 1)
        at = order[twice]
        texts = _take(pieces, piece[at], row[at], options)
        order = np.delete(order, twice[_losers(ids[at], failed[at], texts)])
    return Known(
        ids=ids[order], failed=failed[order], piece=piece[order], row=row[order], pieces=pieces, options=options
    )


def _losers(ids: npt.NDArray[np.bytes_], failed: npt.NDArray[np.bool_], rows: pa.Table) -> npt.NDArray[np.int64]:
    """Of rows in the order of their ids those that do not count: all but an id's first answer by text."""
    text = pc.coalesce(rows["reply"], rows["error"])
    table = pa.table({"id": np.cumsum(np.r_[False, ids[1:] != ids[:-1]]), "failed": failed, "text": text})
    table = table.append_column("at", pa.array(np.arange(len(ids))))
    table = table.sort_by([("id", "ascending"), ("failed", "ascending"), ("text", "ascending")])
    number, at = table["id"].to_numpy(), table["at"].to_numpy()
    losers: npt.NDArray[np.int64] = at[np.r_[False, number[1:] == number[:-1]]]
    return losers


def _take(pieces: pa.Table, piece: npt.NDArray[np.int32], row: npt.NDArray[np.int32], options: Options) -> pa.Table:
    """(k,) rows of the ledger by place, in the order asked for; each piece is read once."""
    parts, places = [REPLIES.schema.empty_table()], [np.empty(0, np.int64)]
    for number in np.unique(piece):
        at = np.flatnonzero(piece == number)
        content = _read_piece(pieces["uri"][number].as_py(), pieces["row_group"][number].as_py(), options)
        parts.append(content.take(row[at]))
        places.append(at)
    return pa.concat_tables(parts).take(np.argsort(np.concatenate(places), kind="stable"))


@lru_cache(maxsize=16)
def _read_piece(uri: str, row_group: int, options: Options) -> pa.Table:
    """One row group; files of a Delta table never change, so a worker may keep the last few."""
    system, path = file_system(uri, dict(options))
    with pq.ParquetFile(path, filesystem=system) as file:
        content = file.read_row_group(row_group)
    for each in REPLIES.schema:
        if each.name not in content.schema.names:  # a file older than the column
            content = content.append_column(each.name, pa.nulls(len(content), each.type))
    return content.select(REPLIES.schema.names).cast(REPLIES.schema)
