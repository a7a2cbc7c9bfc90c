"""Every case leaves once, a request is asked once, and a killed run ends like an unbroken one."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import ray
from deltalake import CommitProperties, write_deltalake

from conf.config import ChainsConfig, Config, EngineConfig, LakeConfig
from conf.flow import step
from conf.identity import digest
from conf.lake import Lake, user_metadata
from conf.outcome import ConfigError
from conf.tables import CASES, CHAINS, VERDICTS
from medreason_ray.asker import EngineGone, TooManyFailures
from medreason_ray.engines.choice import open_engine
from medreason_ray.ledger import Ledger
from medreason_ray.stages import generate_chains
from medreason_ray.store import RayStore
from tests.medreason_ray.drawn import case, said
from tests.medreason_ray.generating import (
    CHAINS_CONFIG,
    ENGINE,
    MANY,
    VERIFY,
    Run,
    asked,
    generate,
    logged,
    put_cases,
    put_graph,
    rejected,
    rows_of,
    stable_replies,
)

pytestmark = pytest.mark.slow


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
    assert (outcome.units_in, rows_of(outcome, CHAINS), len(outcome.rejects)) == (0, [], 0)


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
        broken_at(tmp_path, bad, rows, replace(ENGINE, actors=2, max_failed_share=0.3))
    kept = stable_replies(tmp_path)
    assert any(row["error"] is None for row in kept)
    assert len(asked(tmp_path / "log")) == len(kept) < len(rows)


def test_an_engine_that_cannot_be_opened_is_one_line_for_the_user(ray_cluster, tmp_path):
    put_cases(tmp_path / "cases", [case(1)])
    engine = EngineConfig(name="vllm", model="nowhere/model", tokenizer="", actors=1)
    with pytest.raises(ConfigError, match="engine"):
        generate(tmp_path / "cases", tmp_path, open_engine, engine)


def test_a_model_that_cannot_read_beside_the_longest_chain_is_refused_before_anything_is_asked():
    engine = EngineConfig(name="http", model="m", max_model_len=4096)
    with pytest.raises(ConfigError, match=r"max_model_len=4096.*chains.max_steps"):
        generate_chains.passes(engine, ChainsConfig(), VERIFY)


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
    put_graph(str(tmp_path))
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
