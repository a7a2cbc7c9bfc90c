"""pairs, index -> what the paths to the right options are made of, under both semantics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kg_spark.paths.arrow import entries_of
from kg_spark.paths.kernel import END_ONLY, HUB_HERE, HUB_THERE, SRC_HERE, SRC_THERE, TRAIT_HERE, TRAIT_THERE
from kg_spark.paths.rules import rules_of, with_rules
from kg_spark.paths.separation import B1, SEMANTICS, Pairs, searched

if TYPE_CHECKING:
    from conf.config import PathsConfig
    from kg_spark.paths.csr import Index
    from kg_spark.paths.search import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of the answers' paths under one semantics: the share of a class."""

    semantics: str
    group: str
    """`kind`: has an edge of this kind (one that contraindicates is of its own, `contraindication`); `kind inside`: has one that
    is neither its first nor its last step; `refused`: would fall by this clinical rule, each step judged by its cheapest edge."""
    name: str
    share: float


def composition(pairs: Pairs, index: Index, config: PathsConfig) -> Iterator[Share]:
    """What the best paths.top_k paths to the right options are made of, under both semantics.

    Args:
        pairs: made by `read_pairs`.
        index: of the same graph.
        config: as in `separation`.
    """
    goals = pairs.rows[pairs.options["right"].to_numpy()[pairs.rows["option"]]]
    unique = np.unique(goals[["source", "target"]].to_numpy(), axis=0)
    kind_of = [_kind(relation) for relation in index.manifest.relations]
    kinds = sorted(set(kind_of))
    code = np.array([kinds.index(kind) for kind in kind_of])
    clinical = with_rules(index, rules_of(replace(config, semantics="clinical"))).rule
    for semantics in SEMANTICS:
        setting = replace(config, semantics=semantics, avoid_rivals=False, drop_direct=False)
        paths, anywhere, inside, refused = 0, np.zeros(len(kinds)), np.zeros(len(kinds)), np.zeros(len(_REFUSALS) + 1)
        for _, found in searched(unique, index, setting, setting.top_k):
            paths += len(found.cost)
            has = _kinds(replace(index, graph=with_rules(index, rules_of(setting))), found, code, len(kinds))
            anywhere, inside = anywhere + has[0].sum(axis=0), inside + has[1].sum(axis=0)
            falls = _refused(found, clinical)
            refused += [*falls.sum(axis=0), (~falls.any(axis=1)).sum()]
        groups = [("kind", kinds, anywhere), ("kind inside", kinds, inside)]
        if semantics == "any":
            groups.append(("refused", [*_REFUSALS, "none of these"], refused))
        for group, names, counts in groups:
            for name, count in zip(names, counts.tolist(), strict=True):
                yield Share(semantics=semantics, group=group, name=name, share=count / max(1, paths))


def _kind(relation: Mapping[str, Any]) -> str:
    """The kind as conf/relations.yaml has it, but a drug that must not be given is no therapy."""
    return "contraindication" if relation["polarity"] == "contraindicated" else str(relation["kind"])


def _kinds(index: Index, found: Found, code: NDArray[np.int64], kinds: int) -> tuple[B1, B1]:
    """(paths, kinds) whether a path has an edge of a kind, and whether it has one inside."""
    offsets, entries, _ = entries_of(index, found)
    step = np.repeat(np.arange(len(found.ref)), np.diff(offsets))
    path, inner = _steps(found)
    anywhere, inside = np.zeros((len(found.cost), kinds), np.bool_), np.zeros((len(found.cost), kinds), np.bool_)
    kind = code[index.step[entries] >> 2]
    anywhere[path[step], kind] = True
    deep = inner[step]
    inside[path[step][deep], kind[deep]] = True
    return anywhere, inside


def _steps(found: Found) -> tuple[NDArray[np.int64], B1]:
    """(steps) the path of each step, and whether it is neither the path's first nor its last."""
    hops = np.diff(found.path_offsets) - 1
    path = np.repeat(np.arange(len(hops)), hops)
    first = np.cumsum(hops) - hops
    place = np.arange(len(path)) - first[path]
    return path, (place > 0) & (place < hops[path] - 1)


_REFUSALS = (
    "place, taxon, likeness or contraindication inside",
    "meets in a shared trait",
    "changes direction more than once",
    "passes a hub",
)


def _refused(found: Found, rule: NDArray[np.uint8]) -> B1:
    """(paths, _REFUSALS) which clinical rules a path breaks, each step judged by its cheapest edge."""
    path, inner = _steps(found)
    bits = rule[found.ref >> 1]
    turned = (found.ref & 1).astype(np.bool_)

    def bit(here: int, there: int) -> B1:
        """Whether a step has the first bit, read from its tail."""
        return np.where(turned, bits & there, bits & here) > 0

    last_of_path = np.r_[np.diff(path) > 0, True]
    joins = ~last_of_path[:-1]  # (steps - 1) the step after is of the same path
    result = np.zeros((len(found.cost), len(_REFUSALS)), np.bool_)
    result[path[inner & ((bits & END_ONLY) > 0)], 0] = True
    trait_tail, trait_head = bit(TRAIT_HERE, TRAIT_THERE), bit(TRAIT_THERE, TRAIT_HERE)
    result[path[:-1][joins & trait_head[:-1] & trait_tail[1:]], 1] = True
    along, against = bit(SRC_HERE, SRC_THERE), bit(SRC_THERE, SRC_HERE)
    way = along.astype(np.int64) - against
    turns = _changes(path[way != 0], way[way != 0], len(found.cost))
    result[turns > 1, 2] = True
    hub_tail, hub_head = bit(HUB_HERE, HUB_THERE), bit(HUB_THERE, HUB_HERE)
    result[path[:-1][joins & (hub_head[:-1] | hub_tail[1:])], 3] = True
    return result


def _changes(path: NDArray[np.int64], way: NDArray[np.int64], paths: int) -> NDArray[np.int64]:
    """(paths) how often the way changes from one directed step to the next."""
    turn = (path[1:] == path[:-1]) & (way[1:] != way[:-1])
    return np.bincount(path[1:][turn], minlength=paths)
