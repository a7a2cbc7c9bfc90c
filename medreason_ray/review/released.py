"""release, questions, preference_pairs -> the tables of the card that tell of the released rows."""

import hashlib

from conf.lake import Lake
from conf.outcome import Flag, Reason
from medreason_ray.review.funnel import Section
from medreason_ray.review.sql import ask

QUESTION_FLAGS = {
    Reason.COPIES_BENCHMARK.name: Reason.COPIES_BENCHMARK.value,
    "INVERTED": "the question asks for what does not fit, so a path to the answer argues for the wrong thing",
    "NEAR_BENCHMARK": "a benchmark's item has the same answer and nearly the same entities, so it may be this question reworded",
    "NEEDS_IMAGE": "the question refers to a picture that no row carries",
    "NO_RIVAL": "no other option has a path, so the answer's own is compared with nothing",
    "PARTIAL_ANSWER": "part of the answer's words is linked to nothing in the graph",
}
"""What screening and building cases say of a question, in words."""

_TIERS = (
    """sum(case when tier = 'strict' then 1 else 0 end) strict, sum(case when tier = 'loose' then 1 else 0 end) loose"""
)
_COVERAGE = """case when answer_coverage >= 1 then '1' when answer_coverage >= 0.8 then '0.8 to under 1'
    when answer_coverage >= 0.5 then '0.5 to under 0.8' when answer_coverage is not null then 'under 0.5' else 'unknown' end"""
_NO_OPTIONS = hashlib.sha256(b"").hexdigest()  # the options themselves are null where a row is by id
_MARGIN = f"""case when options_sha256 = '{_NO_OPTIONS}' then 'no options, so none is needed'
    when answer_margin > 0 then 'above 0' when answer_margin is not null then '0 or below' else 'none' end"""

_QUERIES: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        "released rows by dataset",
        ("dataset", "strict", "loose", "with the question's text"),
        ("release",),
        f"""select dataset_name, {_TIERS}, sum(case when question is null then 0 else 1 end) from release
            group by dataset_name order by 1""",  # noqa: S608  our own names
    ),
    (
        "released rows by kind of answer",
        ("kind", "strict", "loose"),
        ("release", "questions"),
        f"""select answer_kind, {_TIERS} from release join questions on release.question_id = questions.question_id
            group by answer_kind order by 1""",  # noqa: S608  our own names
    ),
    (
        "released rows by the share of the answer's words that is linked",
        ("answer_coverage", "strict", "loose"),
        ("release",),
        f"select {_COVERAGE} bin, {_TIERS} from release group by bin order by bin desc",  # noqa: S608
    ),
    (
        "released rows by the answer's margin over the best other option",
        ("answer_margin", "strict", "loose"),
        ("release",),
        f"select {_MARGIN} bin, {_TIERS} from release group by bin order by bin desc",  # noqa: S608
    ),
    (
        "released rows by licence; a row counts once under each of its own",
        ("licence", "rows"),
        ("release",),
        "select licence, count(*) n from (select unnest(licences) licence from release) group by licence order by n desc, 1",
    ),
    (
        "preference pairs by what is wrong with the second chain",
        ("pair_kind", "pairs", "with text"),
        ("preference_pairs",),
        """select pair_kind, count(*) n, sum(case when chosen_text is null then 0 else 1 end) from preference_pairs
           group by pair_kind order by n desc, 1""",
    ),
)

_BLIND = ("closed_book_correct", "masked_correct", "foil_persuaded", "same_model")
_FLAGS = """select flag, count(*) n, sum(case when tier = 'strict' then 1 else 0 end) from
    (select unnest(flags) flag, tier from release) group by flag order by n desc, 1"""


def released(lake: Lake) -> list[Section]:
    """The tables; those without a row are left out."""
    sections = [
        Section(title=title, columns=columns, rows=tuple(ask(lake, tables, query)))
        for title, columns, tables, query in _QUERIES
        if all(lake.commit(name) is not None for name in tables)
    ]
    sections[-1:-1] = [_flags(lake), _blind(lake)]
    return [section for section in sections if section.rows]


def _flags(lake: Lake) -> Section:
    meanings = QUESTION_FLAGS | {flag.name: flag.value for flag in Flag}
    rows = tuple((flag, meanings.get(str(flag), ""), n, strict) for flag, n, strict in ask(lake, ("release",), _FLAGS))
    return Section(
        title="flags of released rows", columns=("flag", "what it means", "rows", "of them strict"), rows=rows
    )


def _blind(lake: Lake) -> Section:
    """What blind answering says of the rows; empty where none was judged."""
    counts = ", ".join(f"count({name}), sum(case when {name} then 1 else 0 end)" for name in _BLIND)
    [found] = ask(lake, ("release",), f"select count(*), {counts} from release")  # noqa: S608  our own names
    total, *rest = [int(str(value or 0)) for value in found]
    rows = [
        (name, yes, known - yes, total - known) for name, known, yes in zip(_BLIND, rest[::2], rest[1::2], strict=True)
    ]
    return Section(
        title="what blind answering says of released rows",
        columns=("column", "true", "false", "not judged"),
        rows=tuple(rows) if any(rest) else (),
    )


def example(lake: Lake) -> dict[str, str] | None:
    """question, options, reasoning and answer of the first strict row whose question is printed, else of the first loose one."""
    names = ("question", "options", "reasoning", "answer", "tier")
    query = f"""select {", ".join(names)} from release where question is not null
        order by tier desc, question_id limit 1"""  # noqa: S608  our own names
    found = ask(lake, ("release",), query)
    return dict(zip(names, map(str, found[0]), strict=True)) if found else None
