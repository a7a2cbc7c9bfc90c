"""sample -> mutants: copies of a sound chain with one error planted, to see whether the verifier finds it.

Structural kinds change the claim, and the words with it. Text-only kinds change words and leave every citation byte for byte.
`in_text` plants a structural kind's error in the words alone. A mutant that is as true as its chain (parallel edges, symmetric
relations, negations that cancel, a swap that the graph states too) is equivalent: counted, and never held against or for
anyone. Every choice is seeded by the chain's id and the kind, so a chain has the same mutants wherever it is met.

Source: DeMillo, Lipton & Sayward 1978 for the idea, and for what an equivalent mutant is.
"""

import random
from collections.abc import Iterator, Sequence

from conf.identity import digest
from kg_spark.verification import mutants_claims, mutants_words
from kg_spark.verification.corpus import Sample
from kg_spark.verification.mutant import Mutant

STRUCTURAL = (
    "swap_relation",
    "reverse_edge",
    "contraindication_swap",
    "same_type_node",
    "invented_node",
    "dropped_step",
    "spliced_paths",
    "wrong_option",
    "other_question",
)
TEXT_ONLY = (
    "negation",
    "opposite_verb",
    "wrong_dose",
    "wrong_sex_or_age",
    "association_as_cause",
    "unsupported_exclusion",
)
IN_TEXT = tuple(mutants_claims.CLAIMS)

_PLANTERS = {**mutants_claims.PLANTERS, **mutants_words.PLANTERS}


def plant(sample: Sample, donors: Sequence[Sample]) -> list[Mutant]:
    """One mutant a kind where the chain has a place for it.

    Args:
        sample: the sound chain.
        donors: samples whose chains may stand in for this one (other_question).
    """
    found = [planter(sample, _seeded(sample, name)) for name, planter in _PLANTERS.items()]
    return [mutant for mutant in [*found, *_other_question(sample, donors)] if mutant is not None]


def _seeded(sample: Sample, name: str) -> random.Random:
    return random.Random(digest(sample.chain["chain_id"], name))  # noqa: S311 - a choice that must be repeatable


def _other_question(sample: Sample, donors: Sequence[Sample]) -> Iterator[Mutant]:
    """The chain of another question under this one's id."""
    others = [each for each in donors if each.question["question_id"] != sample.question["question_id"]]
    if not others:
        return
    other = _seeded(sample, "other_question").choice(others)
    own = {key: sample.chain[key] for key in ("chain_id", "question_id")}
    shown = {edge["edge_id"] for edge in sample.case["edges"]}
    said = {edge["edge_id"] for step in other.chain["steps"] for edge in step["edges"]}
    yield Mutant(
        kind="other_question",
        chain={**other.chain, **own},
        equivalent=said <= shown and sample.case["answer"] == other.case["answer"],
    )
