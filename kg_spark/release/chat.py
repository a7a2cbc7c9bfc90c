"""A question and its chain as the messages that trainers read.

The final answer of a pair is the same on both sides, so that what is preferred is the reasoning, and no tuner learns the
shape of an answer instead.

Source: MedReason (arXiv:2504.00993) for the two headings; TRL's "conversational" format for `messages`, `prompt`,
`chosen` and `rejected`.
"""

from typing import Any

Row = dict[str, Any]


def sft_row(row: Row) -> Row:
    """A row of `release` whose question is printed, as a dialogue."""
    return {
        "question_id": row["question_id"],
        "tier": row["tier"],
        "messages": [_asked(row), _answered(row["reasoning"], row["answer"])],
    }


def preference_row(pair: Row) -> Row:
    """A row of `preference_pairs` with `question`, `options` and `answer` of its question."""
    return {
        "pair_id": pair["pair_id"],
        "question_id": pair["question_id"],
        "pair_kind": pair["pair_kind"],
        "prompt": [_asked(pair)],
        "chosen": [_answered(pair["chosen_text"], pair["answer"])],
        "rejected": [_answered(pair["rejected_text"], pair["answer"])],
    }


def _asked(row: Row) -> Row:
    return {"role": "user", "content": "\n".join(filter(None, (row["question"], row["options"])))}


def _answered(reasoning: str, answer: str) -> Row:
    return {"role": "assistant", "content": f"## Thinking\n\n{reasoning}\n\n## Final Answer\n\n{answer}"}
