"""Names with typos in them, and how often the linker still finds the node: the measure that the encoder was chosen by.

The typos are the four of Damerau 1964 (one letter put in, left out, replaced, two neighbours swapped), which were 80 % of
all misspellings. A name's typos follow from its node and their number alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_lowercase

import pyarrow as pa

from conf.config import EmbeddingConfig
from conf.identity import digest, name_key
from medreason_ray.linking.neighbours import Neighbours
from medreason_ray.linking.vectors import in_memory

_SEED = 2025
_WINS = 0.85
_EVERY = 20  # one name in so many is taken out
_MIN_CHARS = 3  # links.min_chars: the linker matches no shorter name


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What became of the perturbed names of one type."""

    type: str
    names: int
    top1: float
    """Share whose best candidate is of the same folded name."""
    top10: float
    """Share that has such a candidate at all."""
    as_typo: float
    """Share whose best candidate is right and known for a typo (`Neighbour.typo`)."""
    typos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistaken:
    """What became of the names of one type whose nodes were taken out of the graph; all that is found is wrong."""

    type: str
    names: int
    by_score: float
    """Share whose best candidate has a score of at least 0.85, which wins in MedReason."""
    as_typo: float
    """Share whose best candidate is taken for the name with typos."""


def perturb(name: str, typos: int, key: str) -> str:
    """The folded name with so many typos, each of which changes it; a later one may undo an earlier one.

    Args:
        name: as written.
        typos: how many.
        key: what the choice follows from, such as the node_id.

    Returns:
        A folded name; the name's own fold where it has fewer than two characters or typos is 0.
    """
    chance = random.Random(digest(str(_SEED), key, str(typos)))  # noqa: S311  repeatable, not secret
    text = name_key(name)
    done = 0
    while done < typos and len(text) > 1:
        other = name_key(_typo(text, chance))
        if other != text:
            text, done = other, done + 1
    return text


def recovered(nodes: pa.Table, config: EmbeddingConfig, *, typos: int) -> list[Recovered]:
    """How many names are found again within their type, by type.

    A name is right when the node found has the same folded name: two nodes of a type may share one.

    Args:
        nodes: node_id, name, type.
        config: encoder, pool, floor, top_k.
        typos: in each name.

    Raises:
        ConfigError: the encoder cannot be opened.
    """
    vectors = in_memory(nodes, config)
    finder = Neighbours(vectors, config)
    rows = vectors.nodes.to_pylist()
    keys = {row["node_id"]: name_key(row["name"]) for row in rows}
    asked = [row for row in rows if len(keys[row["node_id"]]) >= _MIN_CHARS]
    found = []
    for kind, group in groupby(asked, key=lambda row: row["type"]):
        ids = [row["node_id"] for row in group]
        names = [perturb(keys[node], typos, node) for node in ids]
        near = finder.candidates(names, [kind] * len(names))
        same = [[keys[each.node_id] == keys[node] for each in few] for node, few in zip(ids, near, strict=True)]
        known = [few[:1] == [True] and best[0].typo for few, best in zip(same, near, strict=True)]
        found.append(
            Recovered(
                type=kind,
                names=len(ids),
                top1=_share([any(few[:1]) for few in same]),
                top10=_share([any(few) for few in same]),
                as_typo=_share(known),
                typos=typos,
            )
        )
    return found


def mistaken(nodes: pa.Table, config: EmbeddingConfig) -> list[Mistaken]:
    """How many names find another node where their own is not in the graph, by type.

    One name in 20, chosen by name and type, is taken out with all nodes of its type that bear it.

    Args:
        nodes: node_id, name, type.
        config: encoder, pool, floor, top_k.

    Raises:
        ConfigError: the encoder cannot be opened.
    """
    rows = [(name_key(row["name"]), row["type"]) for row in nodes.select(["name", "type"]).to_pylist()]
    out = {row for row in rows if int(digest(str(_SEED), *row), 16) % _EVERY == 0}
    finder = Neighbours(in_memory(nodes.filter(pa.array([row not in out for row in rows])), config), config)
    found = []
    for kind, group in groupby(sorted(out, key=lambda row: row[::-1]), key=lambda row: row[1]):
        names = [key for key, _ in group]
        near = finder.candidates(names, [kind] * len(names))
        by_score = _share([bool(few) and few[0].score >= _WINS for few in near])
        as_typo = _share([bool(few) and few[0].typo for few in near])
        found.append(Mistaken(type=kind, names=len(names), by_score=by_score, as_typo=as_typo))
    return found


def _typo(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    match chance.choice(("insert", "delete", "substitute", "transpose")):
        case "insert":
            return text[:place] + chance.choice(ascii_lowercase) + text[place:]
        case "delete":
            return text[:place] + text[place + 1 :]
        case "substitute":
            return text[:place] + chance.choice(ascii_lowercase) + text[place + 1 :]
        case _:
            return text[:place] + text[place : place + 2][::-1] + text[place + 2 :]


def _share(right: Sequence[bool]) -> float:
    return sum(right) / max(1, len(right))
