"""What could change a step's result, as one digest: config sections, file contents, bundled files, inputs, code version.

Operational fields stay out (conf/config.py). A file counts by its name and content, so that a lake built from the same
files in another folder is the same lake.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pyarrow import fs

from conf.flow import Step
from conf.outcome import ConfigError
from conf.tables import TABLES

_CHUNK_BYTES = 1 << 20
_WHOLE_BYTES, _PIECES, _PIECE_BYTES = 64 << 20, 64, 64 << 10


def fingerprint(step: Step, config: Any, inputs: Mapping[str, str]) -> str:
    """Digest (16 hex digits) of all that the step's result follows from.

    Args:
        step: the step.
        config: the whole Config; only `step.config` counts, and `engine` where the step asks.
        inputs: fingerprint of each table that the step reads.

    Raises:
        ConfigError: a file that the config names does not exist or cannot be read.
    """
    asks = bool(step.asks_if) and _get(config, step.asks_if)
    sections = (*step.config, "engine") if asks else step.config
    bundled = (*step.resources, *step.prompts) if asks else step.resources
    facts = {
        "step": step.name,
        "code": step.code,
        "inputs": dict(sorted(inputs.items())),
        "config": {name: _value(_get(config, name), name) for name in sections},
        "resources": {name: resource_digest(name) for name in bundled},
        "schemas": {name: TABLES[name].version for name in step.writes},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@cache
def resource_digest(name: str) -> str:
    """Digest of a bundled file, named package/path."""
    package, _, path = name.partition("/")
    return hashlib.sha256((resources.files(package) / path).read_bytes()).hexdigest()[:16]


def _get(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = getattr(config, part)
    return config


def _value(value: Any, key: str) -> Any:
    """A JSON form of a config value, without what is operational."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _field(value, f, key) for f in fields(value) if not f.metadata.get("operational")}
    if isinstance(value, (list, tuple)):
        return [_value(item, f"{key}[{number}]") for number, item in enumerate(value)]
    return value


def _field(section: Any, each: Field[Any], key: str) -> Any:
    value, name = getattr(section, each.name), f"{key}.{each.name}"
    if each.metadata.get("folder") and value and Path(value).is_dir():
        return folder_digest(Path(value))
    if not each.metadata.get("file"):
        return _value(value, name)
    paths = value if isinstance(value, list) else [value] if value else []
    return [f"{Path(path).name}:{file_digest(path, name)}" for path in paths]


def folder_digest(folder: Path) -> str:
    """SHA-256 of a local folder's files: their places in it and their contents.

    Of a file over 64 MiB 64 pieces count, spread evenly: weights of 16 GB would take a minute at each start of a job, and two
    trainings of one model differ in all layers.
    """
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                digest.update(hashlib.file_digest(file, "sha256").digest())
                continue
            for number in range(_PIECES):
                file.seek((size - _PIECE_BYTES) * number // (_PIECES - 1))
                digest.update(file.read(_PIECE_BYTES))
    return digest.hexdigest()


def file_digest(path: str, key: str) -> str:
    """SHA-256 of a file's content.

    Args:
        path: a local path or a URI that pyarrow.fs knows.
        key: the config key that names it, for the error.

    Raises:
        ConfigError: it is missing, a folder, or unreadable.
    """
    try:
        system, inner = fs.FileSystem.from_uri(path) if "://" in path else (fs.LocalFileSystem(), path)
        info = system.get_file_info(inner)
        if info.type != fs.FileType.File:
            hint = "; give data=FOLDER" if path.startswith("/") and not Path(path).parent.is_dir() else ""
            raise ConfigError(f"{key}: '{path}' is not a file{hint}")
        if not info.size:
            raise ConfigError(f"{key}: '{path}' is empty")
        digest = hashlib.sha256()
        with system.open_input_stream(inner, compression=None) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise ConfigError(f"{key}: '{path}' cannot be read: {error}") from error
    return digest.hexdigest()
