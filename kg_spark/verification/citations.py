"""chain, case, edges -> which citations hold, and whether the cited paths are walked whole and in order.

A citation holds when the edge stands in the graph with these ends and this relation and lies on the cited path of this
question's case. A path is walked when the chain cites an edge of each of its hops, under whatever path: an edge that two
paths share is stated once. It must lead from what the question names to what the concluded option names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from conf.outcome import Flag, Reason

Row = dict[str, Any]

NOT_OF_PATIENT = frozenset({"absent", "family"})
"""Assertions of what starts no path (kg_spark.stages.find_paths)."""


class Place(NamedTuple):
    """Where a case shows a path."""

    side: str
    option_key: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Citation:
    """An edge as a step cites it."""

    step: int
    """From 1."""
    claim: Row
    wrong: str
    """What does not hold, in words; empty where all does."""


class Shown:
    """The paths of a case, by id."""

    def __init__(self, case: Row) -> None:
        edges = case["edges"] or ()
        self.hops: dict[str, list[dict[str, Row]]] = {}
        """Of each path the edges of each hop, by id."""
        self.places: dict[str, list[Place]] = {}
        for pair in case["pairs"] or ():
            place = Place(pair["side"], pair["option_key"] or "", pair["source"], pair["target"])
            for path in pair["paths"] or ():
                numbered = [[edges[n] for n in step if 0 <= n < len(edges)] for step in path["steps"] or ()]
                self.hops[path["path_id"]] = [{edge["edge_id"]: edge for edge in step} for step in numbered]
                self.places.setdefault(path["path_id"], []).append(place)


def citations(steps: list[Row], shown: Shown, edges: Mapping[str, Row]) -> list[Citation]:
    """Every edge that the steps cite, in their order, with what is wrong with it."""
    return [
        Citation(number, claim, _wrong(claim, shown, edges.get(claim["edge_id"] or "")))
        for number, step in enumerate(steps, start=1)
        for claim in step["edges"] or ()
    ]


def _wrong(claim: Row, shown: Shown, edge: Row | None) -> str:
    said = f"{claim['src']} {claim['relation']} {claim['dst']}"
    if edge is None:
        return f"{claim['edge_id']} ({said}) is not in the graph"
    ends, claimed = (edge["src"], edge["dst"]), (claim["src"], claim["dst"])
    hops = shown.hops.get(claim["path_id"] or "")
    wrong = ""
    if edge["relation"] != claim["relation"] or set(claimed) != set(ends):
        wrong = f"the graph has {edge['src']} {edge['relation']} {edge['dst']}"
    elif claimed != ends and not edge["symmetric"]:
        wrong = "the graph has it the other way"
    elif hops is None:
        wrong = f"path {claim['path_id']} is not in this question's case"
    elif not any(claim["edge_id"] in hop for hop in hops):
        wrong = f"not on path {claim['path_id']}"
    return f"{said}: {wrong}" if wrong else ""


def concluded(chain: Row, case: Row, shown: Shown) -> str | None:
    """Key of the option that the chain argues for, empty for an open question; None where a foil's cannot be told."""
    if chain["arm"] != "foil":
        return case["answer_key"] or ""
    walked = {claim["path_id"] for step in chain["steps"] or () for claim in step["edges"] or ()}
    keys = [{place.option_key for place in shown.places.get(path, ()) if place.side == "option"} for path in walked]
    common = set.intersection(*keys) if keys else set()
    return next(iter(common)) if len(common) == 1 else None


def broken_paths(
    chain: Row, shown: Shown, cited: list[Citation], links: list[Row], option_key: str | None
) -> Iterator[tuple[int, Flag | Reason, str]]:
    """A finding for each cited path that is not walked as it should be: step 0, the flag, what is wrong."""
    paths = dict.fromkeys([each.claim["path_id"] for each in cited] + list(chain["evidence"] or ()))
    stated = {each.claim["edge_id"] for each in cited}
    for path in paths:
        if path not in shown.hops:
            if path in (chain["evidence"] or ()):
                yield 0, Reason.UNGROUNDED, f"path {path} is not in this question's case"
            continue
        wrong = _not_walked(path, shown, cited, stated) or _wrong_ends(path, shown, links, chain, option_key)
        if wrong:
            yield 0, Flag.BROKEN_PATH, f"path {path}: {wrong}"


def _not_walked(path: str, shown: Shown, cited: list[Citation], stated_ids: set[str]) -> str:
    hops = shown.hops[path]
    missing = [number for number, hop in enumerate(hops) if not hop.keys() & stated_ids]
    if missing:
        return f"hop {missing[0] + 1} of {len(hops)} is not stated"
    # Only what is cited for this path has an order, by steps; an edge stated for another path may come early.
    own: dict[int, int] = {}
    for each in cited:
        at = next((n for n, hop in enumerate(hops) if each.claim["edge_id"] in hop), None)
        if each.claim["path_id"] == path and at is not None:
            own.setdefault(at, each.step)
            if each.claim["hop"] not in {None, at}:
                return f"{each.claim['edge_id']} is hop {at + 1}, not {each.claim['hop'] + 1}"
    stated = [own[at] for at in sorted(own)]
    return "" if stated == sorted(stated) else "its hops are not stated in order"


def _wrong_ends(path: str, shown: Shown, links: list[Row], chain: Row, option_key: str | None) -> str:
    side = "option" if chain["arm"] == "foil" else "answer"
    places = [place for place in shown.places[path] if place.side == side and place.option_key == option_key]
    if not places:
        return "it does not lead to the concluded option"
    started = {
        link["node_id"] for link in links
        if link["side"] == "question" and link["assertion"] not in NOT_OF_PATIENT
    }  # fmt: skip
    ended = {link["node_id"] for link in links if link["side"] == side and (link["option_key"] or "") == option_key}
    wrong = ""
    for place in places:
        if place.source not in started:
            wrong = f"the question does not name its beginning, {place.source}"
        elif place.target not in ended:
            wrong = f"the concluded option does not name its end, {place.target}"
        elif not _joins(place, shown.hops[path]):
            wrong = f"its edges do not lead from {place.source} to {place.target}"
        else:
            return ""
    return wrong


def _joins(place: Place, hops: list[dict[str, Row]]) -> bool:
    """Whether each hop goes on where the one before ended."""
    here = {place.source}
    for hop in hops:
        ends = [(edge["src"], edge["dst"]) for edge in hop.values()]
        here = {b for a, b in ends if a in here} | {a for a, b in ends if b in here}
    return place.target in here
