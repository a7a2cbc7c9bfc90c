"""A small case with a sound chain over it, to be changed by the tests of the verifier."""

from typing import Any

from conf.identity import edge_id, path_id
from conf.semantics import Relation, find_relation
from kg_spark.verification.check import Context, check

Row = dict[str, Any]

NAMES = {
    "C": ("chest pain",),
    "P": ("pulmonary embolism", "PE"),
    "D": ("deep vein thrombosis", "DVT"),
    "H": ("heparin",),
    "W": ("warfarin",),
    "G": ("pregnancy",),
    "F": ("factor V Leiden",),
    "T": ("thrombin",),
}
STEM = (
    "A 54-year-old man takes 500 mg of aspirin a day. He has chest pain after a long flight. He has no fever."
    " Troponin is normal. Which drug is given first?"
)
OPTIONS = [{"key": "A", "text": "Heparin"}, {"key": "B", "text": "Warfarin"}]


def edge(src: str, relation: str, dst: str) -> Row:
    """The row of `edges` for a Biolink relation."""
    meaning = find_relation("biolink", relation)
    assert meaning is not None
    return edge_of(src, meaning, dst)


def edge_of(src: str, meaning: Relation, dst: str) -> Row:
    named = {n: getattr(meaning, n) for n in ("relation", "phrase", "inverse_phrase", "symmetric", "kind", "polarity")}
    return {
        "edge_id": edge_id(src, meaning.relation, "", dst, symmetric=meaning.symmetric), "src": src, "dst": dst,
    } | named  # fmt: skip


PC, DP, HD = edge("P", "has phenotype", "C"), edge("D", "causes", "P"), edge("H", "treats", "D")
HP, WG = edge("H", "treats", "P"), edge("W", "contraindicated in", "G")
FD, HT = edge("F", "associated with", "D"), edge("H", "decreases activity of", "T")
TD, WD = edge("T", "contributes to", "D"), edge("W", "treats", "D")
EDGES = (PC, DP, HD, HP, WG, FD, HT, TD, WD)
PATHS = {
    "long": ("C", (PC,), "P", (DP,), "D", (HD,), "H"),
    "short": ("C", (PC,), "P", (HP,), "H"),
    "thrombin": ("C", (PC,), "P", (DP,), "D", (TD,), "T", (HT,), "H"),
    "leiden": ("C", (PC,), "P", (DP,), "D", (FD,), "F"),
    "rival": ("C", (PC,), "P", (DP,), "D", (WD,), "W"),
}


def case(**changes: Any) -> Row:
    number = {each["edge_id"]: place for place, each in enumerate(EDGES)}
    pairs = []
    for name, walk in PATHS.items():
        key = {"H": "A", "W": "B"}.get(walk[-1], "A")
        steps = [[number[each["edge_id"]] for each in hop] for hop in walk[1::2]]
        path = {"path_id": path_id([name]), "text": name, "hops": len(steps), "cost": 1, "steps": steps}
        side = "answer" if key == "A" else "option"
        pairs.append({"side": side, "option_key": key, "source": walk[0], "target": walk[-1], "paths": [path]})
    shown = [{k: each[k] for k in ("edge_id", "src", "relation", "dst")} | {"sentence": ""} for each in EDGES]
    own = {
        "question_id": "q",
        "question": STEM,
        "options": OPTIONS,
        "answer_key": "A",
        "answer": "Heparin",
        "flags": [],
    }
    return own | {"negatives": [], "pairs": pairs, "edges": shown, "kg_version": "v", "answer_margin": 1.0} | changes


def link(side: str, key: str, node: str, assertion: str = "present") -> Row:
    return {"question_id": "q", "side": side, "option_key": key, "node_id": node, "assertion": assertion}


LINKS = [link("question", "", "C"), link("answer", "A", "H"), link("answer", "A", "F"), link("option", "B", "W")]


def cited(fact: Row, path: str, **changes: Any) -> Row:
    """The citation of an edge on a path."""
    hops = PATHS[path][1::2]
    hop = next((n for n, each in enumerate(hops) if fact["edge_id"] in {e["edge_id"] for e in each}), 0)
    claim = {key: fact[key] for key in ("edge_id", "src", "relation", "dst")}
    return {"path_id": path_id([path]), "hop": hop} | claim | changes


def kg(text: str, *claims: Row, mentions: tuple[str, ...] = ()) -> Row:
    return {"text": text, "support": "kg", "edges": list(claims), "quote": None, "mentions": list(mentions)}


def told(text: str, quote: str) -> Row:
    """A step that rests on words of the question."""
    start = STEM.find(quote)
    place = {"start": start, "end": start + len(quote)} if start >= 0 else None
    return {"text": text, "support": "question", "edges": [], "quote": place, "mentions": []}


def general(text: str, mentions: tuple[str, ...] = ()) -> Row:
    return {"text": text, "support": "background", "edges": [], "quote": None, "mentions": list(mentions)}


def walked() -> list[Row]:
    """The steps of the long path, in plain words."""
    return [
        kg("Pulmonary embolism presents with chest pain.", cited(PC, "long")),
        kg("It follows that DVT, which causes PE, must be looked for.", cited(DP, "long")),
        kg("DVT is treated with heparin.", cited(HD, "long")),
    ]


def chain(*steps: Row, **changes: Any) -> Row:
    paths = dict.fromkeys(each["path_id"] for step in steps for each in step["edges"] or ())
    own = {"chain_id": "c", "question_id": "q", "arm": "answer", "sample": 0, "kg_version": "v", "model": "m"}
    return own | {"steps": list(steps), "evidence": list(paths), "conclusion": "Heparin.", "reasoning": ""} | changes


def context(*, edges: tuple[Row, ...] = EDGES, **changes: Any) -> Context:
    asked = {"question": STEM, "options": OPTIONS, "answer": "Heparin"}
    given = {"case": case(), "question": asked, "links": LINKS, "names": NAMES, "kg_version": "v", "max_steps": 8}
    return Context(**(given | {"edges": {each["edge_id"]: each for each in edges}} | changes))


def flags(*steps: Row, **changes: Any) -> list[str]:
    """The flags of the sound chain's steps with some more."""
    return check(chain(*walked(), *steps, **changes), context())["flags"]


def found(*steps: dict[str, Any], **changes: Any) -> list[str]:
    """The flags of a chain that is no more than these steps."""
    own = {name: changes.pop(name) for name in ("case", "links", "edges", "names", "kg_version") if name in changes}
    return check(chain(*steps, **changes), context(**own))["flags"]
