"""A lake at the versions of one run -> what became of each question there, in digests: about 1 kB a question.

Each part of a question's way (its links, its paths, who wrote by which prompt …) becomes one digest, made from text that
delta-rs puts together in order, so that two runs are compared without holding their tables. The few rows that a person
looks at are read whole (`details`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deltalake.exceptions import DeltaError

from conf.lake import Lake
from conf.outcome import ContractError
from conf.tables import RELEASE, TABLES
from medreason_ray.review.sql import ask, select

# Of the release, what differs between two runs that say the same.
_APART = {"kg_version"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Where and why a question left the pipeline."""

    step: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What one run did with a question."""

    row: Mapping[str, str] | None = None
    """The released row, a digest a column; None where it was not released."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """A digest for each part of the way that the question reached, by its name in PARTS."""
    closed: Closed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a question's way: which tables tell of it, and the query that gives (question_id, text)."""

    name: str
    what: str
    tables: tuple[str, ...]
    query: str


PARTS = (
    Part(
        name="question",
        what="the question's options, answer or kind",
        tables=("questions",),
        query="""
            select q.question_id, concat_ws('|', q.answer_key, q.answer, q.answer_kind, o.texts)
            from questions q left join (
                select question_id, string_agg(concat_ws('=', o['key'], o['text']), '|' order by o['key']) texts
                from (select question_id, unnest(options) o from questions) group by question_id
            ) o on q.question_id = o.question_id where q.role = 'work'""",
    ),
    Part(
        name="links",
        what="the nodes that question, answer and options link to",
        tables=("links",),
        query="""
            select question_id, string_agg(link, ' ' order by link) from (
                select question_id, concat_ws('|', side, option_key, node_id) link from links
            ) group by question_id""",
    ),
    Part(
        name="graph",
        what="the version of the graph",
        tables=("cases",),
        query="select question_id, kg_version from cases",
    ),
    Part(
        name="paths",
        what="the paths and edges that a writer is shown",
        tables=("cases",),
        query="""
            select question_id, string_agg(id, ' ' order by id) from (
                select question_id, p['path_id'] id from (
                    select question_id, unnest(pair['paths']) p from (select question_id, unnest(pairs) pair from cases))
                union all
                select question_id, e['edge_id'] id from (select question_id, unnest(edges) e from cases)
            ) group by question_id""",
    ),
    Part(
        name="prompt",
        what="the prompt that chains were written by",
        tables=("chains",),
        query="""select question_id, string_agg(distinct prompt_hash, ' ' order by prompt_hash)
            from chains where arm = 'answer' group by question_id""",
    ),
    Part(
        name="model",
        what="the model that wrote",
        tables=("chains",),
        query="""select question_id, string_agg(distinct model, ' ' order by model)
            from chains where arm = 'answer' group by question_id""",
    ),
    Part(
        name="text",
        what="the chains' text",
        tables=("chains",),
        query="""select question_id, string_agg(reasoning, '|' order by sample, reasoning)
            from chains where arm = 'answer' group by question_id""",
    ),
    Part(
        name="verdict",
        what="what blind answering said",
        tables=("verdicts", "chains"),
        query="""
            select question_id, string_agg(verdict, ' ' order by verdict) from (
                select c.question_id, concat_ws('|', cast(c.sample as varchar), c.arm, v.arm, v.method, v.answer_key,
                    cast(v.agrees as varchar)) verdict
                from verdicts v join chains c on v.chain_id = c.chain_id
            ) group by question_id""",
    ),
    Part(
        name="checks",
        what="what checking without a model found",
        tables=("checks",),
        query="""select question_id, string_agg(array_to_string(flags, ' '), '|' order by array_to_string(flags, ' '))
            from checks where arm = 'answer' group by question_id""",
    ),
)
"""In the order of the flow: of several that differ the first is the likeliest cause of the others."""


def fates(lake: Lake) -> dict[str, Fate]:
    """What became of every question of role work, by question_id.

    Raises:
        ContractError: there is no table `questions`, or a version's files are gone.
    """
    if lake.open("questions") is None:
        raise ContractError(f"there is no table 'questions' in {lake.root}: is it a lake?")
    asked = [str(row[0]) for row in _ask(lake, ("questions",), "select question_id from questions where role = 'work'")]
    parts: dict[str, dict[str, str]] = {each: {} for each in asked}
    for part in PARTS:
        if all(lake.open(name) is not None for name in part.tables):
            for question, text in _ask(lake, part.tables, part.query):
                if question in parts:
                    parts[question][part.name] = _digest(text)
    released = _released(lake)
    closed = _closed(lake)
    return {each: Fate(row=released.get(each), parts=parts[each], closed=closed.get(each)) for each in asked}


