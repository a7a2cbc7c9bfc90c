"""A judge of its own is asked in a pass of its own: of no more than is its, when the writer's engine is closed, once."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from conf.config import EngineConfig, RayConfig
from conf.outcome import ConfigError
from conf.tables import CHAINS, VERDICTS
from medreason_ray.engines.request import ModelReply
from medreason_ray.engines.template import TemplateEngine
from medreason_ray.session import start_ray
from tests.medreason_ray.drawn import case
from tests.medreason_ray.generating import generate, logged, put_cases, rows_of
from tests.medreason_ray.killing import start_and_kill

pytestmark = pytest.mark.slow

WRITER = EngineConfig(name="http", model="writer", actors=1, concurrency=16, commit_rows=25)
JUDGE = replace(WRITER, model="judge")
CASES = 150


class Noting(TemplateEngine):
    """Answers by rule; of opening, closing and each request there is a line in the log."""

    def __init__(self, log: Path, who: str, failing: str) -> None:
        self._log, self._who, self._failing = log, who, failing
        self._note("opened")

    async def ask(self, request) -> ModelReply:
        self._note(f"{request.stage} {request.request_id}")
        if request.stage == self._failing:
            raise ConnectionError("the endpoint is gone")
        return await super().ask(request)

    def close(self) -> None:
        self._note("closed")

    def _note(self, what: str) -> None:
        with self._log.open("a") as file:
            file.write(f"{self._who} {what}\n")


def noting(config: EngineConfig, *, log: Path, failing: str = "") -> Noting:
    return Noting(log, config.model, failing)


@dataclass
class Lines:
    """What a log says."""

    log: Path

    def seen(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def passes(self) -> list[list[str]]:
        return [each for each in self.seen() if len(each) == 2]

    def asked(self, who: str) -> Counter:
        return Counter(each[2] for each in self.seen() if len(each) == 3 and each[0] == who)

    def stages(self, who: str) -> set[str]:
        return {each[1] for each in self.seen() if len(each) == 3 and each[0] == who}


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> Path:
    rows = [case(number, answer="C disease") for number in range(CASES)]
    return put_cases(tmp_path_factory.mktemp("judged") / "cases", rows, files=2)


@pytest.fixture(scope="module")
def judged(ray_cluster, cases, tmp_path_factory):
    lake = tmp_path_factory.mktemp("judged")
    outcome = generate(cases, lake, partial(noting, log=lake / "log"), WRITER, JUDGE)
    return lake, Lines(lake / "log"), outcome


def test_the_judge_s_engine_is_opened_when_the_writer_s_is_closed(judged):
    assert judged[1].passes()[:3] == [["writer", "opened"], ["writer", "closed"], ["judge", "opened"]]


def test_each_is_asked_what_is_its(judged):
    lines = judged[1]
    assert lines.stages("writer") == {"prune_paths", "write_chains"}
    assert lines.stages("judge") == {"answer_blind"}


def test_each_request_is_asked_once(judged):
    lines = judged[1]
    counts = lines.asked("writer") + lines.asked("judge")
    # Which paths, a chain; the question alone, with the chain, which names no answer, so that masked it is the same.
    assert (len(counts), set(counts.values())) == (4 * CASES, {1})


def test_every_verdict_is_the_judge_s(judged):
    verdicts = rows_of(judged[2], VERDICTS)
    assert Counter((row["arm"], row["judge_model"], row["same_model"]) for row in verdicts) == {
        (arm, "http/judge", False): CASES for arm in ("closed_book", "chain", "masked")
    }


def test_a_second_run_opens_no_engine_and_writes_the_same(judged, cases, tmp_path):
    lake, _, first = judged
    again = generate(cases, lake, partial(noting, log=tmp_path / "log"), WRITER, JUDGE)
    assert Lines(tmp_path / "log").seen() == []
    assert [rows_of(again, table) for table in (CHAINS, VERDICTS)] == [
        rows_of(first, table) for table in (CHAINS, VERDICTS)
    ]


def test_another_judge_asks_no_chain_again(judged, cases, tmp_path):
    lake, log = judged[0], Lines(tmp_path / "log")
    verdicts = rows_of(
        generate(cases, lake, partial(noting, log=log.log), WRITER, replace(JUDGE, model="other")), VERDICTS
    )
    assert (log.stages("writer"), {row["judge_model"] for row in verdicts}) == (set(), {"http/other"})


def test_failed_blind_answers_are_asked_again_of_the_judge_and_no_chain_of_it(ray_cluster, tmp_path):
    """With retry the judge's failures are not known; the writer's are, or the judge would be asked to write."""
    rows = put_cases(tmp_path / "cases", [case(number) for number in range(8)])
    retry = replace(JUDGE, retry="failed")
    run = partial(generate, rows, tmp_path)
    logs = [Lines(tmp_path / name) for name in ("first", "second", "third")]
    first = run(partial(noting, log=logs[0].log, failing="answer_blind"), WRITER, JUDGE)
    second = run(partial(noting, log=logs[1].log), WRITER, retry)
    assert ([each.facts["failed"] for each in (first, second)], logs[1].stages("judge")) == (
        ["24", "0"],
        {"answer_blind"},
    )
    lost = run(partial(noting, log=logs[2].log, failing="prune_paths"), replace(WRITER, model="third"), retry)
    assert (lost.facts["failed"], logs[2].stages("judge")) == ("8", set())


def test_a_judge_without_a_model_is_one_line_that_names_its_key(ray_cluster, tmp_path):
    rows = put_cases(tmp_path / "cases", [case(1)])
    with pytest.raises(ConfigError, match=r"^judge\.model must be given for judge\.name=http$"):
        generate(rows, tmp_path, noting, WRITER, replace(JUDGE, model=""))


# Killed in the second pass


def judge_slowly(cases: str, lake: str, log: str) -> None:
    """The step on a Ray of its own; what is killed."""
    start_ray(RayConfig(num_cpus=3))
    generate(Path(cases), Path(lake), partial(_slow, log=Path(log)), WRITER, JUDGE)


def _slow(config: EngineConfig, *, log: Path):
    return logged(config, log=log.with_name(config.model), delay_s=0.1 if config.model == "judge" else 0.0)


def _lines(log: Path) -> int:
    return len(log.read_text().split()) if log.exists() else 0


@pytest.fixture(scope="module")
def killed(ray_cluster, cases, tmp_path_factory):
    """A run killed while the judge is asked and then run to the end; with the log of what was asked before and after."""
    lake = tmp_path_factory.mktemp("killed")
    start_and_kill(judge_slowly, cases, lake, lake / "log", until=lambda: _lines(lake / "judge") > CASES)
    before = Counter((lake / "judge").read_text().split())
    outcome = generate(cases, lake, partial(noting, log=lake / "after"), WRITER, JUDGE)
    return before, Lines(lake / "after"), outcome


def test_a_run_killed_while_the_judge_is_asked_asks_the_writer_nothing_again(killed):
    before, after, _ = killed
    assert (CASES < len(before) < 2 * CASES, after.passes()[0], after.stages("writer")) == (
        True,
        ["judge", "opened"],
        set(),
    )


def test_it_asks_the_judge_again_no_more_than_what_was_not_committed(killed):
    before, after, _ = killed
    both = before + after.asked("judge")
    assert (len(both), max(both.values()) <= 2) == (2 * CASES, True)
    assert both.total() - len(both) <= JUDGE.commit_rows + JUDGE.concurrency


def test_it_ends_with_the_tables_of_an_unbroken_one(killed, judged):
    assert [rows_of(killed[2], table) for table in (CHAINS, VERDICTS)] == [
        rows_of(judged[2], table) for table in (CHAINS, VERDICTS)
    ]
