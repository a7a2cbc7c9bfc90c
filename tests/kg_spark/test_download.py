"""A raw file arrives whole or not at all: every law against a server that breaks in the ways real ones do."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stamina

from conf.outcome import ConfigError, ContractError
from kg_spark.sources.download import PRIMEKG_HEADER, download

ROW = b"indication,indication,1,DB00331,drug,Metformin,DrugBank,2,5148,disease,type 2 diabetes,MONDO\n"
BODY = PRIMEKG_HEADER + b"\n" + ROW * 40
SHA256 = hashlib.sha256(BODY).hexdigest()
HALF = len(BODY) // 2
REST = f"bytes={HALF}-"
DATE = "Mon, 02 May 2022 10:00:00 GMT"
Case = dict[str, Any]


@dataclass(kw_only=True)
class Web:
    """What the server does, and the requests it saw. The lists are used up, one item a request, from the front."""

    url: str
    body: bytes = BODY
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    knows_range: bool = True
    knows_if_range: bool = True
    says_length: bool = True
    moved: bool = False
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    """Bytes of the body after which the line is cut."""
    after_cut: Callable[[], None] = lambda: None
    seen: list[dict[str, str]] = field(default_factory=list)

    def asked(self, header: str) -> list[str | None]:
        return [request.get(header.lower()) for request in self.seen]


class Handler(BaseHTTPRequestHandler):
    """One request, answered as `web` says."""

    def __init__(self, *args: Any, web: Web) -> None:
        self.web = web
        super().__init__(*args)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self.web.seen.append({name.lower(): value for name, value in self.headers.items()})
        if self.web.moved and self.path != "/moved":
            self.head(302, {"Location": "/moved", "Content-Length": "0"})
        elif self.web.statuses:
            self.head(self.web.statuses.pop(0), self.web.headers | {"Content-Length": "0"})
        else:
            self.send_body(self.start())

    def start(self) -> int:
        known = {self.headers["If-Range"]} <= {None, *self.web.headers.values()} or not self.web.knows_if_range
        asked = (self.headers["Range"] or "").removeprefix("bytes=").removesuffix("-")
        return int(asked) if asked and known and self.web.knows_range else 0

    def send_body(self, start: int) -> None:
        web, rest = self.web, self.web.body[start:]
        length = {"Content-Length": str(len(rest))} if web.says_length else {}
        range_ = {"Content-Range": f"bytes {start}-{len(web.body) - 1}/{len(web.body)}"} if start else {}
        status = 200 if not start else 206 if rest else 416
        self.head(status, web.headers | length | range_)
        self.wfile.write(rest[: web.cuts[0]] if web.cuts else rest)
        if web.cuts:
            web.cuts.pop(0)
            web.after_cut()

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state, no_waiting = Web(url=""), stamina.set_testing(True, attempts=100, cap=True)
    with no_waiting, ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, web=state)) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}/kg.csv"
        threading.Thread(target=server.serve_forever, args=(0.005,)).start()  # s between two looks for shutdown
        yield state
        server.shutdown()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "kg.csv"


def fetch(web: Web, target: Path, **changed: Any) -> Path:
    asked = {"size_bytes": None, "sha256": None, "timeout_s": 5.0, "attempts": 3, "report": lambda *_: None}
    return download(changed.pop("url", web.url), target, **(asked | changed))


def refused(kind: type[Exception], web: Web, target: Path, **changed: Any) -> str:
    with pytest.raises(kind, match=r"\A.+\Z") as caught:  # one line
        fetch(web, target, **changed)
    return str(caught.value)


def folder(target: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in target.parent.iterdir()}


def left_over(web: Web, target: Path, part: bytes, **changed: Any) -> None:
    """What a killed run leaves behind."""
    note = {"url": web.url, "validator": '"one"', "total": len(BODY)} | changed
    target.with_suffix(".csv.part").write_bytes(part)
    target.with_suffix(".csv.part.json").write_text(json.dumps(note))


def whole(web: Web, target: Path, **changed: Any) -> bool:
    """Whether a fetch leaves the file as it is served, and nothing else."""
    fetch(web, target, **changed)
    return folder(target) == {"kg.csv": web.body}


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        ({}, {"size_bytes": len(BODY), "sha256": SHA256.upper()}),
        ({"cuts": [100, 200]}, {"sha256": SHA256}),
        ({"cuts": [HALF], "knows_range": False}, {}),
        ({"cuts": [HALF], "says_length": False}, {"size_bytes": len(BODY)}),
        ({"cuts": [HALF], "says_length": False}, {}),
        ({"statuses": [429, 500, 503]}, {"attempts": 4}),
        ({"moved": True}, {}),
    ],
    ids=["in one go", "cut twice", "Range ignored", "no length", "cut within a line", "busy", "redirected"],
)
def test_a_file_arrives_whole(web: Web, target: Path, server: Case, asked: Case) -> None:
    vars(web).update(server)
    assert whole(web, target, **asked)


def test_a_file_that_is_there_and_fits_is_not_fetched(web: Web, target: Path) -> None:
    target.write_bytes(BODY)
    fetch(web, target, size_bytes=len(BODY), sha256=SHA256)
    assert web.seen == []


@pytest.mark.parametrize("asked", [{"size_bytes": len(BODY)}, {"sha256": SHA256}, {}])
def test_a_file_that_is_there_cut_short_is_replaced(web: Web, target: Path, asked: Case) -> None:
    target.write_bytes(BODY[:-5])
    assert whole(web, target, **asked)


def test_each_try_resumes_where_the_last_was_cut(web: Web, target: Path) -> None:
    web.cuts = [100, 200]
    fetch(web, target)
    assert web.asked("Range") == [None, "bytes=100-", "bytes=300-"]


def test_a_later_run_resumes_what_an_earlier_one_left(web: Web, target: Path) -> None:
    web.cuts = [HALF]
    refused(ContractError, web, target, attempts=1)
    fetch(web, target, attempts=1)
    assert web.asked("Range") == [None, REST]


def test_a_file_complete_but_for_its_name_is_not_asked_for_again(web: Web, target: Path) -> None:
    left_over(web, target, BODY)
    assert (whole(web, target), web.seen) == (True, [])


def test_the_resumed_part_is_hashed_too(web: Web, target: Path) -> None:
    left_over(web, target, BODY[:HALF].replace(b"Metformin", b"Metformax"))
    assert "sha256" in refused(ContractError, web, target, sha256=SHA256)


@pytest.mark.parametrize(
    ("headers", "sha256", "asked"),
    [
        ({"ETag": '"one"', "Last-Modified": DATE}, None, (REST, '"one"')),
        ({"ETag": 'W/"one"', "Last-Modified": DATE}, None, (REST, DATE)),
        ({}, SHA256, (REST, None)),
        ({}, None, (None, None)),
    ],
    ids=["etag", "weak etag", "checksum", "nothing"],
)
def test_the_rest_is_asked_for_only_if_another_version_would_show(
    web: Web, target: Path, headers: dict[str, str], sha256: str | None, asked: tuple[str | None, str | None]
) -> None:
    web.headers, web.cuts = headers, [HALF]
    fetch(web, target, sha256=sha256)
    assert (web.asked("Range")[-1], web.asked("If-Range")[-1]) == asked


@pytest.mark.parametrize("knows_if_range", [True, False])
def test_a_file_changed_between_tries_is_read_from_the_start(web: Web, target: Path, *, knows_if_range: bool) -> None:
    def change() -> None:
        web.headers, web.body = {"ETag": '"two"'}, BODY.replace(b"Metformin", b"Glibornuride")

    web.knows_if_range, web.cuts, web.after_cut = knows_if_range, [HALF], change
    assert whole(web, target)


@pytest.mark.parametrize(
    ("part", "note"),
    [
        (ROW * 3, {"url": "http://elsewhere/kg.csv"}),
        (ROW * 3, {"unheard of": 1}),
        (BODY + ROW, {}),
    ],
    ids=["of another address", "with a broken note", "longer than the file"],
)
def test_a_part_is_dropped(web: Web, target: Path, part: bytes, note: Case) -> None:
    left_over(web, target, part, **note)
    assert whole(web, target)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_address_without_the_file_is_refused_at_once(web: Web, target: Path, status: int) -> None:
    web.statuses = [status]
    line = refused(ConfigError, web, target)
    assert [web.url in line, str(status) in line, "set kg.download.url" in line, len(web.seen)] == [True] * 3 + [1]


def test_a_server_that_stays_busy_is_asked_as_often_as_allowed(web: Web, target: Path) -> None:
    web.statuses = [503] * 9
    assert ("503" in refused(ConfigError, web, target, attempts=4), len(web.seen)) == (True, 4)


@pytest.mark.parametrize(("wish", "waited"), [("7", 7.0), ("86400", 60.0)])
def test_a_server_may_say_how_long_to_wait_up_to_a_minute(
    web: Web, target: Path, monkeypatch: pytest.MonkeyPatch, wish: str, waited: float
) -> None:
    slept: list[float] = []
    # Its own view of `time` only: with the process's sleep replaced, a thread of another library that sleeps in a
    # loop spun and filled the memory.
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=slept.append))
    web.statuses, web.headers = [429], {"Retry-After": wish}
    with stamina.set_testing(False):
        fetch(web, target)
    assert slept == [waited]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/kg.csv", "kg.csv", "ftp://host/kg.csv", "http://host:port/kg.csv"])
def test_an_address_that_cannot_be_reached_is_named(web: Web, target: Path, url: str) -> None:
    assert refused(ConfigError, web, target, url=url).startswith(f"{url} cannot be reached")


def test_a_file_that_stays_short_is_refused_with_both_sizes_and_kept(web: Web, target: Path) -> None:
    web.cuts = [100, 10, 10]
    line = refused(ContractError, web, target)
    assert (f"expected {len(BODY)} bytes, found 120 " in line, folder(target)["kg.csv.part"]) == (True, BODY[:120])


@pytest.mark.parametrize(
    ("server", "asked", "fault"),
    [
        ({}, {"sha256": "0" * 64}, f"expected sha256 {'0' * 64}, found {SHA256}"),
        ({}, {"size_bytes": len(BODY) + 1}, f"expected {len(BODY) + 1} bytes, found {len(BODY)}"),
        ({"says_length": False}, {"size_bytes": len(BODY) - 1}, f"expected {len(BODY) - 1} bytes, found {len(BODY)}"),
        ({"body": b"<html>log in</html>\n"}, {}, "expected the header relation,display_relation,"),
        ({"body": BODY.replace(b",", b"\t")}, {}, "expected the header relation,display_relation,"),
        ({"body": BODY[:-1]}, {"size_bytes": len(BODY) - 1}, "expected a newline"),
    ],
    ids=["checksum", "size said", "size unsaid", "a page", "tabs for commas", "ends within a line"],
)
def test_another_file_replaces_nothing(web: Web, target: Path, server: Case, asked: Case, fault: str) -> None:
    vars(web).update(server)
    target.write_bytes(b"mine")
    assert (fault in refused(ContractError, web, target, **asked), folder(target)) == (True, {"kg.csv": b"mine"})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full stands in for a full disk")
def test_a_full_disk_is_said(web: Web, target: Path) -> None:
    target.with_suffix(".csv.part").symlink_to("/dev/full")
    assert refused(ConfigError, web, target).startswith("the disk is full")


def test_only_primekg_is_held_to_its_header(web: Web, target: Path) -> None:
    web.body = b"\x00"
    assert fetch(web, target.parent / "raw" / "hetionet.json.bz2").read_bytes() == b"\x00"


def test_progress_counts_what_was_resumed(web: Web, target: Path) -> None:
    left_over(web, target, BODY[:HALF])
    told: list[tuple[int, int | None]] = []
    fetch(web, target, report=lambda *now: told.append(now))
    assert told == [(HALF, len(BODY)), (len(BODY), len(BODY))]
