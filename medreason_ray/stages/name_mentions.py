"""chains, nodes -> chains: the nodes that each step of a model's chain names, so that a check can tell what it brings in.

The linker's matcher reads the steps as it reads a stem: its lexicon knows which names are words of English, which symbols count
in their own case only, and what is measured rather than named. A name that the chain cites means the node that is cited; any
other the best that bears it, unless that is too general to say anything or the word had to be mended to read it. An engine that
follows rules states edges and nothing else: its steps name the ends of what they cite, and nothing is looked for.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, Dataset

from conf.config import LinksConfig
from conf.tables import CHAINS
from medreason_ray.conversation import Row
from medreason_ray.linking.dictionary import SPELLING, Candidate

if TYPE_CHECKING:
    from medreason_ray.linking.linker import Linker

_NAMED = ("node_id", "name", "type", "synonyms", "generic", "degree")
# As in link_entities: an actor's start costs more than the steps of thousands of chains. Ray Data fuses the parsing of replies
# into them, so it is done by as many, too.
_MAX_ACTORS = 2


def run(results: Dataset, nodes: pa.Table, config: LinksConfig) -> Dataset:
    """The same rows, in any order, the `mentions` of their chains' steps found.

    Args:
        results: with a column `chains`, lists of conf.tables.CHAINS.
        nodes: conf.tables.NODES.
        config: links; the shortest name that matches.
    """
    return results.map_batches(
        _Namer,
        fn_constructor_args=(ray.put(nodes.select(_NAMED)), replace(config, extractor="dictionary")),
        batch_format="pyarrow",
        batch_size=1,
        compute=ActorPoolStrategy(min_size=1, max_size=_MAX_ACTORS),
    )


class _Namer:
    """A Ray actor's names, built once."""

    def __init__(self, nodes: "ray.ObjectRef[pa.Table]", config: LinksConfig) -> None:
        # Here, for whoever only parses chains imports this module, and the linker takes longer than all the rest.
        from medreason_ray.linking.linker import Linker

        self._linker = Linker(ray.get(nodes), config)

    def __call__(self, batch: pa.Table) -> pa.Table:
        lists = [[with_mentions(row, self._linker) for row in chains] for chains in batch["chains"].to_pylist()]
        place = batch.schema.get_field_index("chains")
        return batch.set_column(place, "chains", pa.array(lists, pa.list_(pa.struct(list(CHAINS.schema)))))


def with_mentions(chain: Row, linker: "Linker") -> Row:
    """The chain with the nodes that each step names, in the order of the text."""
    cited = {edge[end] for step in chain["steps"] for edge in step["edges"] for end in ("src", "dst")}
    return {**chain, "steps": [{**step, "mentions": _named(step["text"], linker, cited)} for step in chain["steps"]]}


def _named(text: str, linker: "Linker", cited: set[str]) -> list[str]:
    found = (_meant(span.candidates, cited) for span in linker.spans(text))
    return list(dict.fromkeys(node for node in found if node))


def _meant(candidates: tuple[Candidate, ...], cited: set[str]) -> str | None:
    """The node that a name means in a chain that cites some; None where it says nothing."""
    best = next((each for each in candidates if each.node_id in cited), candidates[0])
    is_vague = best.node_id not in cited and (best.generic or best.method == SPELLING)
    return None if is_vague else best.node_id
