"""A folder -> what Ray uploads of it: how much, and which files weigh most, known before anything is sent.

Ray packs the whole folder first and then says only that it is too large (ray#45602). The walk and the limit are Ray's own,
private as they are, so that the answer is the one that Ray comes to.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from ray._private.ray_constants import get_runtime_env_default_excludes
from ray._private.runtime_env import packaging

from conf.outcome import ConfigError

LIMIT_BYTES: int = packaging.GCS_STORAGE_MAX_SIZE
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What a folder's upload holds; Ray stores it without compression."""

    files: int
    bytes: int
    heaviest: tuple[tuple[str, int], ...]
    """The largest files with their bytes, largest first."""

    def line(self) -> str:
        """For a person."""
        return f"{self.files:,} files, {_mib(self.bytes)}"


def measure(folder: Path, excludes: list[str]) -> Upload:
    """What would be uploaded.

    Raises:
        ConfigError: the folder does not exist.
    """
    if not folder.is_dir():
        raise ConfigError(f"working_dir '{folder}' is not a folder")
    found: dict[str, int] = {}

    def add(path: Path) -> None:
        if path.is_file():
            found[str(path.relative_to(folder))] = path.stat().st_size

    skip = packaging._get_excludes(folder, [*get_runtime_env_default_excludes(), *excludes])  # noqa: SLF001  see above
    heeds = os.environ.get("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "0") != "1"
    packaging._dir_travel(folder, [skip], add, include_gitignore=heeds, logger=logging.getLogger(__name__))  # noqa: SLF001
    heaviest = sorted(found.items(), key=lambda each: (-each[1], each[0]))[:_NAMED]
    return Upload(files=len(found), bytes=sum(found.values()), heaviest=tuple(heaviest))


def check(folder: Path, excludes: list[str]) -> Upload:
    """What would be uploaded, if Ray takes it.

    Raises:
        ConfigError: it is more than Ray takes; the largest files are named.
    """
    found = measure(folder, excludes)
    if found.bytes >= LIMIT_BYTES:
        named = ", ".join(f"{name} {_mib(size)}" for name, size in found.heaviest)
        raise ConfigError(
            f"working_dir '{folder}' is {found.line()}, and Ray takes {_mib(LIMIT_BYTES)}; the largest: {named}; name what the"
            " job does not need in .rayignore, or in excludes='[…]', which replaces the list that stands there"
        )
    return found


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"
