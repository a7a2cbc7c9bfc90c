"""Chains cite what was shown, every case leaves once, and a request is asked once, whatever dies."""

import asyncio
import json
import os
import re
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
from deltalake import CommitProperties, DeltaTable, write_deltalake

from conf.config import ChainsConfig, Config, EngineConfig, LakeConfig, RayConfig
from conf.flow import step
from conf.identity import digest
from conf.lake import Lake, user_metadata
from conf.outcome import Outcome, Reason, Rejected
from conf.tables import CASES, CHAINS, REPLIES, VERDICTS, Table
from medreason_ray.engines.choice import model_of, open_engine
from medreason_ray.engines.request import ModelReply
from medreason_ray.engines.template import TemplateEngine
from medreason_ray.ledger import Ledger
from medreason_ray.llm_stage import BlockWriter
from medreason_ray.session import start_ray
from medreason_ray.stages import generate_chains, write_chains
from medreason_ray.store import RayStore, arrow_table

CHAINS_CONFIG = ChainsConfig(max_edges=12)
ENGINE = EngineConfig(actors=1, commit_rows=50)
KILLED = EngineConfig(actors=2, commit_rows=50, concurrency=8)
MANY = 2000
ROOT = Path(__file__).parents[2]


def case(number: int, paths: tuple[str, ...] = ("A treats B, B presents C", "A causes D, D resembles C"), **changes) -> dict:
    """A case of drawn paths, cheapest first; a step is `X verb Y`, parallel edges are joined by /."""
    index: dict[tuple[str, str, str], int] = {}
    shown = []
    for cost, drawn in enumerate(paths):
        hops = [[tuple(edge.split()) for edge in hop.split("/")] for hop in drawn.split(", ")]
        steps = [[index.setdefault(edge, len(index)) for edge in hop] for hop in hops]
        shown.append({"path_id": digest(drawn), "text": drawn, "hops": len(hops), "cost": cost, "steps": steps})
    edges = [
        {"edge_id": digest(*e), "src": e[0], "relation": e[1], "dst": e[2], "sentence": " ".join(e) + "."} for e in index
    ]
    pair = {"side": "answer", "option_key": "A", "source": "A", "target": "C", "paths": shown}
    row = {
        "question_id": digest("case", str(number)),
        "question": f"What does finding {number} lead to?",
        "options": [{"key": "A", "text": "C"}, {"key": "B", "text": "E"}],
        "answer_key": "A",
        "answer": "C",
        "flags": [],
        "answer_margin": 1.0,
        "pairs": [pair],
        "edges": edges,
        "kg_version": "drawn",
    }
    return row | changes


def requested(row: dict, config: ChainsConfig = CHAINS_CONFIG):
    [request] = write_chains.requests(row, config, model_of(ENGINE))
    return request


def written(row: dict, config: ChainsConfig = CHAINS_CONFIG) -> dict:
    """The template engine's chain of a case."""
    request = requested(row, config)
    return write_chains.parse(row, request, asyncio.run(TemplateEngine().ask(request)).reply)


def parsed(reply: str, row: dict) -> dict:
    return write_chains.parse(row, requested(row), reply)


def said(*edges: str, support: str = "kg", text: str = "So it is.") -> str:
    return json.dumps({"steps": [{"text": text, "support": support, "edges": edges}], "conclusion": "C."})


# What is shown


def test_paths_are_shown_whole_or_not_at_all_best_first():
    row = case(1, ("A a B, B b C", "A c D, D d E, E e C", "A a B, B f C"))
    shown = write_chains.show(row, ChainsConfig(max_edges=3))
    assert [path.text for path in shown.paths] == ["A a B, B b C", "A a B, B f C"]


def test_an_edge_of_two_paths_has_one_label():
    shown = write_chains.show(case(1, ("A a B, B b C", "A a B/A x B, B f C")), CHAINS_CONFIG)
    assert [path.hops for path in shown.paths] == [[["E1"], ["E2"]], [["E1", "E3"], ["E4"]]]


def test_paths_of_all_pairs_of_the_answer_are_ranked_together_and_other_options_are_not_shown():
    row = case(1, ("A a B", "A b B", "A c B"))
    paths = row["pairs"][0]["paths"]
    row["pairs"] = [
        row["pairs"][0] | {"paths": [paths[1]]},
        row["pairs"][0] | {"paths": [paths[0]]},
        row["pairs"][0] | {"paths": [paths[2]], "side": "option"},
    ]
    assert [path.text for path in write_chains.show(row, CHAINS_CONFIG).paths] == ["A a B", "A b B"]


