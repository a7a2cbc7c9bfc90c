"""The lake -> the funnel: how many questions came in, where each one left and why, in plain counts.

Read with delta-rs alone, so that it can be asked for at any time, on any machine, without a JVM.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from conf.lake import Lake
from conf.outcome import ContractError
from medreason_ray.review import arms
from medreason_ray.review.sql import ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of the funnel."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


_LENGTH = """case when length(mention) <= 3 then '1-3' when length(mention) <= 6 then '4-6'
    when length(mention) <= 12 then '7-12' else '13 or more' end"""

_QUERIES: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        "questions by kind of answer",
        ("kind", "questions"),
        ("questions",),
        "select answer_kind, count(*) n from questions where role = 'work' group by answer_kind order by n desc, 1",
    ),
    (
        "questions by flag",
        ("flag", "questions"),
        ("questions",),
        """select flag, count(*) n from (select unnest(flags) flag from questions where role = 'work')
           group by flag order by n desc, 1""",
    ),
    (
        "links by side, method and length of the name",
        ("side", "method", "characters", "links"),
        ("links",),
        f"select side, method, {_LENGTH} size, count(*) n from links group by side, method, size order by 1, 2, 3",  # noqa: S608
    ),
    (
        "pairs by hops of the shortest path",
        ("side", "hops", "pairs"),
        ("paths",),
        """select side, cast(hops as varchar), count(*) n from (select side, paths[1]['hops'] hops from paths)
           group by side, hops order by 1, 2""",
    ),
    (
        "pairs without a path",
        ("reason", "pairs"),
        ("rejects",),
        "select reason, count(*) n from rejects where entity = 'pair' group by reason order by n desc, 1",
    ),
    (
        "questions closed, by step and reason",
        ("step", "reason", "what it means", "questions"),
        ("rejects",),
        """select step, reason, meaning, count(*) n from rejects where entity = 'question'
           group by step, reason, meaning order by 1, n desc, 2""",
    ),
    (
        "blind answers by arm",
        ("arm", "method", "right", "wrong", "not judged"),
        ("verdicts",),
        """select arm, method, sum(case when agrees then 1 else 0 end), sum(case when not agrees then 1 else 0 end),
           sum(case when agrees is null then 1 else 0 end) from verdicts group by arm, method order by 1, 2""",
    ),
    (
        "raw lines, mentions and chains rejected",
        ("step", "entity", "reason", "n"),
        ("rejects",),
        """select step, entity, reason, count(*) n from rejects where entity in ('row', 'mention', 'chain')
           group by step, entity, reason order by 1, 2, n desc""",
    ),
)


def funnel(lake: Lake) -> list[Section]:
    """Every section whose tables are there; the first is the way of the questions."""
    sections = [Section(title="questions", columns=("step", "questions"), rows=tuple(_way(lake)))]
    for title, columns, tables, query in _QUERIES:
        if all(lake.commit(name) is not None for name in tables):
            rows = ask(lake, tables, query)
            sections.append(Section(title=title, columns=columns, rows=tuple(rows)))
    return [*sections, *_contamination(lake)]


def _contamination(lake: Lake) -> Iterator[Section]:
    """What screening found of benchmarks, by rule; the rule of any shared 8-gram beside it. None where none was compared."""
    commit = lake.commit("screened")
    told = commit.facts.get("contamination") if commit is not None else None
    if told is not None:
        rows = tuple(tuple(row) for row in json.loads(told))
        yield Section(title="questions that repeat a benchmark", columns=("benchmark", "rule", "questions"), rows=rows)


def arms_sections(lake: Lake) -> list[Section]:
    """What the blind answers show, the questions being those with a chain; nothing where nobody was asked.

    Apart from the funnel, whose rows are words and counts: of two runs those are set side by side, and shares never meet.
    """
    found = arms.measure(lake)
    if not found.rates:
        return []
    rates = [
        (each.title, each.hits, each.of, f"{each.share:.3f}", f"{each.low:.3f} to {each.high:.3f}")
        for each in found.rates
    ]
    pairs = [(each.title, each.only_first, each.only_second, f"{each.p:.3g}") for each in found.pairs]
    return [
        Section(
            title="what blind answers show, one chain a question",
            columns=("measure", "questions", "of", "share", "95 % interval"),
            rows=tuple(rates),
        ),
        Section(
            title="the same questions by two arms (McNemar, exact)",
            columns=("first and second", "first alone", "second alone", "p"),
            rows=tuple(pairs),
        ),
        Section(title="what the filter is worth", columns=("finding",), rows=tuple((each,) for each in found.findings)),
    ]


def check_closed(lake: Lake) -> None:
    """Every question of role work is released or rejected, and not both, and no other is either.

    Raises:
        ContractError: the lake breaks the row law: some table in it was not written by the steps that follow it.
    """
    query = """
        select (select count(*) from questions where role = 'work') work,
               (select count(*) from release) released,
               (select count(*) from rejects where entity = 'question') closed,
               (select count(distinct id) from (
                   select q.question_id id from questions q join release r on q.question_id = r.question_id
                       where q.role = 'work'
                   union all
                   select q.question_id id from questions q join rejects j on q.question_id = j.key
                       where q.role = 'work' and j.entity = 'question')) accounted
    """
    work, released, closed, accounted = ask(lake, ("questions", "release", "rejects"), query)[0]
    if not (work == released + closed == accounted):  # type: ignore[operator]
        raise ContractError(
            f"the row law is broken in {lake.root}: {work} questions of role work, {released} released,"
            f" {closed} rejected, {accounted} of them accounted for; run run_pipeline again"
        )


def _way(lake: Lake) -> list[tuple[object, ...]]:
    """Questions after each step."""
    return [
        (title, *ask(lake, (table,), query)[0]) for _, title, table, query in _WAY if lake.commit(table) is not None
    ]


def numbers(lake: Lake) -> dict[str, float]:
    """The way of the questions and why they were closed, as metrics: funnel/STEP, funnel/closed_REASON."""
    found = {key: ask(lake, (table,), query)[0][0] for key, _, table, query in _WAY if lake.commit(table) is not None}
    if lake.commit("rejects") is not None:
        query = "select reason, count(*) n from rejects where entity = 'question' group by reason order by 1"
        found |= {f"closed_{reason}": n for reason, n in ask(lake, ("rejects",), query)}
    return {f"funnel/{name}": float(str(n)) for name, n in found.items()}


_LINKED = """select count(*) from (select question_id from links where side in ('question', 'answer')
    group by question_id having count(distinct side) = 2)"""


_WAY: tuple[tuple[str, str, str, str], ...] = (
    ("read", "read", "questions", "select count(*) from questions"),
    ("work", "of role work", "questions", "select count(*) from questions where role = 'work'"),
    ("linked", "with a link in question and answer", "links", _LINKED),
    ("screened", "screened", "screened", "select count(*) from screened"),
    ("with_path", "with a path to the answer", "cases", "select count(*) from cases"),
    ("with_chain", "with a chain", "chains", "select count(distinct question_id) from chains"),
    ("released", "released", "release", "select count(*) from release"),
    ("released_strict", "released, and strict", "release", "select count(*) from release where tier = 'strict'"),
)
"""Name of the metric, title, table, query."""
