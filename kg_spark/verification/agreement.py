"""claims, edges -> what in a step's wording the graph does not say: sign, direction, denial, cause for association.

A claim is held to the edges between its two nodes; where there are several and one agrees, it stands. Where no edge joins
the two, the signs are composed along the cited edges. An edge without a sign lets one say that things are linked, act or
belong together, but not that one raises or lowers the other.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from conf.outcome import Flag
from kg_spark.verification.lexicon import DIRECTED, lexicon, own_forms, wording_of
from kg_spark.verification.reading import Claim
from kg_spark.verification.sentences import Nodes
from kg_spark.verification.words import words_of

Row = dict[str, Any]
Found = tuple[Flag, str]

_STRONG = frozenset({"cause", "change", "treat"})
_CAUSAL_KINDS = frozenset({"causal", "therapeutic"})
_SILENT_KINDS = frozenset({"membership", "location", "taxon", "similarity"})
_OPPOSITE = {"+": "-", "-": "+"}
_MOST_HOPS = 4


class Cited:
    """The edges that a claim may rest on."""

    def __init__(self, edges: Iterable[Row]) -> None:
        self._joined: dict[frozenset[str], list[Row]] = {}
        self._beside: dict[str, set[str]] = {}
        for edge in edges:
            ends = frozenset((edge["src"], edge["dst"]))
            self._joined.setdefault(ends, []).append(edge)
            self._beside.setdefault(edge["src"], set()).add(edge["dst"])
            self._beside.setdefault(edge["dst"], set()).add(edge["src"])

    def between(self, left: Nodes, right: Nodes) -> list[Row]:
        """The edges that join a node of one name with a node of another, in order of their ids."""
        pairs = {frozenset((one, other)) for one in left for other in right}
        return sorted((edge for pair in pairs for edge in self._joined.get(pair, ())), key=lambda e: str(e["edge_id"]))

    def walk(self, left: Nodes, right: Nodes) -> list[list[Row]]:
        """The edges of each hop of a shortest walk from one name to another; empty where there is none."""
        ways: list[list[str]] = [[node] for node in sorted(left & self._beside.keys())]
        seen = set(left)
        for _ in range(_MOST_HOPS):
            longer = []
            for way in ways:
                for node in sorted(self._beside.get(way[-1], set()) - seen):
                    if node in right:
                        return self._hops([*way, node])
                    seen.add(node)
                    longer.append([*way, node])
            ways = longer
        return []

    def _hops(self, way: Sequence[str]) -> list[list[Row]]:
        return [self._joined[frozenset(pair)] for pair in pairwise(way)]


def disagreements(claim: Claim, cited: Cited) -> list[Found] | None:
    """What is wrong with a claim; empty where it agrees with an edge or walk, None where none joins its two nodes."""
    results = []
    for left in (claim.left, claim.event) if claim.event else (claim.left,):
        if left & claim.right:
            return []
        if edges := cited.between(left, claim.right):
            results.append(_against_edges(claim, left, edges))
        elif hops := cited.walk(left, claim.right):
            results.append(_against_walk(claim, hops))
        if results and not results[-1]:
            return []
    return results[0] if results else None


def contradicts(claim: Claim, edges: list[Row]) -> bool:
    """Whether a claim says the opposite of every edge between its two nodes."""
    said = [_against_edge(claim, claim.left, edge) for edge in edges]
    return bool(said) and all(any(flag is Flag.OPPOSITE_POLARITY for flag, _ in found) for found in said)


def _against_edges(claim: Claim, left: Nodes, edges: list[Row]) -> list[Found]:
    found = [_against_edge(claim, left, edge) for edge in edges]
    return next((each for each in found if not each), found[0])


def _against_edge(claim: Claim, left: Nodes, edge: Row) -> list[Found]:
    detail = f"{claim.said!r}; the graph: {edge['src']} {edge['phrase']} {edge['dst']}"
    own = own_forms(edge["phrase"] or "", edge["inverse_phrase"] or "")
    is_src_first = edge["src"] in left and edge["dst"] in claim.right
    if not claim.modified and claim.form in own.forward | own.back:
        here, there = (own.forward, own.back) if is_src_first else (own.back, own.forward)
        if claim.form not in here and not edge["symmetric"] and claim.form in there:
            return [(Flag.TURNED_ROUND, detail)]
        return [(Flag.NEGATED, detail)] if claim.denied else []
    if claim.denied:
        return [(Flag.NEGATED, detail)] if _denies(claim, edge) else []
    found = _sign(claim, edge["polarity"], [edge], detail)
    if not found and _is_turned(claim, edge, is_src_first=is_src_first):
        found = [(Flag.TURNED_ROUND, detail)]
    return found


def _denies(claim: Claim, edge: Row) -> bool:
    """Whether what is denied is what the edge states: not its opposite, nor a cause where it states an association."""
    polarity = edge["polarity"]
    if claim.extreme or is_absence(edge):
        return False
    if claim.sign == "c" or polarity == "contraindicated":
        return claim.sign == "c" and polarity == "contraindicated"
    if polarity == "0" or claim.sign == "0":
        return claim.family in {"link", "own", "member", "act", "has"}
    is_weaker = edge["kind"] not in _CAUSAL_KINDS and claim.family in _STRONG
    return claim.sign == polarity and not is_weaker


def is_absence(edge: Row) -> bool:
    """Whether an edge states that something is not there, so that a denial may say the same."""
    return bool(edge["polarity"] == "-") and edge["kind"] not in _CAUSAL_KINDS


def _sign(claim: Claim, polarity: str, edges: Sequence[Row], detail: str) -> list[Found]:
    """What the sign of a claim that denies nothing is against edges of a composed sign."""
    if claim.family == "infer" or claim.sign == "0":
        return []
    flag = _wrong_sign(claim, polarity, edges)
    return [(flag, detail)] if flag else []


def _wrong_sign(claim: Claim, polarity: str, edges: Sequence[Row]) -> Flag | None:
    kinds = {edge["kind"] for edge in edges}
    is_known, is_one = polarity in _OPPOSITE, len(edges) == 1
    flag = None
    if "contraindicated" in {edge["polarity"] for edge in edges}:
        if claim.family == "treat" and claim.sign == "-":
            flag = Flag.OPPOSITE_POLARITY
    elif claim.sign == "c":
        flag = Flag.OPPOSITE_POLARITY if is_one and "therapeutic" in kinds else Flag.SIGN_NOT_STATED
    elif is_known and claim.sign == _OPPOSITE[polarity]:
        flag = Flag.OPPOSITE_POLARITY
    elif claim.family == "cause" and not kinds <= _CAUSAL_KINDS:
        flag = Flag.ASSOCIATION_AS_CAUSE
    elif claim.family in _STRONG | {"risk"} and not is_known:
        flag = Flag.SIGN_NOT_STATED
    return flag


def _is_turned(claim: Claim, edge: Row, *, is_src_first: bool) -> bool:
    stated = wording_of(tuple(lexicon().without_adverbs(words_of(edge["phrase"] or ""))))
    directed = DIRECTED | {"has"} if stated.family == "shows" else DIRECTED
    if stated.family not in DIRECTED or claim.family not in directed:
        return False
    if edge["symmetric"] or edge["kind"] in _SILENT_KINDS or edge["src"] == edge["dst"]:
        return False
    src_acts = is_src_first != claim.back
    return src_acts == stated.back


def _against_walk(claim: Claim, hops: list[list[Row]]) -> list[Found]:
    """A claim over several edges: signs multiply, an edge without one leaves none.

    What belongs to, lies in or is like the next node passes the sign on. Of parallel edges one with a sign counts before one
    without; where two signs stand side by side either may be meant.
    """
    edges = [max(hop, key=lambda edge: edge["polarity"] != "0") for hop in hops]
    words = ", ".join(f"{edge['src']} {edge['phrase']} {edge['dst']}" for edge in edges)
    detail = f"{claim.said!r}; the graph: {words}"
    if any(len({edge["polarity"] for edge in hop} - {"0"}) > 1 for hop in hops):
        return []
    edges = [edge for edge in edges if edge["kind"] not in _SILENT_KINDS] or edges
    polarity = composed([edge["polarity"] for edge in edges])
    if claim.denied:
        is_denied = claim.sign == polarity and claim.sign in _OPPOSITE and claim.family in _STRONG | {"risk"}
        return [(Flag.NEGATED, detail)] if is_denied and not claim.extreme else []
    return _sign(claim, polarity, edges, detail)


def composed(polarities: Sequence[str]) -> str:
    """The sign along a path: + and - multiply, anything else leaves none."""
    if not set(polarities) <= _OPPOSITE.keys():
        return "0"
    return "-" if polarities.count("-") % 2 else "+"