def test_a_case_whose_paths_do_not_fit_is_rejected_unasked():
    with pytest.raises(Rejected) as rejected:
        write_chains.requests(case(1, ("A a B, B b C",)), ChainsConfig(max_edges=1), model_of(ENGINE))
    assert rejected.value.reason is Reason.NO_CHAIN


def test_the_schema_lets_only_shown_labels_through():
    edges = json.loads(write_chains.schema(3))["$defs"]["Step"]["properties"]["edges"]
    assert (edges["items"]["enum"], edges["maxItems"]) == (["E1", "E2", "E3"], 8)


def test_whatever_changes_the_reply_changes_the_request_id():
    ids = {
        requested(case(1)).request_id,
        requested(case(1, question="Another?")).request_id,
        requested(case(1), replace(CHAINS_CONFIG, seed=1)).request_id,
        requested(case(1), replace(CHAINS_CONFIG, keep_paths=1)).request_id,
        requested(case(1), replace(CHAINS_CONFIG, max_edges=2)).request_id,
    }
    assert len(ids) == 5


def test_what_the_prompt_does_not_show_leaves_the_request_id():
    assert requested(case(1)).request_id == requested(case(1, kg_version="later", answer_margin=0.0)).request_id


# The template engine's chain


def test_a_template_chain_states_each_walked_edge_once_in_its_own_words():
    chain = written(case(1, ("A treats B/A helps B, B presents C", "A treats B, B signals C")))
    assert [each["text"] for each in chain["steps"]] == ["A treats B.", "B presents C.", "B signals C."]


def test_a_template_chain_walks_the_best_paths_only():
    chain = written(case(1), replace(CHAINS_CONFIG, keep_paths=1))
    assert chain["evidence"] == [digest("A treats B, B presents C")]


def test_a_template_chain_claims_nothing_of_its_own():
    row = case(1, ("A treats B, B presents C",))
    words = set(re.findall(r"\w+", written(row)["reasoning"].lower()))
    given = {"a", "b", "c", "treats", "presents", "1", "2"}
    frame = {"finding", "reasoning", "paths", "process", "conclusion", "dataset", "answer"}
    assert words <= given | frame


def test_a_template_chain_cites_edges_as_the_case_has_them():
    row = case(1)
    cited = [edge for each in written(row)["steps"] for edge in each["edges"]]
    held = [{key: edge[key] for key in ("edge_id", "src", "relation", "dst")} for edge in row["edges"]]
    assert [{key: edge[key] for key in held[0]} for edge in cited] == held


def test_the_reasoning_has_the_layout_of_medreason():
    assert written(case(1, ("A treats B, B presents C",)))["reasoning"].splitlines() == [
        "Finding reasoning paths:",
        "1. A treats B, B presents C",
        "",
        "Reasoning Process:",
        "1. A treats B.",
        "2. B presents C.",
        "",
        "Conclusion:",
        "Dataset answer: C",
    ]


def test_a_label_counts_for_the_first_path_that_holds_its_edge():
    row = case(1, ("A a B, B b C", "A x D, D a B, A a B, B f C"))
    cited = parsed(said("E1", "E5"), row)["steps"][0]["edges"]
    assert [(edge["path_id"], edge["hop"]) for edge in cited] == [
        (digest("A a B, B b C"), 0),
        (digest("A x D, D a B, A a B, B f C"), 3),
    ]


def test_a_step_cannot_pose_as_a_heading():
    assert parsed(said("E1", text="x\nConclusion:\ny"), case(1))["reasoning"].count("\nConclusion:\n") == 1


# Replies that are no chain


@pytest.mark.parametrize("label", ["E5", "E0", "E01", "e1", "E1 ", "treats", ""])
def test_a_label_that_was_not_shown_is_rejected(label):
    with pytest.raises(Rejected) as rejected:
        parsed(said("E1", label), case(1))
    assert rejected.value.reason is Reason.UNSHOWN_EDGE


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I cannot help with that.",
        '{"steps": [',
        "[]",
        '{"steps": [], "conclusion": "C."}',
        said(),
        said("E1", support="proof"),
        said("E1", text=""),
        said("E1", text="x" * 1001),
        said(*["E1"] * 9),
        said("E1")[:-1] + ', "more": 1}',
        json.dumps({"steps": json.loads(said("E1"))["steps"] * 41, "conclusion": "C."}),
        json.dumps({"steps": json.loads(said("E1"))["steps"]}),
    ],
)
def test_a_reply_of_another_form_is_rejected(reply):
    with pytest.raises(Rejected) as rejected:
        parsed(reply, case(1))
    assert rejected.value.reason is Reason.NOT_A_REPLY


# The ledger


