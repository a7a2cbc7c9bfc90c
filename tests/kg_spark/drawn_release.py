"""Questions with chains as `kg_spark.release.settle` takes them, drawn in words, for the tests of the release."""

from typing import Any

Row = dict[str, Any]

STEM = "A woman of 54 has had fever and a rash for three days. Which drug explains what she has?"


def chain(name: str = "a", **changes: Any) -> Row:
    """A chain without fault: one step that cites one edge."""
    row = {
        "chain_id": name,
        "sample": 0,
        "reasoning": f"Finding reasoning paths:\n1. A -> B\n\nReasoning Process:\n1. {name} by A.\n\nConclusion:\nC.",
        "steps": 1,
        "kg_version": "drawn",
        "model": "m",
        "prompt_hash": "p",
        "quotes": [{"step": 1, "start": 2, "end": 7}],
        "evidence": [{"text": "A -> B", "edge_ids": [["e"]]}],
        "cited_share": 1.0,
        "background_share": 0.0,
        "grounded": 1.0,
        "bad_edges": [],
        "flags": [],
        "findings": [],
        "closed_book": None,
        "chain": None,
        "masked": None,
        "judge_model": None,
        "same_model": None,
        "edges": [{"edge_id": "e", "sources": ["drawn"], "licence": "CC0-1.0"}],
    }
    return row | changes


def asked(*chains: Row, **changes: Any) -> Row:
    """A question of two options, under Apache-2.0, that nothing is wrong with."""
    row = {
        "question_id": "q",
        "dataset": "drawn",
        "id_in_dataset": "1",
        "question": STEM,
        "options": [{"key": "A", "text": "C"}, {"key": "B", "text": "E"}],
        "answer_key": "A",
        "answer": "C",
        "licence": "Apache-2.0",
        "is_test_set": False,
        "answer_coverage": 1.0,
        "flags": [],
        "answer_margin": 1.0,
        "kg_version": "drawn",
        "foil_persuaded": None,
        "chains": list(chains) or [chain()],
    }
    return row | changes
