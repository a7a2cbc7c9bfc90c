"""replies, node_vectors -> the same rows in fewer files: the append-only tables are compacted, then files of no use removed.

A job commits some hundred rows at a time, so a million replies are thousands of files, each of which the next job opens.
Compaction is a commit that changes no row; appends that meet it succeed, and a job that has read the list of files before
it reads on, for VACUUM leaves files that were replaced less than `hours` ago.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, WriterProperties
from pyarrow import fs

from conf.storage import file_system

WEEK_HOURS = 168
"""Delta's own retention; below it a reader that runs since may lose files."""

# The ledger's readers take a reply with its row group: at 2 kB a reply 8 MB, where delta-rs' million rows would be 2 GB.
_ROW_GROUP = 4096
# A job that appends meanwhile takes version numbers.
_COMMIT_RETRIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a table takes."""

    files: int
    """Of its newest version."""
    bytes: int
    stored_files: int
    """All that lie there, those of older versions and of writers that were killed included."""
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A table before and after."""

    before: Size
    after: Size


def tidy(uri: str, hours: int, storage_options: Mapping[str, str] | None = None) -> Kept:
    """Compact a table and remove what nobody reads any more.

    Args:
        uri: of the table, which is there.
        hours: files that were replaced so long ago are removed. From a week on so are files that no commit names, which a
            killed writer leaves; a younger one may belong to a commit that is on its way.
        storage_options: as delta-rs takes them.
    """
    options = dict(storage_options) if storage_options else None
    table = DeltaTable(uri, storage_options=options)
    before = _size(table, uri, options)
    commit = CommitProperties(max_commit_retries=_COMMIT_RETRIES)
    writer = WriterProperties(max_row_group_size=_ROW_GROUP, compression="SNAPPY")
    table.optimize.compact(writer_properties=writer, commit_properties=commit)
    limits = {"enforce_retention_duration": False, "full": hours >= WEEK_HOURS}
    # Asked first, as VACUUM commits twice even where it removes nothing; it names what it removed before, too.
    if set(_stored(uri, options)).intersection(table.vacuum(hours, dry_run=True, **limits)):
        table.vacuum(hours, dry_run=False, commit_properties=commit, **limits)
    return Kept(before=before, after=_size(table, uri, options))


def _size(table: DeltaTable, uri: str, options: dict[str, str] | None) -> Size:
    sizes = pa.table(table.get_add_actions(flatten=True))["size_bytes"]
    stored = _stored(uri, options)
    return Size(
        files=len(sizes),
        bytes=pc.sum(sizes).as_py() or 0,
        stored_files=len(stored),
        stored_bytes=sum(stored.values()),
    )


def _stored(uri: str, options: dict[str, str] | None) -> dict[str, int]:
    """Bytes of each data file that lies there."""
    system, root = file_system(uri, options)
    found = system.get_file_info(fs.FileSelector(root))
    return {each.base_name: each.size for each in found if each.base_name.endswith(".parquet")}