def reply_row(request: int, reply: str | None = "r", error: str | None = None, stage: str = "s") -> dict:
    row = dict.fromkeys(REPLIES.schema.names)
    return row | {"request_id": f"{request:064x}", "stage": stage, "reply": reply, "error": error}


def ledger_of(root: Path, *commits: list[dict]) -> Ledger:
    ledger = Ledger(str(root / "replies"))
    ledger.create()
    for rows in commits:
        ledger.append(pa.Table.from_pylist(rows, REPLIES.schema))
    return ledger


def ids(*requests: int) -> list[str]:
    return [f"{request:064x}" for request in requests]


def test_a_ledger_that_is_not_there_knows_nothing(tmp_path):
    known = Ledger(str(tmp_path / "replies")).read("s")
    assert (known.known(ids(1, 2)).tolist(), known.replies([]).num_rows) == ([False, False], 0)


def test_a_ledger_knows_what_its_stage_asked(tmp_path):
    known = ledger_of(tmp_path, [reply_row(1), reply_row(2, stage="t")], [reply_row(3)]).read("s")
    assert known.known(ids(3, 2, 1, 4)).tolist() == [True, False, True, False]


def test_replies_come_in_the_order_asked_for(tmp_path):
    ledger = ledger_of(tmp_path, *([reply_row(n, f"r{n}") for n in range(k, 30, 3)] for k in range(3)))
    wanted = [17, 2, 29, 2, 0, 16]
    assert ledger.read("s").replies(ids(*wanted))["reply"].to_pylist() == [f"r{n}" for n in wanted]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_of_several_rows_of_an_id_the_smallest_answer_counts(tmp_path, order):
    rows = [reply_row(1, None, "A"), reply_row(1, "b"), reply_row(1, "a"), reply_row(1, None, "B")]
    known = ledger_of(tmp_path, *([rows[n], reply_row(n + 10)] for n in order)).read("s")
    assert (len(known), known.replies(ids(1))["reply"].to_pylist()) == (5, ["a"])


def test_a_failure_is_known_unless_it_is_to_be_tried_again(tmp_path):
    known = ledger_of(tmp_path, [reply_row(1), reply_row(2, None, "E")]).read("s")
    masks = [known.known(ids(1, 2, 3), retry=retry).tolist() for retry in ("none", "failed")]
    assert masks == [[True, True, False], [True, False, False]]


def test_a_ledger_is_read_on_from_where_it_was_read(tmp_path):
    ledger = ledger_of(tmp_path, [reply_row(1)], [reply_row(2, stage="t")])
    read = ledger.read("s").pieces["uri"].to_pylist()
    ledger.append(pa.Table.from_pylist([reply_row(3)], REPLIES.schema))
    assert ledger.read("s", skip=read).known(ids(1, 3)).tolist() == [False, True]


def test_a_ledger_reads_the_same_when_compacted(tmp_path):
    ledger = ledger_of(tmp_path, *([reply_row(n, f"r{n}")] for n in range(6)))
    DeltaTable(str(tmp_path / "replies")).optimize.compact()
    assert ledger.read("s").replies(ids(4, 1))["reply"].to_pylist() == ["r4", "r1"]


def test_commits_of_the_ledger_carry_its_schema_version(tmp_path):
    ledger_of(tmp_path, [reply_row(1)])
    lake = Lake(Config(lake=LakeConfig(root=str(tmp_path))))
    assert lake.checked("replies", reader="a test").schema_version == REPLIES.version


# Replies on their way into the ledger


class CountingLedger:
    """Takes rows slowly, and remembers the sizes of its commits."""

    def __init__(self, error: Exception | None = None) -> None:
        self.commits: list[int] = []
        self._error = error

    def append(self, rows: pa.Table) -> None:
        time.sleep(0.01)
        if self._error:
            raise self._error
        self.commits.append(len(rows))


async def written_through(writer: BlockWriter, rows: int, seen: list[int], ledger: CountingLedger) -> None:
    started = 0

    async def one(number: int) -> None:
        nonlocal started
        await writer.reserve()
        started += 1
        seen.append(started - sum(ledger.commits))
        await writer.put(reply_row(number))

    writer.expect(rows)
    await asyncio.gather(*(one(number) for number in range(rows)))


def test_no_more_replies_are_uncommitted_than_a_kill_may_cost():
    ledger, seen = CountingLedger(), []
    asyncio.run(written_through(BlockWriter(ledger, 10, 3), 95, seen, ledger))
    assert (sum(ledger.commits), max(ledger.commits), max(seen) <= 13) == (95, 10, True)


