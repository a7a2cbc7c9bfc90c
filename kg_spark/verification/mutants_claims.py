"""The structural kinds: an error in what a chain claims, and in the words with it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from conf.identity import digest
from conf.semantics import Relation, find_relation
from kg_spark.verification.corpus import Sample
from kg_spark.verification.corpus_rows import Node, Row, edge_row, spans
from kg_spark.verification.english import capital, invented, renamed
from kg_spark.verification.mutant import Mutant, Planter, rewritten, with_step

# What may be said instead of a fact, by the type it is said of and the sign it would then have; all of them Biolink's.
_Names = dict[str, tuple[str, ...]]
_SIGNED: dict[str, _Names] = {
    "biological_process": {"+": ("positively regulates",), "-": ("negatively regulates", "disrupts")},
    "gene/protein": {
        "+": ("increases activity of", "increases expression of"),
        "-": ("decreases activity of", "decreases expression of"),
    },
    "chemical": {"+": ("increases abundance of",), "-": ("decreases abundance of",)},
    "drug": {"+": ("increases abundance of", "increases response to"), "-": ("decreases abundance of",)},
    "disease": {
        "+": ("causes", "exacerbates", "contributes to"),
        "-": ("prevents", "ameliorates", "preventative for condition"),
    },
}
_OTHER: _Names = {"+": ("positively regulates", "causes"), "-": ("negatively regulates", "prevents")}

Site = tuple[int, Row, Row]
"""Number of the step, its one citation, and the fact that is cited."""


def sites(sample: Sample) -> list[Site]:
    """The steps that state one fact and cite it."""
    steps = enumerate(sample.chain["steps"])
    one = [(place, step["edges"][0]) for place, step in steps if step["support"] == "kg" and len(step["edges"]) == 1]
    return [(place, edge, sample.edges[edge["edge_id"]]) for place, edge in one if edge["edge_id"] in sample.edges]


def holds(sample: Sample, fact: Row) -> bool:
    """Whether the graph says so, be it under another name of the relation."""
    said = {(fact["src"], fact["dst"])} | ({(fact["dst"], fact["src"])} if fact["symmetric"] else set())
    return any((e["src"], e["dst"]) in said and e["predicate"] == fact["predicate"] for e in sample.edges.values())


def tell(fact: Row, nodes: Mapping[str, Node]) -> str:
    """The fact as a sentence."""
    return capital(f"{nodes[fact['src']].names[0]} {fact['phrase']} {nodes[fact['dst']].names[0]}.")


def claim(edge: Row, fact: Row) -> Row:
    """The citation that claims a fact where another one was cited."""
    return {**edge, **{column: fact[column] for column in ("edge_id", "src", "relation", "dst")}}


def _mutant(kind: str, sample: Sample, site: Site, fact: Row, text: str, *, in_text: bool) -> Mutant:
    place, edge, _ = site
    return Mutant(
        kind=kind,
        chain=with_step(sample, place, text, None if in_text else [claim(edge, fact)]),
        equivalent=holds(sample, fact),
        in_text=in_text,
    )


def swap_relation(sample: Sample, rng: random.Random, *, in_text: bool = False) -> Mutant | None:
    """A fact told with another relation, of another sign."""
    found = [site for site in sites(sample) if site[2]["polarity"] != "contraindicated"]
    if not found:
        return None
    site = rng.choice(found)
    fact = site[2]
    signs = {"+": "-", "-": "+"}.get(fact["polarity"], "+-")
    choices = [name for sign in signs for name in _SIGNED.get(sample.nodes[fact["dst"]].type, _OTHER)[sign]]
    other = edge_row(fact["src"], _biolink(rng.choice(choices)), fact["dst"])
    return _mutant("swap_relation", sample, site, other, tell(other, sample.nodes), in_text=in_text)


def contraindication_swap(sample: Sample, rng: random.Random, *, in_text: bool = False) -> Mutant | None:
    """An indication told as a contraindication, or the reverse."""
    helps = {"treats", "applied_to_treat", "palliates", "ameliorates"}
    found = [
        site
        for site in sites(sample)
        if sample.nodes[site[2]["src"]].type == "drug"
        and (site[2]["predicate"] in helps or site[2]["polarity"] == "contraindicated")
    ]
    if not found:
        return None
    site = rng.choice(found)
    fact = site[2]
    name = "treats" if fact["polarity"] == "contraindicated" else "contraindicated in"
    other = edge_row(fact["src"], _biolink(name), fact["dst"])
    return _mutant("contraindication_swap", sample, site, other, tell(other, sample.nodes), in_text=in_text)


def reverse_edge(sample: Sample, rng: random.Random, *, in_text: bool = False) -> Mutant | None:
    """A fact told from object to subject, by names that change places."""
    found = sites(sample)
    if not found:
        return None
    site = rng.choice(found)
    place, _, fact = site
    label = {"src": fact["dst"], "dst": fact["src"]}
    other = {**fact, **label, "edge_id": digest(fact["dst"], fact["relation"], fact["display_relation"], fact["src"])}
    text = _crossed(sample, place, fact) or tell(other, sample.nodes)
    mutant = _mutant("reverse_edge", sample, site, other, text, in_text=in_text)
    # A fact that reads alike from both ends has no direction to lose.
    same = fact["symmetric"] or fact["phrase"] == fact["inverse_phrase"]
    return replace(mutant, equivalent=mutant.equivalent or same)


def _crossed(sample: Sample, place: int, fact: Row) -> str | None:
    """The step's text with the names of the two ends in each other's place; None where it does not name each once."""
    text = sample.chain["steps"][place]["text"]
    named = [each for each in spans(text, sample.nodes.values()) if each[2] in {fact["src"], fact["dst"]}]
    if [node for _, _, node in named] not in ([fact["src"], fact["dst"]], [fact["dst"], fact["src"]]):
        return None
    (start, end, _), (behind, last, _) = named
    first, second = (_declared(text[begin:stop], sample.nodes[node]) for begin, stop, node in named)
    return renamed(renamed(text, behind, last, first), start, end, second)


def _declared(said: str, node: Node) -> str:
    """A name as the node spells it: without the capital that it has where it begins a sentence."""
    return next(name for name in node.names if name.casefold() == said.casefold())


def same_type_node(sample: Sample, rng: random.Random, *, in_text: bool = False) -> Mutant | None:
    """One end of a fact replaced by another node of its type."""
    found = []
    for site in sites(sample):
        for end in ("src", "dst"):
            old = sample.nodes[site[2][end]]
            ends = {site[2]["src"], site[2]["dst"]}
            found += [
                (site, end, node)
                for node in sample.nodes.values()
                if node.type == old.type and node.node_id not in ends
            ]
    if not found:
        return None
    site, end, node = rng.choice(found)
    return _with_node("same_type_node", sample, site, end, node, in_text=in_text)


def invented_node(sample: Sample, rng: random.Random, *, in_text: bool = False) -> Mutant | None:
    """One end of a fact replaced by something that does not exist."""
    found = sites(sample)
    if not found:
        return None
    site = rng.choice(found)
    end = rng.choice(("src", "dst"))
    kind = sample.nodes[site[2][end]].type
    name = invented(kind, rng)
    node = Node(node_id=f"invented:{name.casefold().replace(' ', '_')}", type=kind, names=(name,))
    return _with_node("invented_node", sample, site, end, node, in_text=in_text)


def _with_node(kind: str, sample: Sample, site: Site, end: str, node: Node, *, in_text: bool) -> Mutant:
    place, _, fact = site
    other = {**fact, end: node.node_id}
    first, last = sorted((other["src"], other["dst"])) if fact["symmetric"] else (other["src"], other["dst"])
    other |= {"src": first, "dst": last, "edge_id": digest(first, fact["relation"], fact["display_relation"], last)}
    text = sample.chain["steps"][place]["text"]
    for start, stop, named in reversed(spans(text, sample.nodes.values())):
        if named == fact[end]:
            text = renamed(text, start, stop, node.names[0])
    if text == sample.chain["steps"][place]["text"]:
        text = tell(other, {**sample.nodes, node.node_id: node})
    return _mutant(kind, sample, site, other, text, in_text=in_text)


def dropped_step(sample: Sample, rng: random.Random) -> Mutant | None:
    """A cited step left out."""
    steps = sample.chain["steps"]
    cited = [place for place, step in enumerate(steps) if step["edges"]]
    if not cited:
        return None
    place = rng.choice(cited)
    chain = rewritten(sample, steps[:place] + steps[place + 1 :])
    return Mutant(
        kind="dropped_step",
        chain=chain,
        equivalent=_is_whole(sample, chain),
    )


def _is_whole(sample: Sample, chain: Row) -> bool:
    """Whether every edge that a chain cites lies on a path to the answer that it walks whole: then nothing is amiss."""
    said = {edge["edge_id"] for step in chain["steps"] for edge in step["edges"]}
    paths = [path for pair in sample.case["pairs"] if pair["side"] == "answer" for path in pair["paths"]]
    hops = [[{sample.case["edges"][n]["edge_id"] for n in hop} for hop in path["steps"]] for path in paths]
    whole = [edges for path in hops if all(hop & said for hop in path) for edges in path]
    return bool(said) and said <= set().union(*whole)


def spliced_paths(sample: Sample, rng: random.Random) -> Mutant | None:
    """The first hop of a path, then the last hop of another that does not go on from there."""
    found = [
        (begun, ended)
        for begun in _paths(sample)
        for ended in _paths(sample)
        if begun["path_id"] in sample.chain["evidence"]
        and begun["path_id"] != ended["path_id"]
        and len(begun["steps"]) > 1
        and (len(ended["steps"]) > 1 or ended["path_id"] not in sample.chain["evidence"])
        and _ends(sample, ended["steps"][-1]).isdisjoint(_ends(sample, begun["steps"][0]))
    ]
    if not found:
        return None
    begun, ended = rng.choice(found)
    later = {sample.case["edges"][number]["edge_id"] for hop in begun["steps"][1:] for number in hop}
    steps = []
    for step in sample.chain["steps"]:
        left = [edge for edge in step["edges"] if edge["edge_id"] not in later]
        if left == step["edges"]:
            steps.append(step)
    shown = sample.case["edges"][ended["steps"][-1][0]]
    hop = {"path_id": ended["path_id"], "hop": len(ended["steps"]) - 1}
    said = {**hop, **{column: shown[column] for column in ("edge_id", "src", "relation", "dst")}}
    text = capital(shown["sentence"])
    mentions = [shown["src"], shown["dst"]] if any(step["mentions"] for step in steps) else []
    steps.append({"text": text, "support": "kg", "edges": [said], "quote": None, "mentions": mentions})
    chain = rewritten(sample, steps)
    return Mutant(kind="spliced_paths", chain=chain, equivalent=_is_whole(sample, chain))


def _paths(sample: Sample) -> list[Row]:
    return [path for pair in sample.case["pairs"] for path in pair["paths"]]


def _ends(sample: Sample, hop: list[int]) -> set[str]:
    return {sample.case["edges"][number][end] for number in hop for end in ("src", "dst")}


def wrong_option(sample: Sample, rng: random.Random) -> Mutant | None:
    """The conclusion names another option."""
    said, key = sample.chain["conclusion"], sample.case["answer_key"]
    others = [option["text"] for option in sample.case["options"] or () if option["key"] != key]
    linked = [link["node_id"] for link in sample.links if link["side"] == "answer"]
    answer = Node(node_id="", type="", names=(sample.case["answer"],))
    places = spans(said, [answer, *(sample.nodes[node] for node in linked if node in sample.nodes)])
    if not others or not places:
        return None
    other = rng.choice(others)
    new = said
    for start, end, _ in reversed(places):
        new = renamed(new, start, end, other)
    return Mutant(kind="wrong_option", chain=rewritten(sample, sample.chain["steps"], new))


def _biolink(name: str) -> Relation:
    relation = find_relation("biolink", name)
    assert relation is not None, name
    return relation


CLAIMS: dict[str, Callable[..., Mutant | None]] = {
    "swap_relation": swap_relation,
    "reverse_edge": reverse_edge,
    "contraindication_swap": contraindication_swap,
    "same_type_node": same_type_node,
    "invented_node": invented_node,
}
PLANTERS: dict[str, Planter] = {
    **CLAIMS,
    "dropped_step": dropped_step,
    "spliced_paths": spliced_paths,
    "wrong_option": wrong_option,
    # The keys are seeds: another spelling plants other mutants.
    **{f"{name} in text": partial(planter, in_text=True) for name, planter in CLAIMS.items()},
}
