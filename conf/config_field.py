"""What the sections of the configuration are made of.

Fields marked operational (cores, sizes of blocks, paths of logs) change how a result is reached, never the result: they
stay out of fingerprints. Fields marked as files enter a fingerprint by name and content, not by where they lie.
"""

from dataclasses import field
from typing import Any


def option(default: Any, *, low: float | None = None, high: float | None = None, operational: bool = False) -> Any:
    """A field with bounds (inclusive); operational ones stay out of fingerprints."""
    metadata = {"low": low, "high": high, "operational": operational}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def file_option(default: str | None = None) -> Any:
    """A field that names an input file: its name and content count, not its folder."""
    return field(default=default, metadata={"file": True})


def folder_option(default: str) -> Any:
    """A field that may name a local folder: its files count by name and content, wherever it lies; else the text counts."""
    return field(default=default, metadata={"folder": True})
