"""Sound steps in many wordings (tests/data/prose_*.yaml, in the form of the corpus): next to none is flagged."""

from pathlib import Path

import pytest

from kg_spark.verification.check import Context, check
from kg_spark.verification.corpus import Sample, parse

FILES = sorted((Path(__file__).parents[1] / "data").glob("prose_*.yaml"))
SAMPLES = {sample.name: sample for file in FILES for sample in parse(file.read_text("utf-8"), "dev", file.name)}
# A dose by weight that somebody worked out, 100 mg per kg, stands nowhere: it is flagged, and the row is `loose`.
FLAGGED = {"The dose of 1.4 g of ceftriaxone is 100 mg per kg."}


def findings(sample: Sample) -> set[str]:
    """The texts of the steps with a finding; the steps are many wordings of few facts, so their walk says nothing."""
    names = {node_id: node.names for node_id, node in sample.nodes.items()}
    held = Context(
        case=sample.case,
        question=sample.question,
        links=sample.links,
        names=names,
        edges=sample.edges,
        kg_version=sample.chain["kg_version"],
        max_steps=len(sample.chain["steps"]),
    )
    row = check(sample.chain, held)
    return {sample.chain["steps"][each["step"] - 1]["text"] for each in row["findings"] if each["step"]}


@pytest.mark.parametrize("name", SAMPLES)
def test_sound_prose_is_not_flagged(name: str) -> None:
    assert findings(SAMPLES[name]) <= FLAGGED


def test_there_are_hundreds_of_them() -> None:
    assert sum(len(sample.chain["steps"]) for sample in SAMPLES.values()) >= 400