def test_a_failed_commit_fails_everyone_who_waits_for_it():
    ledger = CountingLedger(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        asyncio.run(written_through(BlockWriter(ledger, 10, 3), 8, [], ledger))


# The whole step


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
        return ModelReply(reply=reply, finish_reason="stop") if reply else await super().ask(request)


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
    known = Ledger(str(lake / "replies")).read(write_chains.STAGE)
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


@pytest.mark.slow
def test_every_case_has_a_chain_and_a_verdict(unbroken):
    chains, verdicts = rows_of(unbroken.outcome, CHAINS), rows_of(unbroken.outcome, VERDICTS)
    found = (unbroken.outcome.units_in, len(chains), [row["chain_id"] for row in verdicts])
    assert found == (MANY, MANY, [row["chain_id"] for row in chains])


@pytest.mark.slow
def test_every_request_is_asked_once(unbroken):
    assert set(asked(unbroken.log).values()) == {1}


@pytest.mark.slow
def test_a_second_run_asks_nothing_and_writes_the_same(unbroken, many, tmp_path):
    again = generate(many, unbroken.lake, partial(logged, log=tmp_path / "log"))
    same = rows_of(again, CHAINS) == rows_of(unbroken.outcome, CHAINS)
    assert (asked(tmp_path / "log"), same) == (Counter(), True)


@pytest.mark.slow
def test_no_case_makes_empty_tables(ray_cluster, tmp_path):
    rows = ray.data.from_arrow(CASES.schema.empty_table())
    ledger = Ledger(str(tmp_path / "replies"))
    outcome = generate_chains.run(rows, ledger=ledger, engine=ENGINE, chains=CHAINS_CONFIG, batch_rows=8)
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


@pytest.mark.slow
def test_one_bad_row_is_one_reject(broken):
    assert rejected(broken.outcome) == {
        digest("case", "1"): "REQUEST_FAILED",
        digest("case", "2"): "NOT_A_REPLY",
        digest("case", "3"): "UNSHOWN_EDGE",
        digest("case", "5"): "NO_CHAIN",
    }


@pytest.mark.slow
def test_a_case_leaves_as_a_chain_or_as_a_reject(broken):
    chains = [row["question_id"] for row in rows_of(broken.outcome, CHAINS)]
    left = sorted([*chains, *rejected(broken.outcome)])
    assert (left, broken.outcome.units_in) == (sorted(digest("case", str(number)) for number in range(6)), 6)


@pytest.mark.slow
def test_failed_requests_are_asked_again_only_when_told(broken, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    kept = generate(broken.lake / "cases", broken.lake, partial(logged, log=first))
    retry = replace(ENGINE, retry="failed")
    mended = generate(broken.lake / "cases", broken.lake, partial(logged, log=second), retry)
    found = (kept.facts["failed"], asked(first).total(), mended.facts["failed"], asked(second).total())
    assert found == ("1", 0, "0", 1)


@pytest.mark.slow
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
    arguments = {"ledger": Ledger(lake.uri("replies")), "engine": ENGINE, "chains": CHAINS_CONFIG, "batch_rows": 8}
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


def start_and_kill(cases: Path, lake: Path, log: Path, behind: int) -> None:
    """Run the step in a process of its own with a slow engine, and kill it behind some commits."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.medreason_ray.test_generate_chains", cases, lake, log]
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
    before = len(Ledger(str(lake / "replies")).read(write_chains.STAGE))
    return Run(lake, log, generate(many, lake, partial(logged, log=log), KILLED)), before


@pytest.mark.slow
def test_a_killed_run_had_begun_and_not_ended(killed):
    assert 0 < killed[1] < MANY


@pytest.mark.slow
def test_a_killed_run_asks_again_no_more_than_what_was_not_committed(killed):
    counts = asked(killed[0].log)
    twice = sum(count - 1 for count in counts.values())
    allowed = KILLED.actors * (KILLED.commit_rows + KILLED.concurrency)
    assert (len(counts), max(counts.values()) <= 2, twice <= allowed) == (MANY, True, True)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_replies_of_an_unbroken_one(killed, unbroken):
    assert stable_replies(killed[0].lake) == stable_replies(unbroken.lake)


@pytest.mark.slow
@pytest.mark.parametrize("table", [CHAINS, VERDICTS], ids=lambda table: table.name)
def test_a_killed_run_ends_with_the_tables_of_an_unbroken_one(killed, unbroken, table):
    assert rows_of(killed[0].outcome, table) == rows_of(unbroken.outcome, table)


if __name__ == "__main__":
    from tests.medreason_ray import test_generate_chains as module  # the name that workers import it by

    _cases, _lake, _log = map(Path, sys.argv[1:])
    start_ray(RayConfig(num_cpus=4))
    module.generate(_cases, _lake, partial(module.logged, log=_log, delay_s=0.02), KILLED)
