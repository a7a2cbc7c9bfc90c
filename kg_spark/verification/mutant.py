"""What a mutant is, and how a chain is written anew around a change."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from kg_spark.verification.corpus import Sample
from kg_spark.verification.corpus_rows import Row, layout, names_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A chain with one error in it."""

    kind: str
    chain: Row
    equivalent: bool = False
    in_text: bool = False
    """A structural kind, told by words alone."""

    @property
    def name(self) -> str:
        """The kind, told apart by where the error is."""
        return name_of(self.kind, in_text=self.in_text)


def name_of(kind: str, *, in_text: bool = False) -> str:
    """How mutants of a kind are called."""
    return f"{kind}_in_text" if in_text else kind


Planter = Callable[[Sample, random.Random], Mutant | None]


def rewritten(sample: Sample, steps: list[Row], conclusion: str | None = None) -> Row:
    """The sample's chain with other steps; what follows from them is made anew."""
    chain = sample.chain
    walked = {edge["path_id"] for step in steps for edge in step["edges"]}
    paths = [path for pair in sample.case["pairs"] for path in pair["paths"] if path["path_id"] in walked]
    paths = list({path["path_id"]: path for path in paths}.values())
    said = chain["conclusion"] if conclusion is None else conclusion
    return {
        **chain,
        "steps": steps,
        "evidence": [path["path_id"] for path in paths],
        "conclusion": said,
        "reasoning": layout([path["text"] for path in paths], [step["text"] for step in steps], said),
    }


def with_step(sample: Sample, place: int, text: str, edges: list[Row] | None = None) -> Row:
    """The sample's chain with one step in other words and, where given, with other citations."""
    steps = list(sample.chain["steps"])
    old = steps[place]
    # Mentions are found in the words; where the chain's were not looked for, neither are the mutant's.
    looked_for = any(step["mentions"] for step in steps)
    mentions = names_in(text, sample.nodes.values()) if looked_for else old["mentions"]
    steps[place] = {**old, "text": text, "mentions": mentions, "edges": old["edges"] if edges is None else edges}
    return rewritten(sample, steps)
