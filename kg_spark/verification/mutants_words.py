"""The text-only kinds: an error in a step's words, under citations that stay as they are."""

import random

from kg_spark.verification.corpus import Sample
from kg_spark.verification.corpus_rows import Row, spans
from kg_spark.verification.english import (
    affirmed,
    as_cause,
    exclusion,
    is_negated,
    may_cancel,
    negated,
    opposed,
    other_age,
    other_dose,
    other_sex,
    tells_both_sexes,
)
from kg_spark.verification.mutant import Mutant, Planter, with_step


def _told(sample: Sample) -> list[tuple[int, Row, int, int]]:
    """The cited steps that name at least two ends of their edges: number, step, and the window between the names.

    A verb outside the window may belong to an aside, and an aside that is changed may still be true.
    """
    found = []
    for place, step in enumerate(sample.chain["steps"]):
        ends = {edge[end] for edge in step["edges"] for end in ("src", "dst")}
        named = [each for each in spans(step["text"], sample.nodes.values()) if each[2] in ends]
        if len({node for _, _, node in named}) > 1:
            found.append((place, step, named[0][1], named[-1][0]))
    return found


def _pick(kind: str, sample: Sample, changed: list[tuple[int, str | None, bool]], rng: random.Random) -> Mutant | None:
    """One of the changes (step, its new text, whether it is as true as the old)."""
    found = [(place, text, same) for place, text, same in changed if text is not None]
    if not found:
        return None
    place, text, same = rng.choice(found)
    return Mutant(kind=kind, chain=with_step(sample, place, text), equivalent=same)


def negation(sample: Sample, rng: random.Random) -> Mutant | None:
    """A fact denied, or a finding that the question denies told as present."""
    changed: list[tuple[int, str | None, bool]] = []
    for place, step, start, end in _told(sample):
        changed.append((place, negated(step["text"], start, end), may_cancel(step["text"], start, end)))
    for place, step in enumerate(sample.chain["steps"]):
        if step["quote"] and is_negated(_quoted(sample, step)):
            changed.append((place, affirmed(step["text"]), False))
    return _pick("negation", sample, changed, rng)


def _quoted(sample: Sample, step: Row) -> str:
    return str(sample.question["question"][step["quote"]["start"] : step["quote"]["end"]])


def opposite_verb(sample: Sample, rng: random.Random) -> Mutant | None:
    """A verb of the fact replaced by its opposite."""
    changed = [
        (place, opposed(step["text"], start, end, rng), _is_contested(sample, step))
        for place, step, start, end in _told(sample)
        if not is_negated(step["text"])
    ]
    return _pick("opposite_verb", sample, changed, rng)


def _is_contested(sample: Sample, step: Row) -> bool:
    """Whether the graph joins the same two ends by facts of both signs: then either verb is right."""
    pairs = [{edge["src"], edge["dst"]} for edge in step["edges"]]
    signs = {e["polarity"] for e in sample.edges.values() if {e["src"], e["dst"]} in pairs and len(pairs) == 1}
    return {"+", "-"} <= signs


def wrong_dose(sample: Sample, rng: random.Random) -> Mutant | None:
    """A dose or a measured value changed."""
    stem = sample.question["question"]
    changed = [(n, other_dose(step["text"], stem, rng), False) for n, step in enumerate(sample.chain["steps"])]
    return _pick("wrong_dose", sample, changed, rng)


def wrong_sex_or_age(sample: Sample, rng: random.Random) -> Mutant | None:
    """The patient's sex or age changed in one step."""
    stem = sample.question["question"]
    steps = list(enumerate(sample.chain["steps"]))
    changed = [(n, other_age(step["text"], stem, rng), False) for n, step in steps]
    # Where the stem speaks of both sexes a pronoun may mean either person.
    changed += [
        (n, other_sex(step["text"]), tells_both_sexes(stem)) for n, step in steps if step["support"] != "background"
    ]
    return _pick("wrong_sex_or_age", sample, changed, rng)


def association_as_cause(sample: Sample, rng: random.Random) -> Mutant | None:
    """An association told as a cause."""
    changed = []
    for place, step, start, end in _told(sample):
        facts = [sample.edges[edge["edge_id"]] for edge in step["edges"] if edge["edge_id"] in sample.edges]
        if facts and all(fact["kind"] == "association" for fact in facts):
            causal = any(_is_cause(sample, fact) for fact in facts)
            changed.append((place, as_cause(step["text"], start, end, sample.part), causal))
    return _pick("association_as_cause", sample, changed, rng)


def _is_cause(sample: Sample, fact: Row) -> bool:
    """Whether the graph says elsewhere that one of the two causes the other."""
    ends = {fact["src"], fact["dst"]}
    return any({e["src"], e["dst"]} == ends and e["kind"] == "causal" for e in sample.edges.values())


def unsupported_exclusion(sample: Sample, rng: random.Random) -> Mutant | None:
    """A wrong option ruled out by a step that says nothing of it."""
    key = sample.case["answer_key"]
    others = [option["text"] for option in sample.case["options"] or () if option["key"] != key]
    steps = [(place, step) for place, step in enumerate(sample.chain["steps"]) if step["support"] != "background"]
    if not others or not steps:
        return None
    place, step = rng.choice(steps)
    return _pick(
        "unsupported_exclusion",
        sample,
        [(place, f"{step['text']} {exclusion(rng.choice(others), sample.part, rng)}", False)],
        rng,
    )


PLANTERS: dict[str, Planter] = {
    "negation": negation,
    "opposite_verb": opposite_verb,
    "wrong_dose": wrong_dose,
    "wrong_sex_or_age": wrong_sex_or_age,
    "association_as_cause": association_as_cause,
    "unsupported_exclusion": unsupported_exclusion,
}
