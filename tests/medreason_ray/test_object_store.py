"""The lake on an S3-compatible store: two writers at once lose no commit, and every path of Ray heeds the storage options."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from conf.config import Config
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.loading import load
from conf.storage import file_system
from conf.tables import CASES, CHAINS, REPLIES
from medreason_ray.ledger import Ledger
from medreason_ray.stages import generate_chains, write_chains
from medreason_ray.store import RayStore, arrow_table
from medreason_ray.upkeep import tidy
from tests.medreason_ray.drawn import case
from tests.medreason_ray.generating import ROOT, put_graph
from tests.object_store import object_store

pytestmark = pytest.mark.slow

BLOCKS, ROWS = 12, 5
URI = "s3://lake/two/replies"


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> Iterator[dict[str, str]]:
    with object_store(tmp_path_factory.mktemp("store")) as found:
        yield found


def append_blocks(uri: str, writer: str, options: str) -> None:
    """What one writer does, in a process of its own."""
    ledger = Ledger(uri, json.loads(options))
    for block in range(BLOCKS):
        ledger.append(replies(f"{writer}{block:02d}"))


def replies(block: str) -> pa.Table:
    common = {
        "stage": "s",
        "question_id": "q",
        "model": "m",
        "prompt_hash": "p",
        "finish_reason": "stop",
        "seconds": 0.1,
    }
    ids = [f"{block}{number:02d}".encode().hex().ljust(64, "0") for number in range(ROWS)]
    rows = [dict.fromkeys(REPLIES.schema.names) | common | {"request_id": each, "reply": block} for each in ids]
    return pa.Table.from_pylist(rows, REPLIES.schema)


@pytest.fixture(scope="module")
def appended(options) -> list[int]:
    """Exit codes of two writers that append to one ledger at the same time."""
    Ledger(URI, options).create()
    run = "import sys; from tests.medreason_ray.test_object_store import append_blocks as a; a(*sys.argv[1:])"
    command = [sys.executable, "-W", "ignore", "-c", run, URI]
    writers = [subprocess.Popen([*command, name, json.dumps(options)], cwd=ROOT) for name in ("a", "b")]
    return [writer.wait(120) for writer in writers]


def test_two_writers_at_once_lose_no_commit(appended, options):
    assert appended == [0, 0]
    known = Ledger(URI, options).read(["s"])
    rows = known.replies([each.hex() for each in known.ids.astype("V32").tolist()])
    expected = sorted(f"{writer}{block:02d}" for writer in "ab" for block in range(BLOCKS) for _ in range(ROWS))
    assert sorted(rows["reply"].to_pylist()) == expected
    assert DeltaTable(URI, storage_options=options).version() == 2 * BLOCKS


def test_a_ledger_there_is_compacted_and_reads_the_same(appended, options):
    before = Ledger(URI, options).read(["s"])
    kept = tidy(URI, 168, options)
    after = Ledger(URI, options).read(["s"])
    assert (kept.before.files, kept.after.files, kept.after.stored_files) == (2 * BLOCKS, 1, 2 * BLOCKS + 1)
    assert after.ids.tolist() == before.ids.tolist()


@pytest.fixture(scope="module")
def config(options) -> Config:
    given = [f"lake.storage_options.{name}={value}" for name, value in options.items()]
    return load(["lake.root=s3://lake/chains", "tracking.enabled=false", "engine.actors=1", *given])


def test_the_step_asks_writes_and_is_up_to_date_there(config, options, ray_cluster):
    lake = Lake(config)
    write_deltalake(
        lake.uri("cases"),
        pa.Table.from_pylist([case(number) for number in range(8)], CASES.schema),
        storage_options=options,
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": user_metadata(step("build_cases"), CASES, "one", {})}
        ),
    )
    put_graph("s3://lake/chains", options)
    ledger = Ledger(lake.uri("replies"), lake.storage_options)
    asked = {"engine": config.engine, "chains": config.chains, "verify": config.verify, "batch_rows": 4}
    reports = [
        RayStore(config, lake).run(step("generate_chains"), generate_chains.run, ledger=ledger, **asked)
        for _ in range(2)
    ]
    assert [each.up_to_date for each in reports] == [False, True]
    found = lake.open("chains")
    assert found is not None
    chains = arrow_table(found, CHAINS.schema)
    assert len(chains) == reports[0].tables["chains"].rows == 8
    assert len(ledger.read([write_chains.STAGE])) == 8


def test_what_arrow_opens_is_what_the_options_say(options, tmp_path: Path):
    system, path = file_system("s3a://lake/files/one", options)
    with system.open_output_stream(path) as stream:
        stream.write(b"kept")
    assert file_system("s3://lake/files/one", options)[0].get_file_info(path).size == 4
    local, same = file_system(str(tmp_path), options)
    assert (local.type_name, same) == ("local", str(tmp_path))
