"""A probe is chosen by its rows, counted by the ledger, and says how sure it is."""

from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest
import ray

from conf.config import ChainsConfig, EngineConfig, PlanConfig, VerifyConfig
from conf.identity import digest
from conf.tables import CASES
from medreason_ray.engines.template import TemplateEngine
from medreason_ray.estimate import estimate
from medreason_ray.ledger import Ledger
from medreason_ray.plan import choose, count_open, only, used
from medreason_ray.stages import generate_chains
from tests.medreason_ray.drawn import case

IDS = [digest("case", str(number)) for number in range(1000)]
ENGINE = EngineConfig(concurrency=4, actors=2, price_in=1.0, price_out=10.0, price_hour=2.0)
# requests, tokens in, tokens out, seconds, failed
ALIKE = np.array([[3.0, 1000.0, 200.0, 8.0, 0.0]] * 20)


def figures(used_by: np.ndarray, cases: int, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    return {each.name: (each.low, each.value, each.high) for each in estimate(used_by, cases, ENGINE, seed)}


def test_a_probe_is_the_same_whatever_the_order_of_the_cases():
    mixed = Random(0).sample(IDS, len(IDS))
    assert choose(mixed, PlanConfig(share=0.05)) == choose(IDS, PlanConfig(share=0.05))


def test_a_larger_probe_holds_the_smaller_one_and_another_seed_chooses_others():
    small, large = choose(IDS, PlanConfig(share=0.01)), choose(IDS, PlanConfig(share=0.1))
    other = choose(IDS, PlanConfig(share=0.1, seed=1))
    assert (len(small), len(large), set(small) <= set(large), len({*large, *other}) > 150) == (20, 100, True, True)


def test_cases_that_are_alike_leave_no_doubt():
    found = figures(ALIKE, cases=9000)
    # 8 s of requests, four at a time, are 2 s of an engine: 9,000 cases are 5 hours, on two actors 2.5.
    expected = {"tokens_out_per_s": 100, "requests": 27000, "engine_hours": 5, "wall_hours": 2.5, "money": 9 + 18 + 10}
    assert {name: found[name] for name in expected} == {
        name: pytest.approx((each, each, each)) for name, each in expected.items()
    }


def test_an_interval_holds_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0)
    held = 0
    for seed in range(60):
        tokens = draws.gamma(2.0, 100.0, 100)
        low, _, high = figures(np.stack([tokens] * 5, axis=1), 1, seed)["tokens_out_per_case"]
        held += low <= 200 <= high
    assert held >= 53


@pytest.mark.slow
def test_the_ledger_says_what_each_case_used_and_which_are_open(ray_cluster, tmp_path: Path):
    cases = ray.data.from_arrow(pa.Table.from_pylist([case(number) for number in range(30)], CASES.schema))
    ledger, engine = Ledger(str(tmp_path / "replies")), EngineConfig(actors=1)
    [whole] = generate_chains.passes(engine, ChainsConfig(), VerifyConfig())
    probe = only(cases, IDS[:10])
    known = [generate_chains.ask(probe, whole, ledger=ledger, batch_rows=8).known]
    taken = used(probe, whole.converse, known, whole.stages)
    still = count_open(cases, whole.converse, known, retry="none", batch_rows=8)
    assert (taken[:, :3].tolist(), still) == ([[1, 0, 0]] * 10, 20)


@pytest.mark.slow
def test_writer_and_judge_are_counted_apart(ray_cluster, tmp_path: Path):
    cases = ray.data.from_arrow(pa.Table.from_pylist([case(number) for number in range(12)], CASES.schema))
    ledger, judge = Ledger(str(tmp_path / "replies")), EngineConfig(name="http", model="judge", actors=1)
    probe, known, found = only(cases, IDS[:4]), [], []
    for each in generate_chains.passes(EngineConfig(actors=1), ChainsConfig(), VerifyConfig(arms=["chain"]), judge):
        asked = generate_chains.ask(probe, each, ledger=ledger, batch_rows=4, open_engine=by_rule, given=known)
        known.append(asked.known)
        still = count_open(cases, each.converse, known, retry="none", batch_rows=4)
        found.append((used(probe, each.converse, known, each.stages)[:, 0].tolist(), still))
    assert found == [([1] * 4, 8), ([1] * 4, 8)]


def by_rule(_: EngineConfig) -> TemplateEngine:
    return TemplateEngine()
