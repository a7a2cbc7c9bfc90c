"""Two runs' fates -> which rows were added, lost or changed, and why; as counts, as JSON and as one page that needs no network.

A row of a run that is in one release alone is lost or added, and the other run's `rejects` say why; one in both is
changed when a column differs. For each the parts of its way that differ are named, of the parts that both runs reached:
what the closing of a question took away is not a cause of it.
"""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined

from medreason_ray.review.funnel import Section
from medreason_ray.review.snapshot import PARTS, Closed, Fate

Status = Literal["lost", "added", "changed", "same"]
STATUSES: tuple[Status, ...] = ("lost", "added", "changed", "same")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A question whose released row is not the same in both runs."""

    question_id: str
    status: Status
    why: tuple[str, ...]
    """Names of PARTS that differ, in the order of the flow; empty: nothing before the release does."""
    columns: tuple[str, ...]
    """Columns of the release that differ, sorted; of changed rows only."""
    closed: Closed | None
    """Of a lost row where run B closed it, of an added one where run A did; None where it was not read or not finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One of the two, as the page's head has it."""

    label: str
    lake: str
    versions: Mapping[str, int]
    params: Mapping[str, str]
    """Flattened configuration; empty where only a lake was given."""
    prompts: Mapping[str, str]
    """Name and version in the prompt registry, by hash."""
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that the page and the JSON say."""

    a: Run
    b: Run
    counts: Mapping[str, int]
    """Rows by status; not released by either is none of them."""
    why: Mapping[str, Mapping[str, int]]
    """Rows by status and part; a row may count for several."""
    closed: Mapping[str, Mapping[str, int]]
    """Of lost and added rows, by `step: REASON` in the run that has them not."""
    columns: Mapping[str, int]
    config: Sequence[tuple[str, str, str, bool]]
    """Key, value in A, value in B, whether it can change a result."""
    funnel: Sequence[Section]
    rows: Sequence[Change]


def compare(a: Mapping[str, Fate], b: Mapping[str, Fate], columns: set[str]) -> list[Change]:
    """One change for each question that is in either release, `same` included, by question_id.

    Args:
        a: what the first run did, by question_id.
        b: what the second did.
        columns: those of the release that both have.
    """
    found = []
    nowhere = Fate()
    for question in sorted(a.keys() | b.keys()):
        before, after = a.get(question, nowhere), b.get(question, nowhere)
        if before.row is None and after.row is None:
            continue
        differs = _differing(before, after, columns)
        status: Status = "lost" if after.row is None else "added" if before.row is None else "changed"
        if status == "changed" and not differs:
            status = "same"
        why = [part.name for part in PARTS if _differs(before.parts, after.parts, part.name)]
        closed = after.closed if status == "lost" else before.closed if status == "added" else None
        found.append(
            Change(question_id=question, status=status, why=tuple(why), columns=differs, closed=closed),
        )
    return found


def summed(changes: Sequence[Change], a: Run, b: Run, operational: set[str], sections: Sequence[Section]) -> Comparison:
    """The changes with their sums, the differences of the configurations and the funnel."""
    return Comparison(
        a=a,
        b=b,
        counts={status: sum(each.status == status for each in changes) for status in STATUSES},
        why={
            status: _counted(
                part for each in changes if each.status == status for part in each.why or ("nothing before",)
            )
            for status in STATUSES[:3]
        },
        closed={
            status: _counted(_closing(each) for each in changes if each.status == status) for status in STATUSES[:2]
        },
        columns=_counted(name for each in changes for name in each.columns),
        config=config_diff(a.params, b.params, operational),
        funnel=sections,
        rows=[each for each in changes if each.status != "same"],
    )


def config_diff(a: Mapping[str, str], b: Mapping[str, str], operational: set[str]) -> list[tuple[str, str, str, bool]]:
    """Keys whose values differ, those that can change a result first; empty where a configuration is not known."""
    if not a or not b:
        return []
    keys = [key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]
    rows = [(key, a.get(key, "(none)"), b.get(key, "(none)"), key not in operational) for key in keys]
    return sorted(rows, key=lambda row: not row[3])


def side_by_side(a: Sequence[Section], b: Sequence[Section]) -> list[Section]:
    """Two funnels as one: behind each number of A that of B and the difference."""
    by_title = {section.title: section for section in b}
    titles = list(dict.fromkeys(section.title for section in (*a, *b)))
    first = {section.title: section for section in a}
    return [_joined(title, first.get(title), by_title.get(title)) for title in titles]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Plain values, every changed row included."""
    content = asdict(comparison)
    content["config"] = [
        {"key": key, "a": a, "b": b, "can_change_results": matters} for key, a, b, matters in comparison.config
    ]
    return content


