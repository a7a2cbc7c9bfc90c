"""Linked entities and the answer -> the benchmark item that may be the same question, for a person to look at.

`link_entities` passes benchmark items over, so the names by which the run's own questions are linked are looked up in the
items' stems, longest first. An item's set so holds what is denied too, and lacks what no question of the run names. That is
why this closes nothing: it is the flag NEAR_BENCHMARK.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from conf.config import ScreenConfig
from kg_spark.screening.words import words


@dataclass(frozen=True, slots=True)
class Entities:
    """The items' entities, and the items of each answer."""

    of_item: tuple[frozenset[str], ...]
    by_answer: Mapping[str, tuple[int, ...]]


def build(items: Iterable[tuple[str, str]], names: Iterable[tuple[str, str]]) -> Entities:
    """The entities of items.

    Args:
        items: stem and answer of each, in order.
        names: a name as it stands in a text, and the id of a node that it is linked to.
    """
    nodes: dict[str, set[str]] = {}
    for name, node in names:
        nodes.setdefault(" ".join(words(name)), set()).add(node)
    longest = max((name.count(" ") + 1 for name in nodes), default=0)
    found: list[frozenset[str]] = []
    by_answer: dict[str, list[int]] = {}
    for number, (stem, answer) in enumerate(items):
        found.append(_entities(words(stem), nodes, longest))
        by_answer.setdefault(answer_key(answer), []).append(number)
    return Entities(tuple(found), {answer: tuple(numbers) for answer, numbers in by_answer.items()})


def answer_key(answer: str) -> str:
    """The answer as it is compared: its words in alphabetical order."""
    return " ".join(sorted(words(answer)))


def near(
    known: Entities, mine: Sequence[str], answer: str, may: Callable[[int], bool], config: ScreenConfig
) -> tuple[int, float] | None:
    """The item of the same answer that shares most entities, and their share of the smaller set; None where too few.

    Args:
        known: the items.
        mine: node_ids that the question's stem is linked to.
        answer: the question's.
        may: whether an item may be compared with it.
        config: screen.entities and min_entities.
    """
    own = frozenset(mine)
    if len(own) < config.min_entities:
        return None
    best: tuple[float, int] | None = None
    for item in known.by_answer.get(answer_key(answer), ()):
        its = known.of_item[item]
        if len(its) < config.min_entities or not may(item):
            continue
        share = round(len(own & its) / min(len(own), len(its)), 4)
        if share >= config.entities and (best is None or (-share, item) < best):
            best = (-share, item)
    return None if best is None else (best[1], -best[0])


def _entities(spoken: Sequence[str], nodes: Mapping[str, set[str]], longest: int) -> frozenset[str]:
    found: set[str] = set()
    start = 0
    while start < len(spoken):
        for size in range(min(longest, len(spoken) - start), 0, -1):
            named = nodes.get(" ".join(spoken[start : start + size]))
            if named is not None:
                found |= named
                start += size - 1
                break
        start += 1
    return frozenset(found)
