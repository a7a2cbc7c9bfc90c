"""Every case leaves once, a request is asked once, and a killed run ends like an unbroken one."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
import ray
from deltalake import CommitProperties, write_deltalake

from conf.config import ChainsConfig, Config, EngineConfig, LakeConfig, RayConfig, VerifyConfig
from conf.flow import step
from conf.identity import digest
from conf.lake import Lake, user_metadata
from conf.outcome import ConfigError, Outcome
from conf.tables import CASES, CHAINS, REPLIES, VERDICTS, Table
from medreason_ray.asker import EngineGone, TooManyFailures
from medreason_ray.engines.choice import open_engine
from medreason_ray.engines.request import EngineDead, ModelReply
from medreason_ray.engines.template import TemplateEngine
from medreason_ray.ledger import Ledger
from medreason_ray.session import start_ray
from medreason_ray.stages import generate_chains, write_chains
from medreason_ray.store import RayStore
from tests.medreason_ray.drawn import case, said

pytestmark = pytest.mark.slow

CHAINS_CONFIG = ChainsConfig(max_edges=12)
VERIFY = VerifyConfig()
ENGINE = EngineConfig(actors=1, commit_rows=50)
KILLED = EngineConfig(actors=2, commit_rows=50, concurrency=8)
MANY = 2000
ROOT = Path(__file__).parents[2]


class LoggedEngine(TemplateEngine):
    """Writes down what it is asked, then answers; some questions may fail or be answered badly."""

    def __init__(self, log: Path, delay_s: float, bad: dict[str, str]) -> None:
        self._log, self._delay_s, self._bad = log, delay_s, bad

    async def ask(self, request) -> ModelReply:
        handle = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{request.request_id}\n".encode())
        os.close(handle)
        await asyncio.sleep(self._delay_s)
        reply = self._bad.get(request.question_id)
        if reply == "raise":
            raise ConnectionError("the endpoint is gone")
        if reply == "die always" or (reply == "die once" and asked(self._log)[request.request_id] == 1):
            raise EngineDead("CUDA went away")
        is_text = reply and reply != "die once"
        return ModelReply(reply=reply, finish_reason="stop") if is_text else await super().ask(request)


def logged(config: EngineConfig, *, log: Path, delay_s: float = 0.0, bad: dict[str, str] | None = None) -> LoggedEngine:
    return LoggedEngine(log, delay_s, bad or {})


def asked(log: Path) -> Counter:
    return Counter(log.read_text().split()) if log.exists() else Counter()


def generate(cases: Path, lake: Path, opener=open_engine, engine: EngineConfig = ENGINE) -> Outcome:
    return generate_chains.run(
        ray.data.read_delta(str(cases)),
        ledger=Ledger(str(lake / "replies")),
        engine=engine,
        chains=CHAINS_CONFIG,
        verify=VERIFY,
        batch_rows=128,
        open_engine=opener,
    )


def put_cases(path: Path, rows: list[dict], files: int = 1) -> Path:
    for number in range(files):
        write_deltalake(str(path), pa.Table.from_pylist(rows[number::files], CASES.schema), mode="append")
    return path


def rows_of(outcome: Outcome, table: Table) -> list[dict]:
    """A table of the outcome in the order of its key."""
    batches = list(outcome.tables[table.name].iter_batches(batch_format="pyarrow", batch_size=None))
    rows = pa.concat_tables([table.schema.empty_table(), *batches]).to_pylist()
    return sorted(rows, key=lambda row: [row[name] for name in table.key])


def rejected(outcome: Outcome) -> dict[str, str]:
    return {row["key"]: row["reason"] for row in outcome.rejects.take_all()}


def stable_replies(lake: Path) -> list[dict]:
    """What the ledger says of every request, volatile columns aside."""
    known = Ledger(str(lake / "replies")).read([write_chains.STAGE])
    rows = known.replies([each.hex() for each in known.ids.astype("V32").tolist()])
    return rows.select(list(REPLIES.stable_columns)).to_pylist()


class Run(NamedTuple):
    """One step from end to end."""

    lake: Path
    log: Path
    outcome: Outcome


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    return put_cases(tmp_path_factory.mktemp("many") / "cases", [case(number) for number in range(MANY)], files=4)


@pytest.fixture(scope="module")
def unbroken(ray_cluster, many, tmp_path_factory) -> Run:
    lake = tmp_path_factory.mktemp("unbroken")
    log = lake / "log"
    return Run(lake, log, generate(many, lake, partial(logged, log=log)))


def test_every_case_has_a_chain_and_a_verdict(unbroken):
    chains, verdicts = rows_of(unbroken.outcome, CHAINS), rows_of(unbroken.outcome, VERDICTS)
    found = (unbroken.outcome.units_in, len(chains), [row["chain_id"] for row in verdicts])
    assert found == (MANY, MANY, [row["chain_id"] for row in chains])


def test_every_request_is_asked_once(unbroken):
    assert set(asked(unbroken.log).values()) == {1}


def test_a_second_run_asks_nothing_and_writes_the_same(unbroken, many, tmp_path):
    again = generate(many, unbroken.lake, partial(logged, log=tmp_path / "log"))
    same = rows_of(again, CHAINS) == rows_of(unbroken.outcome, CHAINS)
    assert (asked(tmp_path / "log"), same) == (Counter(), True)


def test_no_case_makes_empty_tables(ray_cluster, tmp_path):
    rows = ray.data.from_arrow(CASES.schema.empty_table())
    ledger = Ledger(str(tmp_path / "replies"))
    outcome = generate_chains.run(rows, ledger=ledger, engine=ENGINE, chains=CHAINS_CONFIG, verify=VERIFY, batch_rows=8)
    assert (outcome.units_in, rows_of(outcome, CHAINS), outcome.rejects.count()) == (0, [], 0)


BAD = {
    digest("case", "1"): "raise",
    digest("case", "2"): "no JSON",
    digest("case", "3"): said("E99"),
}


@pytest.fixture(scope="module")
def broken(ray_cluster, tmp_path_factory) -> Run:
    """Six cases: one fails, two are answered badly, the paths of one do not fit, two are sound."""
    lake = tmp_path_factory.mktemp("broken")
    wide = ", ".join(f"A r{number} B" for number in range(CHAINS_CONFIG.max_edges + 1))
    put_cases(lake / "cases", [*(case(number) for number in range(5)), case(5, (wide,))])
    return Run(lake, lake / "log", generate(lake / "cases", lake, partial(logged, log=lake / "log", bad=BAD)))


def test_one_bad_row_is_one_reject(broken):
    assert rejected(broken.outcome) == {
        digest("case", "1"): "REQUEST_FAILED",
        digest("case", "2"): "NOT_A_REPLY",
        digest("case", "3"): "UNSHOWN_EDGE",
        digest("case", "5"): "NO_CHAIN",
    }


def test_a_case_leaves_as_a_chain_or_as_a_reject(broken):
    chains = [row["question_id"] for row in rows_of(broken.outcome, CHAINS)]
    left = sorted([*chains, *rejected(broken.outcome)])
    assert (left, broken.outcome.units_in) == (sorted(digest("case", str(number)) for number in range(6)), 6)


def test_failed_requests_are_asked_again_when_told(broken, tmp_path):
    log = tmp_path / "log"
    retry = replace(ENGINE, retry="failed")
    mended = generate(broken.lake / "cases", broken.lake, partial(logged, log=log), retry)
    assert (broken.outcome.facts["failed"], mended.facts["failed"], asked(log).total()) == ("1", "0", 1)


# Engines that break


def broken_at(lake: Path, bad: dict[str, str], rows: list[dict], engine: EngineConfig = ENGINE) -> Run:
    put_cases(lake / "cases", rows)
    return Run(lake, lake / "log", generate(lake / "cases", lake, partial(logged, log=lake / "log", bad=bad), engine))


def test_a_dead_engine_is_replaced_and_its_rows_are_asked_again(ray_cluster, tmp_path):
    rows = [case(number) for number in range(60)]
    run = broken_at(tmp_path, {digest("case", "30"): "die once"}, rows)
    counts = asked(run.log)
    assert (len(rows_of(run.outcome, CHAINS)), len(counts), max(counts.values())) == (60, 60, 2)


def test_an_engine_that_dies_again_and_again_ends_the_job_with_its_last_words(ray_cluster, tmp_path):
    rows = [case(number) for number in range(3)]
    with pytest.raises(EngineGone, match="died 2 times: CUDA went away"):
        broken_at(tmp_path, {digest("case", "1"): "die always"}, rows, replace(ENGINE, restarts=1))


def test_a_job_whose_requests_fail_is_stopped_and_what_came_is_kept(ray_cluster, tmp_path):
    rows = [case(number) for number in range(800)]
    bad = {row["question_id"]: "raise" for row in rows[::2]}
    with pytest.raises(TooManyFailures, match="failed, the last with ConnectionError: the endpoint is gone"):
        broken_at(tmp_path, bad, rows, replace(ENGINE, max_failed_share=0.3))
    kept = stable_replies(tmp_path)
    assert any(row["error"] is None for row in kept)
    assert len(asked(tmp_path / "log")) - ENGINE.concurrency <= len(kept) < len(rows)


def test_an_engine_that_cannot_be_opened_is_one_line_for_the_user(ray_cluster, tmp_path):
    put_cases(tmp_path / "cases", [case(1)])
    engine = EngineConfig(name="vllm", model="nowhere/model", tokenizer="", actors=1)
    with pytest.raises(ConfigError, match="engine"):
        generate(tmp_path / "cases", tmp_path, open_engine, engine)


def test_a_model_that_cannot_read_beside_the_longest_chain_is_refused_before_anything_is_asked():
    engine = EngineConfig(name="http", model="m", max_model_len=4096)
    with pytest.raises(ConfigError, match=r"max_model_len=4096.*chains.max_steps"):
        generate_chains.conversation(engine, ChainsConfig(), VERIFY)


def test_two_rows_with_one_prompt_ask_it_once(ray_cluster, tmp_path):
    rows = [case(1) | {"question_id": digest("twin", str(number))} for number in range(20)]
    run = broken_at(tmp_path, {}, rows)
    assert (len(rows_of(run.outcome, CHAINS)), asked(run.log).total()) == (20, 1)


def test_the_store_runs_the_step_once(ray_cluster, tmp_path):
    config = Config(lake=LakeConfig(root=str(tmp_path)))
    lake = Lake(config)
    generating, metadata = step("generate_chains"), user_metadata(step("build_cases"), CASES, "one", {})
    write_deltalake(
        lake.uri("cases"),
        pa.Table.from_pylist([case(number) for number in range(10)], CASES.schema),
        mode="overwrite",
        commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
    )
    store = RayStore(config, lake)
    arguments = {
        "ledger": Ledger(lake.uri("replies")),
        "engine": ENGINE,
        "chains": CHAINS_CONFIG,
        "verify": VERIFY,
        "batch_rows": 8,
    }
    first = store.run(generating, generate_chains.run, **arguments)
    second = store.run(generating, generate_chains.run, **arguments)
    assert (first.units_out, first.up_to_date, second.up_to_date) == (10, False, True)


# kill -9


def commits(lake: Path) -> int:
    return len(list((lake / "replies" / "_delta_log").glob("*.json")))


def descendants(pid: int) -> list[int]:
    """Processes that a process and its children started."""
    found = [pid]
    for each in found:
        tasks = Path(f"/proc/{each}/task").glob("*/children")
        found += [int(child) for task in tasks for child in task.read_text().split()]
    return found[1:]


def kill_all(process: subprocess.Popen) -> None:
    """kill -9 of the driver, then of the Ray processes it had started."""
    children = descendants(process.pid)
    process.kill()
    process.wait()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def generate_slowly(cases: str, lake: str, log: str) -> None:
    """The step on a Ray of its own, in some seconds; what is killed."""
    start_ray(RayConfig(num_cpus=3))
    generate(Path(cases), Path(lake), partial(logged, log=Path(log), delay_s=0.02), KILLED)


def start_and_kill(cases: Path, lake: Path, log: Path, behind: int) -> None:
    """Run the step in a process of its own with a slow engine, and kill it behind some commits."""
    run = "import sys; from tests.medreason_ray.test_generate_chains import generate_slowly as g; g(*sys.argv[1:])"
    command = [sys.executable, "-W", "ignore", "-c", run, cases, lake, log]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while commits(lake) <= behind and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    kill_all(process)


@pytest.fixture(scope="module")
def killed(ray_cluster, many, tmp_path_factory) -> tuple[Run, int]:
    """A run killed in the middle and then run to the end; with the requests committed before the kill."""
    lake = tmp_path_factory.mktemp("killed")
    log = lake / "log"
    start_and_kill(many, lake, log, behind=4)
    before = len(Ledger(str(lake / "replies")).read([write_chains.STAGE]))
    return Run(lake, log, generate(many, lake, partial(logged, log=log), KILLED)), before


def test_a_killed_run_had_begun_and_not_ended(killed):
    assert 0 < killed[1] < MANY


def test_a_killed_run_asks_again_no_more_than_what_was_not_committed(killed):
    counts = asked(killed[0].log)
    twice = sum(count - 1 for count in counts.values())
    allowed = KILLED.actors * (KILLED.commit_rows + KILLED.concurrency)
    assert (len(counts), max(counts.values()) <= 2, twice <= allowed) == (MANY, True, True)


def test_a_killed_run_ends_with_the_replies_of_an_unbroken_one(killed, unbroken):
    assert stable_replies(killed[0].lake) == stable_replies(unbroken.lake)


@pytest.mark.parametrize("table", [CHAINS, VERDICTS], ids=lambda table: table.name)
def test_a_killed_run_ends_with_the_tables_of_an_unbroken_one(killed, unbroken, table):
    assert rows_of(killed[0].outcome, table) == rows_of(unbroken.outcome, table)
