"""Of more cases than are needed the first are asked about, in an order of their own; the others are closed."""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from conf.tables import CHAINS
from tests.medreason_ray.drawn import case
from tests.medreason_ray.generating import CHAINS_CONFIG, asked, generate, logged, put_cases, rejected, rows_of

pytestmark = pytest.mark.slow

ROWS = [case(number) for number in range(20)]
IN_TURN = sorted((row["question_id"] for row in ROWS), key=lambda each: hashlib.sha256(each.encode()).hexdigest())


@pytest.mark.usefixtures("ray_cluster")
def test_more_cases_are_the_same_and_the_next_ones_and_only_these_are_asked_about(tmp_path: Path) -> None:
    cases, requests = put_cases(tmp_path / "cases", ROWS, files=3), []
    for count in (5, 8, 5):
        log = tmp_path / f"log-{len(requests)}"
        taking = replace(CHAINS_CONFIG, first_cases=count)
        found = generate(cases, tmp_path, partial(logged, log=log), chains=taking)
        requests.append(asked(log).total())
        written = {row["question_id"] for row in rows_of(found, CHAINS)}
        assert (written, found.units_in, found.facts["taken"]) == (set(IN_TURN[:count]), 20, str(count))
        assert rejected(found) == dict.fromkeys(IN_TURN[count:], "NOT_NEEDED")
    assert requests == [5, 3, 0]
