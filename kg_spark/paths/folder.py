"""A folder of files written at once, on any storage, and its checked copy on this machine's disk."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import fs

from conf.outcome import ContractError

_CHUNK_BYTES = 1 << 22
_VERIFIED = ".verified"


@dataclass(frozen=True, slots=True)
class Folder:
    """A local folder, or a URI that pyarrow.fs knows; credentials come from the environment."""

    uri: str

    def read(self, name: str) -> bytes:
        """A file's content.

        Raises:
            OSError: it cannot be read; FileNotFoundError where there is none.
        """
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file's content, piece by piece; raises as `read`."""
        system, inner = self._system()
        with system.open_input_stream(f"{inner}/{name}", compression=None) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk

    @contextmanager
    def replacing(self, *, last: str) -> Iterator[Path]:
        """An empty local folder; what stands in it at the end takes this one's place, file `last` at last.

        A local folder changes place by renaming. Object stores cannot: there `last` goes first and comes last, and a
        folder without it holds nothing.
        """
        parent = None if "://" in self.uri else Path(self.uri).absolute().parent
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=parent) as temp:
            # Not the temporary folder itself, which only its owner may read.
            staging = Path(temp) / "new"
            staging.mkdir()
            yield staging
            if parent is None:
                self._upload(staging, last)
                return
            if Path(self.uri).exists():
                Path(self.uri).rename(Path(temp) / "old")
            staging.rename(self.uri)

    def _upload(self, staging: Path, last: str) -> None:
        system, inner = self._system()
        system.create_dir(inner, recursive=True)
        if system.get_file_info(f"{inner}/{last}").type != fs.FileType.NotFound:
            system.delete_file(f"{inner}/{last}")
        for path in sorted(staging.iterdir(), key=lambda each: (each.name == last, each.name)):
            fs.copy_files(str(path), f"{inner}/{path.name}", fs.LocalFileSystem(), system)

    def _system(self) -> tuple[fs.FileSystem, str]:
        if "://" not in self.uri:
            return fs.LocalFileSystem(), self.uri
        # Spark's name of the scheme, which pyarrow does not know.
        system, inner = fs.FileSystem.from_uri(self.uri.replace("s3a://", "s3://", 1))
        return system, inner


def local_copy(folder: Folder, local_dir: str, digest: str, files: Mapping[str, Mapping[str, Any]]) -> Path:
    """The folder's files on this machine's disk, copied and checked once, whoever asks first.

    Args:
        folder: where they come from.
        local_dir: folder of the copies; empty: one of this user's in the machine's temp.
        digest: names the copy: what it was made of.
        files: bytes and sha256 by file name.

    Raises:
        ContractError: a file is missing or is not what `files` says, or there is no room.
    """
    root = Path(local_dir or f"{tempfile.gettempdir()}/medreason-index-{os.getuid()}")
    copy = root / digest[:16]
    if _is_verified(copy, digest, files):
        return copy
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / f"{digest[:16]}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_verified(copy, digest, files):
                _copy(folder, copy, digest, files)
    except OSError as error:
        raise ContractError(
            f"the path index in {folder.uri} cannot be copied to {root}: {error.strerror or error};"
            " set paths.index_dir to a local folder with room"
        ) from error
    return copy


def _is_verified(copy: Path, digest: str, files: Mapping[str, Mapping[str, Any]]) -> bool:
    """True when the copy was checked and its files still have their sizes."""
    try:
        sizes = all((copy / name).stat().st_size == facts["bytes"] for name, facts in files.items())
        return sizes and (copy / _VERIFIED).read_text() == digest
    except OSError:
        return False


def _copy(folder: Folder, copy: Path, digest: str, files: Mapping[str, Mapping[str, Any]]) -> None:
    with Folder(str(copy)).replacing(last=_VERIFIED) as staging:
        for name, facts in files.items():
            if _fetch(folder, name, staging / name) != facts["sha256"]:
                raise ContractError(
                    f"the path index in {folder.uri} is corrupted, {name} has another checksum than its manifest says:"
                    f" remove {folder.uri} and run find_paths again"
                )
        (staging / _VERIFIED).write_text(digest)


def _fetch(folder: Folder, name: str, target: Path) -> str:
    """Copy one file; the SHA-256 of what came."""
    sha256 = hashlib.sha256()
    try:
        with target.open("wb") as file:
            for chunk in folder.chunks(name):
                sha256.update(chunk)
                file.write(chunk)
    except FileNotFoundError as error:
        raise ContractError(
            f"the path index in {folder.uri} is corrupted, {name} is missing:"
            f" remove {folder.uri} and run find_paths again"
        ) from error
    return sha256.hexdigest()
