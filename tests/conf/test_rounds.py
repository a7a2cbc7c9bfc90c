"""The rounds of a target end at the same cases whatever was run before, take fewer than twice those needed, and are found."""

import hashlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf import rounds
from conf.config import ChainsConfig, Config, ReleaseConfig
from conf.fingerprint import fingerprint
from conf.flow import step, writer
from conf.lake import Commit
from conf.outcome import ConfigError


@dataclass
class DrawnLake:
    """The commits of a lake, and the steps of a round over cases that pass or don't, in the order of their turns."""

    passes: list[bool]
    commits: dict[str, Commit] = field(default_factory=dict)

    def commit(self, table: str) -> Commit | None:
        return self.commits.get(table)

    def checked(self, table: str, *, reader: str) -> Commit:
        del reader
        given = Commit(version=0, rows=len(self.passes), step="", fingerprint=table, schema_version=1)
        return self.commits.get(table, given)

    def run(self, config: Config, name: str) -> None:
        """One step as its job runs it; nothing where a table that it reads is not there."""
        each, facts = step(name), {}
        if name == "generate_chains":
            config = rounds.of_round(self, config)
            facts = {"taken": str(config.chains.first_cases or len(self.passes))}
        elif not {table for table in each.reads if writer(table).name in rounds.STEPS} <= self.commits.keys():
            return
        elif name == "assemble_release" and config.release.target_rows:
            taken = self.commits["chains"].facts["taken"]
            facts = {"taken": taken, "passed": str(sum(self.passes[: int(taken)]))}
        made = fingerprint(each, config, {table: self.checked(table, reader="").fingerprint for table in each.reads})
        commit = Commit(version=0, rows=0, step=name, fingerprint=made, schema_version=1, facts=facts)
        self.commits |= dict.fromkeys(each.writes, commit)

    def finish(self, config: Config) -> list[int]:
        """The rounds until none is needed, as the pipeline runs them: the cases of each."""
        taken = []
        while True:
            for name in rounds.STEPS:
                self.run(config, name)
            taken.append(int(self.commits["chains"].facts["taken"]))
            if not rounds.progress(self, config).open:
                return taken


def wanting(target: int) -> Config:
    return Config(release=ReleaseConfig(target_rows=target))


CASES = st.lists(st.booleans(), min_size=1, max_size=300)
TARGETS = st.integers(min_value=1, max_value=200)
# Few, so that steps of one target meet the tables of another.
FEW = st.integers(min_value=1, max_value=4)
# Rounds, rounds that were killed, and single jobs.
JOBS = st.sampled_from([rounds.STEPS[:1], rounds.STEPS[:2], rounds.STEPS, rounds.STEPS[1:], rounds.STEPS[2:]])


@settings(deadline=None, max_examples=300)
@given(CASES, FEW, st.lists(st.tuples(st.integers(0, 4), JOBS), max_size=8))
def test_the_last_round_is_the_same_whatever_was_run_or_killed_before(passes, target, before):
    lake, fresh = DrawnLake(passes), DrawnLake(passes)
    for other, names in before:
        for name in names:
            lake.run(wanting(other), name)
    lake.finish(wanting(target))
    fresh.finish(wanting(target))
    assert lake.commits == fresh.commits


@settings(deadline=None)
@given(CASES, TARGETS)
def test_a_target_that_was_reached_is_found_again_and_nothing_changes(passes, target):
    lake = DrawnLake(passes)
    lake.finish(wanting(target))
    reached = dict(lake.commits)
    assert (lake.finish(wanting(target)), lake.commits) == ([int(reached["chains"].facts["taken"])], reached)


@settings(deadline=None)
@given(CASES, TARGETS)
def test_the_rounds_end_with_the_target_or_with_the_cases_and_take_fewer_than_twice_those_needed(passes, target):
    taken = DrawnLake(passes).finish(wanting(target))
    reached = [number for number in range(1, len(passes) + 1) if sum(passes[:number]) >= target]
    needed = reached[0] if reached else len(passes)
    assert taken == sorted(set(taken))
    assert needed <= taken[-1] < 2 * needed + (needed == 1)


@pytest.mark.parametrize(("share", "most", "beyond"), [(0.9, 2, 0.01), (0.6, 2, 0.003), (0.15, 4, 0.021)])
def test_ten_thousand_rows_take_few_rounds_and_few_cases_too_many(share, most, beyond):
    draws = (hashlib.sha256(str(number).encode()).digest() for number in range(200_000))
    passes = [draw[0] < 256 * share for draw in draws]
    taken = DrawnLake(passes).finish(wanting(10_000))
    assert len(taken) <= most
    assert 10_000 <= sum(passes[: taken[-1]]) <= 10_000 * (1 + beyond)


def test_a_number_of_cases_beside_a_target_is_refused():
    config = Config(release=ReleaseConfig(target_rows=2), chains=ChainsConfig(first_cases=3))
    with pytest.raises(ConfigError, match=r"chains.first_cases and release.target_rows"):
        rounds.of_round(DrawnLake([True]), config)
