"""case -> what of it a writer is shown: the paths to one option and, labelled E1 to Em, the edges that they walk.

A path is shown whole or not at all. What does not fit, into chains.max_edges or into what the model can read, is left out
from the worst path on, and counted.
"""

from collections.abc import Callable, Sequence
from typing import Any

from conf.outcome import Reason, Rejected
from medreason_ray.engines.request import Fact, Shown, ShownPath
from medreason_ray.prompt import one_line

Row = dict[str, Any]


def paths_to(case: Row, side: str, option_key: str) -> list[list[Row]]:
    """The paths of each pair that ends at an option, best first within a pair."""
    return [pair["paths"] for pair in case["pairs"] if (pair["side"], pair["option_key"]) == (side, option_key)]


def in_order(pairs: Sequence[Sequence[Row]]) -> list[Row]:
    """The paths of all pairs, each pair's best before any pair's second; of those of one rank the cheaper first."""
    ranked = [(rank, path) for paths in pairs for rank, path in enumerate(paths)]
    ranked.sort(key=lambda each: (each[0], each[1]["cost"], each[1]["path_id"]))
    return [path for _, path in ranked]


def show(case: Row, paths: Sequence[Row], *, answer: str, max_edges: int, keep: int) -> Shown:
    """The paths that fit into `max_edges` edges, in their order.

    Raises:
        Rejected: NO_CHAIN, when none fits.
    """
    labels: dict[int, str] = {}
    facts: dict[str, Fact] = {}
    shown = []
    for path in paths:
        if _edges_with(path, labels, max_edges) > max_edges:
            continue
        hops = _label(path, case["edges"], labels, facts)
        shown.append(ShownPath(path["path_id"], one_line(path["text"]), hops))
    if not shown:
        raise Rejected(Reason.NO_CHAIN, f"none of {len(paths)} paths fits into chains.max_edges={max_edges}")
    return Shown(answer=one_line(answer), facts=facts, paths=shown, keep=keep, left_out=len(paths) - len(shown))


def show_what_fits(
    case: Row, paths: Sequence[Row], fits: Callable[[Shown], bool], *, answer: str, max_edges: int, keep: int
) -> Shown:
    """As `show`, less the worst paths until the model can read the prompt.

    Args:
        case: the row of `cases`.
        paths: best first.
        fits: whether the prompt that shows so much can be read.
        answer: the option's text.
        max_edges: edges shown at most.
        keep: paths the writer may walk.

    Raises:
        Rejected: NO_CHAIN, when no path fits into max_edges; PROMPT_TOO_LONG, when not even the best path can be read.
    """
    shown = show(case, paths, answer=answer, max_edges=max_edges, keep=keep)
    if fits(shown):
        return shown
    by_id = {path["path_id"]: path for path in paths}
    held = [by_id[path.path_id] for path in shown.paths]
    for count in range(len(held) - 1, 0, -1):
        shown = show(case, held[:count], answer=answer, max_edges=max_edges, keep=keep)
        shown = shown.leaving_out(len(paths) - count)
        if fits(shown):
            return shown
    raise Rejected(Reason.PROMPT_TOO_LONG, f"{len(case['question'])} characters of question")


def _edges_with(path: Row, labels: dict[int, str], max_edges: int) -> int:
    """Edges that are shown with the path, or, while there is room for all of its own, at most how many."""
    most = len(labels) + sum(map(len, path["steps"]))
    return most if most <= max_edges else len(labels.keys() | set().union(*path["steps"]))


def _label(path: Row, edges: list[Row], labels: dict[int, str], facts: dict[str, Fact]) -> list[list[str]]:
    """The labels of the path's edges, hop by hop; those that have none yet are given theirs."""
    hops = []
    for hop, step in enumerate(path["steps"]):
        for number in step:
            if number not in labels:
                labels[number] = label = f"E{len(labels) + 1}"
                facts[label] = Fact(one_line(edges[number]["sentence"]), path["path_id"], hop, number)
        hops.append([labels[number] for number in step])
    return hops