def chosen(comparison: Comparison, shown: int) -> list[Change]:
    """The rows shown whole: the first of each status."""
    picked: list[Change] = []
    for status in STATUSES[:3]:
        picked += [each for each in comparison.rows if each.status == status][:shown]
    return picked


def page(
    comparison: Comparison,
    shown: Sequence[Change],
    a: Mapping[str, Mapping[str, Any]],
    b: Mapping[str, Mapping[str, Any]],
) -> str:
    """The page, complete in itself; whatever comes from data is escaped.

    Args:
        comparison: the sums.
        shown: the rows shown with their chains.
        a: their details in the first run, by question_id.
        b: and in the second.
    """
    text = (resources.files("medreason_ray.review") / "comparison.html.jinja").read_text(encoding="utf-8")
    template = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    rows = [(each, _pair(a.get(each.question_id, {}), b.get(each.question_id, {}))) for each in shown]
    what = {part.name: part.what for part in PARTS}
    return template.from_string(text).render(c=comparison, rows=rows, what=what, closing=_closing)


def _differing(a: Fate, b: Fate, columns: set[str]) -> tuple[str, ...]:
    if a.row is None or b.row is None:
        return ()
    return tuple(sorted(name for name in columns if a.row[name] != b.row[name]))


def _differs(a: Mapping[str, str], b: Mapping[str, str], part: str) -> bool:
    return part in a and part in b and a[part] != b[part]


def _closing(change: Change) -> str:
    if change.closed is None:
        return "not among the other run's questions, or not finished there"
    return f"{change.closed.step}: {change.closed.reason}"


def _counted(names: Iterator[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _joined(title: str, a: Section | None, b: Section | None) -> Section:
    one = a or b
    assert one is not None
    counts = [any(isinstance(row[n], int) for row in one.rows) for n in range(len(one.columns))]
    words = tuple(name for name, count in zip(one.columns, counts, strict=True) if not count)
    numbers = tuple(name for name, count in zip(one.columns, counts, strict=True) if count)
    left, right = ({_words(row): _numbers(row) for row in side.rows} if side else {} for side in (a, b))
    none = (0,) * len(numbers)
    rows = []
    for key in dict.fromkeys((*left, *right)):
        pairs = zip(left.get(key, none), right.get(key, none), strict=True)
        rows.append((*key, *(cell for x, y in pairs for cell in (x, y, y - x))))
    head = tuple(cell for name in numbers for cell in (f"{name} A", f"{name} B", "difference"))
    return Section(title=title, columns=(*words, *head), rows=tuple(rows))


def _words(row: Sequence[object]) -> tuple[object, ...]:
    return tuple(cell for cell in row if not isinstance(cell, int))


def _numbers(row: Sequence[object]) -> tuple[int, ...]:
    return tuple(cell for cell in row if isinstance(cell, int))


def _pair(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """The two sides of one question: lines of the chains marked where one side alone has them, links and paths by side."""
    chains = [(side.get("chain") or {}) for side in (a, b)]
    lines = [str(chain.get("reasoning") or "").splitlines() for chain in chains]
    return {
        "question": a.get("question") or b.get("question") or {},
        "sides": [
            {"chain": chain, "lines": marked, "verdicts": side.get("verdicts", [])}
            for chain, marked, side in zip(chains, _marked(*lines), (a, b), strict=True)
        ],
        "links": _only(_links(a), _links(b)),
        "paths": _only(_paths(a), _paths(b)),
    }


def _marked(a: Sequence[str], b: Sequence[str]) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Each side's lines, with whether that side alone has them."""
    same_a: set[int] = set()
    same_b: set[int] = set()
    for block in difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks():
        same_a |= set(range(block.a, block.a + block.size))
        same_b |= set(range(block.b, block.b + block.size))
    return (
        [(line, n not in same_a) for n, line in enumerate(a)],
        [(line, n not in same_b) for n, line in enumerate(b)],
    )


def _only(a: Sequence[str], b: Sequence[str]) -> tuple[list[str], list[str]]:
    return [each for each in a if each not in b], [each for each in b if each not in a]


def _links(side: Mapping[str, Any]) -> list[str]:
    return [
        f"{x['side']}{' ' + x['option_key'] if x['option_key'] else ''}: {x['mention']} = {x['node_id']}"
        for x in side.get("links", [])
    ]


def _paths(side: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(f"{x['side']}: {x['text']}" for x in side.get("paths", [])))