def released_columns(lake: Lake) -> set[str]:
    """The columns of `release` that are compared, as far as this lake has them."""
    found = lake.open("release")
    names = {each.name for each in found.schema().fields} if found is not None else set()
    return (names & set(RELEASE.stable_columns)) - _APART


def details(lake: Lake, questions: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For the questions given all that a person compares: text, links, paths, the chain, verdicts."""
    if not questions:
        return {}
    some = ", ".join("'" + each.replace("'", "''") + "'" for each in questions)
    found: dict[str, dict[str, Any]] = {each: {} for each in questions}
    for name, tables, many, query in _DETAILS:
        if not all(lake.open(table) is not None for table in tables):
            continue
        for row in _rows(lake, tables, query.format(some=some)):
            into = found[row.pop("question_id")]
            if many:
                into.setdefault(name, []).append(row)
            else:
                into.setdefault(name, row)
    return found


_DETAILS = (
    (
        "question",
        ("questions",),
        False,
        "select question_id, dataset, question, answer_key, answer from questions where question_id in ({some})",
    ),
    (
        "links",
        ("links",),
        True,
        """select question_id, side, option_key, mention, node_id from links where question_id in ({some})
           order by side, option_key, mention, node_id""",
    ),
    (
        "paths",
        ("cases",),
        True,
        """select question_id, pair['side'] side, p['text'] text from (
               select question_id, pair, unnest(pair['paths']) p from (
                   select question_id, unnest(pairs) pair from cases where question_id in ({some})))
           order by side, text""",
    ),
    (
        "chain",
        ("release",),
        False,
        "select question_id, reasoning, model, prompt_hash, tier, flags from release where question_id in ({some})",
    ),
    (
        "chain",
        ("chains",),
        False,
        """select question_id, reasoning, model, prompt_hash, '' tier, make_array() flags from chains
           where arm = 'answer' and question_id in ({some}) order by sample, chain_id""",
    ),
    (
        "verdicts",
        ("verdicts", "chains"),
        True,
        """select c.question_id, v.arm, v.method, v.answer_key, v.agrees from verdicts v
           join chains c on v.chain_id = c.chain_id where c.question_id in ({some}) order by c.sample, v.arm""",
    ),
)
"""Name, tables, whether many rows a question, query; of a name that stands twice the first that has a row counts."""


def _released(lake: Lake) -> dict[str, dict[str, str]]:
    columns = sorted(released_columns(lake))
    if not columns:
        return {}
    names = ", ".join(f'"{name}"' for name in columns)
    rows = _rows(lake, ("release",), f"select {names} from release")  # noqa: S608  our own names
    return {row["question_id"]: {name: _digest(value) for name, value in row.items()} for row in rows}


def _closed(lake: Lake) -> dict[str, Closed]:
    if lake.open("rejects") is None:
        return {}
    query = "select key, step, reason, detail from rejects where entity = 'question' order by key, step"
    found = _ask(lake, ("rejects",), query)
    return {str(key): Closed(step=str(at), reason=str(why), detail=str(said or "")) for key, at, why, said in found}


@contextmanager
def _at_the_run_s_version(lake: Lake, tables: Sequence[str]) -> Iterator[None]:
    """Say of files that are gone what to do."""
    try:
        yield
    except Exception as error:
        # What reads for delta-rs (arro3) raises Exception itself where a file is not there.
        if not isinstance(error, DeltaError | OSError) and type(error) is not Exception:
            raise
        first = " ".join(str(error).split())[:200]
        raise ContractError(
            f"{', '.join(tables)} in {lake.root} cannot be read at the run's version ({first}): files that VACUUM removed"
            " are gone; give the lake in place of the run to compare it as it is now"
        ) from error


def _ask(lake: Lake, tables: Sequence[str], query: str) -> list[tuple[Any, ...]]:
    with _at_the_run_s_version(lake, tables):
        return ask(lake, tables, query)


def _rows(lake: Lake, tables: Sequence[str], query: str) -> Iterator[dict[str, Any]]:
    with _at_the_run_s_version(lake, tables):
        found = select(lake, tables, query)
    for batch in found.to_batches():
        yield from batch.to_pylist()


def _digest(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


assert {name for part in PARTS for name in part.tables} <= set(TABLES)
