"""A URI and delta-rs' storage options -> a file system of Arrow's at that place.

The lake's tables are opened by delta-rs; single files of them (a reply of the ledger, a block that Ray writes) by Arrow, which
takes no such options. Without this a lake with `lake.storage_options` is read by one and not by the other. What the options leave
open both take from the environment.
"""

import os
from collections.abc import Mapping
from typing import Any

from pyarrow import fs

# By Arrow's name the names that delta-rs (object_store) knows, in lower case and without "aws_".
_NAMES = {
    "access_key": ("access_key_id",),
    "secret_key": ("secret_access_key",),
    "session_token": ("session_token", "token"),
    "region": ("region", "default_region"),
    "endpoint_override": ("endpoint_url", "endpoint", "endpoint_url_s3"),
}


def file_system(uri: str, options: Mapping[str, str] | None) -> tuple[fs.FileSystem, str]:
    """The file system that holds a URI, and the path there.

    Args:
        uri: of a folder or file; s3a, Spark's name of the scheme, is s3.
        options: as delta-rs takes them; heeded for s3.
    """
    scheme, separator, path = uri.partition("://")
    if not separator:
        return fs.LocalFileSystem(), uri
    given = _s3_arguments(options or {}) if scheme in {"s3", "s3a"} else {}
    if not given:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(uri.replace("s3a://", "s3://", 1))
        return found
    return fs.S3FileSystem(**given), path


def _s3_arguments(options: Mapping[str, str]) -> dict[str, Any]:
    known = {name.lower().removeprefix("aws_"): value for name, value in options.items()}
    # Arrow does not read it in every release, delta-rs does.
    known.setdefault("endpoint_url", os.environ.get("AWS_ENDPOINT_URL", ""))
    found = {ours: next((known[each] for each in theirs if known.get(each)), "") for ours, theirs in _NAMES.items()}
    return {name: value for name, value in found.items() if value}
