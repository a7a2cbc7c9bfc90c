"""Free text is read leniently, and never guessed at."""

import json

import pytest

from conf.outcome import Reason, Rejected
from medreason_ray import reply
from medreason_ray.stages import write_chains_text
from medreason_ray.stages.write_chains import Reply

PLAIN = """Finding reasoning paths:
1. A -[treats]-> B

Reasoning Process:
1. A treats B [E1].
2. B presents C [E2, E3]
   in most patients.
3. So it is known.

Conclusion:
The answer is C.
"""
STEPS = [
    ("kg", ["E1"], "A treats B."),
    ("kg", ["E2", "E3"], "B presents C in most patients."),
    ("background", None, "So it is known."),
]


def read(text: str) -> tuple[list, str]:
    found = json.loads(write_chains_text.as_json(text))
    return [(step["support"], step.get("edges"), step["text"]) for step in found["steps"]], found["conclusion"]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("Reasoning Process:", "### **Reasoning Process:**").replace("Conclusion:", "**Conclusion:**"),
        PLAIN.replace("1. A tr", "- A tr").replace("2. B", "* B").replace("3. So", "• So"),
        PLAIN.replace("1. A tr", "Step 1: A tr").replace("2. B", "Step 2: B").replace("3. So", "Step 3: So"),
        PLAIN.replace("Reasoning Process:", "2. REASONING PROCESS")
        .replace("[E1]", "(E1)")
        .replace("[E2, E3]", "[E2; E3]"),
        "Certainly! In conclusion: it holds.\n" + PLAIN,
        PLAIN.replace("Conclusion:\nThe", "Final Conclusion: The"),
    ],
    ids=["plain", "bold", "bulleted", "steps", "numbered heading", "talk before", "one line"],
)
def test_a_chain_is_read_however_its_parts_are_marked(text):
    assert read(text) == (STEPS, "The answer is C.")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", "Reasoning Process"),
        ("I cannot help with that.", "Reasoning Process"),
        (PLAIN.partition("Conclusion:")[0], "Conclusion"),
        (PLAIN.replace("The answer is C.", ""), "conclusion"),
        ("Reasoning Process:\n\nConclusion:\nC.", "steps"),
    ],
)
def test_what_has_no_steps_or_no_conclusion_is_rejected(text, missing):
    with pytest.raises(Rejected, match=missing) as rejected:
        write_chains_text.as_json(text)
    assert rejected.value.reason is Reason.NOT_A_REPLY


@pytest.mark.parametrize(
    "long",
    [
        "\n".join(f"{n}. A treats B [E1]." for n in range(4, 10_000)),
        f"4. A treats B [{', '.join(f'E{n}' for n in range(1, 10))}].",
        "4. " + "and so on " * 201,
    ],
    ids=["steps", "labels", "words"],
)
def test_what_is_longer_than_a_chain_may_be_is_rejected_whole(long):
    text = write_chains_text.as_json(PLAIN.replace("\nConclusion", f"{long}\n\nConclusion"))
    with pytest.raises(Rejected) as rejected:
        reply.read(Reply, text)
    assert rejected.value.reason is Reason.NOT_A_REPLY
