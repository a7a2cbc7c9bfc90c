"""url -> file: fetches a raw graph file whole or not at all, going on from where an earlier try was cut off.

PrimeKG's kg.csv is about 1 GB behind a redirect, and a download cut short reads as a good CSV until a number stands
where a name belongs (MedReason#2). So a file gets its name only once size, checksum and, for kg.csv, header and last
line are right; until then it is `<target>.part`, with what is needed to resume in `<target>.part.json`. Bytes are
resumed only if a validator of the server (If-Range) or a checksum of ours can tell two versions of the file apart. The
checksum is taken of the finished .part on disk, not of the stream: one pass covers what earlier runs fetched.

Source: RFC 9110, 13.1.5 (If-Range) and 14 (ranges); PrimeKG's file is Harvard Dataverse datafile 6180620.
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import stamina

from conf.outcome import ConfigError, ContractError

REPORT_BYTES = 1 << 20
LONGEST_WAIT_S = 60.0
PRIMEKG_FILE = "kg.csv"
PRIMEKG_HEADER = b"relation,display_relation,x_index,x_id,x_type,x_name,x_source,y_index,y_id,y_type,y_name,y_source"
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The file asked for: where from, where to, and what it must be."""

    url: str
    target: Path
    size_bytes: int | None
    sha256: str | None
    report: Callable[[int, int | None], None]

    @property
    def part(self) -> Path:
        return self.target.with_suffix(self.target.suffix + ".part")

    @property
    def note(self) -> Path:
        return self.target.with_suffix(self.target.suffix + ".part.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """Which version of which file the .part holds the beginning of."""

    url: str
    validator: str | None
    """Strong ETag, else Last-Modified, as the server wrote it; null when it gave neither."""
    total: int | None
    """Bytes of the whole file; null when the server did not say."""


def download(
    url: str,
    target: Path,
    *,
    size_bytes: int | None,
    sha256: str | None,
    timeout_s: float,
    attempts: int,
    report: Callable[[int, int | None], None],
) -> Path:
    """The file at `url`, checked, as `target`; nothing is fetched if `target` is already what was asked for.

    Args:
        url: http or https, redirects are followed.
        target: takes the place of an earlier file of that name in one step, once all checks have passed.
        size_bytes: the file's size; null: as the server says, if it does.
        sha256: hex digits; null: not checked.
        timeout_s: longest silence of the server (connecting, or between two reads), not of the whole download.
        attempts: tries in all, the first one included; each later one resumes.
        report: called with bytes held so far and bytes in all (null when unknown), once a MiB and at both ends.

    Raises:
        ConfigError: the address serves no file (404, 403 …), cannot be reached, or the disk is full.
        ContractError: the file is cut short, or not the one that was asked for.
    """
    wanted = _Wanted(url=url, target=target, size_bytes=size_bytes, sha256=sha256, report=report)
    try:
        if target.is_file() and _fault(target, wanted) is None:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(wanted, timeout_s, attempts)
        return _accept(wanted)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        full = f"the disk is full while writing {wanted.part}: make room and run again, what is there is kept"
        raise ConfigError(full) from error


def _fetch(wanted: _Wanted, timeout_s: float, attempts: int) -> None:
    """Fills the .part, in as many requests as it takes; gives up in one line."""
    retry = stamina.RetryingCaller(attempts=attempts, timeout=None, wait_initial=1.0, wait_max=LONGEST_WAIT_S)
    try:
        with httpx.Client(follow_redirects=True, timeout=timeout_s) as client:
            retry(_may_pass, _request, client, wanted)
    except httpx.HTTPStatusError as error:
        status = f"{error.response.status_code} {error.response.reason_phrase}".strip()
        raise ConfigError(f"{wanted.url} still answers {status}: run again later or set kg.download.url") from error
    except (httpx.RequestError, httpx.InvalidURL) as error:
        why = " ".join(f"{type(error).__name__} {error}".split())
        if not isinstance(error, httpx.ReadError | httpx.ReadTimeout | httpx.RemoteProtocolError):
            text = f"{wanted.url} cannot be reached ({why}): check network and proxy, or set kg.download.url"
            raise ConfigError(text) from error
        expected, found = _total(wanted, _read_note(wanted)), _size(wanted.part)
        text = f"{wanted.url} broke off: expected {expected or 'unknown'} bytes, found {found} ({why}): "
        raise ContractError(f"{text}run again to resume {wanted.part}") from error


def _may_pass(error: Exception) -> bool | float:
    """Whether another try may help; a number is the server's own wish, in seconds."""
    if isinstance(error, httpx.HTTPStatusError):
        wish = error.response.headers.get("Retry-After", "")
        return (wish.isdecimal() and min(float(wish), LONGEST_WAIT_S)) or True
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _request(client: httpx.Client, wanted: _Wanted) -> None:
    """One request for what the .part lacks; one more when what it holds is not of the file that is served now."""
    note = _read_note(wanted)
    held, total = _resumable(wanted, note), _total(wanted, note)
    if held and held == total:
        return None
    headers = {"Accept-Encoding": "identity"}
    if held:
        headers["Range"] = f"bytes={held}-"
    if held and note and note.validator:
        headers["If-Range"] = note.validator
    with client.stream("GET", wanted.url, headers=headers) as response:
        _check_status(response, wanted, resuming=held > 0)
        if response.status_code == httpx.codes.OK:
            return _receive(response, wanted, 0)
        if _continues(response, held, note):
            return _receive(response, wanted, held)
    _discard(wanted)
    return _request(client, wanted)


def _check_status(response: httpx.Response, wanted: _Wanted, *, resuming: bool) -> None:
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        response.raise_for_status()
    fine = {httpx.codes.OK}
    if resuming:
        fine |= {httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE}
    if response.status_code not in fine:
        status = f"{response.status_code} {response.reason_phrase}".strip()
        text = f"{wanted.url} answers {status}: set kg.download.url to an address that serves {wanted.target.name}"
        raise ConfigError(text)


def _resumable(wanted: _Wanted, note: _Note | None) -> int:
    """Bytes of the .part that may be kept: none of another address's, none that nothing could tell from another's."""
    if note is None or note.url != wanted.url or not (note.validator or wanted.sha256):
        return 0
    return _size(wanted.part)


def _continues(response: httpx.Response, held: int, note: _Note | None) -> bool:
    """Whether the answer is the rest of the very file that the .part is the beginning of."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT or note is None:
        return False
    start, _ = _content_range(response)
    return start == held and _validator(response) in {None, note.validator}


def _receive(response: httpx.Response, wanted: _Wanted, start: int) -> None:
    """Appends the body to the first `start` bytes of the .part."""
    offered = _content_range(response)[1] if start else _content_length(response)
    total = wanted.size_bytes if wanted.size_bytes is not None else offered
    if offered is not None and offered != total:
        raise _refusal(wanted, f"expected {total} bytes, found {offered}")
    with wanted.part.open("ab" if start else "wb") as file:
        # The .part is empty here unless resumed: killed now, no note ever describes bytes of an older version.
        if not start:
            note = _Note(url=wanted.url, validator=_validator(response), total=offered)
            wanted.note.write_text(json.dumps(asdict(note)), encoding="utf-8")
        held = start
        wanted.report(held, total)
        for chunk in response.iter_raw():  # given a chunk size, httpx holds back a last chunk that the line cut short
            before, held = held, held + file.write(chunk)
            if held // REPORT_BYTES > before // REPORT_BYTES:
                wanted.report(held, total)
            if total is not None and held > total:
                _discard(wanted)
                raise _refusal(wanted, f"expected {total} bytes, found {held} and more")
        file.flush()
        os.fsync(file.fileno())
    wanted.report(held, total)
    short = not _ends_whole(wanted.part, wanted.target.name) if total is None else held < total
    if short:
        raise httpx.RemoteProtocolError("the body ended early")


def _accept(wanted: _Wanted) -> Path:
    """Gives the .part its name, or takes it away: by now it is as long as the server would make it."""
    fault = _fault(wanted.part, wanted)
    if fault is not None:
        _discard(wanted)
        raise _refusal(wanted, fault)
    wanted.part.replace(wanted.target)
    wanted.note.unlink(missing_ok=True)
    return wanted.target


def _refusal(wanted: _Wanted, fault: str) -> ContractError:
    text = f"{wanted.url} is not the file asked for: {fault}; run again, set kg.download.url, or"
    return ContractError(f"{text} mend the size and checksum that are expected")


def _fault(file: Path, wanted: _Wanted) -> str | None:
    """What is wrong with a file, expected against found; null when it is what was asked for."""
    found = _size(file)
    if wanted.size_bytes is not None and found != wanted.size_bytes:
        return f"expected {wanted.size_bytes} bytes, found {found}"
    if wanted.target.name == PRIMEKG_FILE:
        with file.open("rb") as lines:
            header = lines.readline(2 * len(PRIMEKG_HEADER)).rstrip(b"\r\n")
        if header != PRIMEKG_HEADER:
            return f"expected the header {PRIMEKG_HEADER.decode()}, found {header!r}"
    if not _ends_whole(file, wanted.target.name):
        return f"expected a newline as the last of {found} bytes, found the middle of a line"
    if wanted.sha256 is not None:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != wanted.sha256.lower():
            return f"expected sha256 {wanted.sha256.lower()}, found {digest}"
    return None


def _ends_whole(file: Path, name: str) -> bool:
    """False when PrimeKG's file ends within a line; other formats may."""
    if name != PRIMEKG_FILE:
        return True
    with file.open("rb") as content:
        content.seek(max(0, _size(file) - 1))
        return content.read(1) == b"\n"


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _total(wanted: _Wanted, note: _Note | None) -> int | None:
    """Bytes of the whole file, as asked for or else as the server said; null when neither."""
    if wanted.size_bytes is not None or note is None:
        return wanted.size_bytes
    return note.total


def _discard(wanted: _Wanted) -> None:
    wanted.part.unlink(missing_ok=True)
    wanted.note.unlink(missing_ok=True)


def _read_note(wanted: _Wanted) -> _Note | None:
    """Null where there is none, or a kill left half of one: the .part is then worth nothing."""
    try:
        return _Note(**json.loads(wanted.note.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _validator(response: httpx.Response) -> str | None:
    """What names this version of the file; a weak ETag does not (RFC 9110, 13.1.5)."""
    tag: str = response.headers.get("ETag", "W/")
    modified: str | None = response.headers.get("Last-Modified")
    return modified if tag.startswith("W/") else tag


def _content_length(response: httpx.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    """First byte and bytes in all, of `Content-Range: bytes 500-999/1000`; null where not said."""
    said = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if said is None:
        return None, None
    return int(said[1]), None if said[2] == "*" else int(said[2])
