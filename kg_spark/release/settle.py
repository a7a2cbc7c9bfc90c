"""A question with its chains -> its row of `release` or its reject, and its preference pairs.

Of several chains that hold the best is released: a strict one before a loose one, one that was answered right blind before
one that was not asked, one with fewer flags before one with more, the better grounded, the first. Where none holds, the
question is closed for what is wrong with the best.

A pair sets the released chain against another of the same question that was left out because it is worse. One that was
left out because it may not be given away, or was written over another graph, is no worse, and is in no pair.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conf.config import ReleaseConfig
from conf.identity import digest
from conf.outcome import Reason
from kg_spark.release.faults import UNKNOWN, first_fault, is_printed, may_be_read, shortfalls

Row = dict[str, Any]

_NOT_WORSE = frozenset({Reason.CONTAMINATED, Reason.OTHER_GRAPH, Reason.COPIES_STEM, Reason.LICENCE, Reason.NOT_STRICT})
_OF_QUESTION = (
    "question_id", "id_in_dataset", "answer", "answer_coverage", "answer_margin", "foil_persuaded", "kg_version",
)  # fmt: skip
_OF_CHAIN = (
    "chain_id", "reasoning", "evidence", "quotes", "cited_share", "background_share", "grounded", "model", "prompt_hash",
)  # fmt: skip
_BLIND = {True: 0, None: 1, False: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A chain with what decides over it."""

    chain: Row
    strict: bool
    fault: tuple[Reason, str] | None

    def place(self) -> tuple[Any, ...]:
        """Sorts the best chain first."""
        chain = self.chain
        grounded = -1.0 if chain["grounded"] is None else chain["grounded"]
        blind = _BLIND[chain["chain"]]
        return (not self.strict, blind, len(chain["flags"]), -grounded, chain["sample"], chain["chain_id"])


def settle(asked: Row, config: ReleaseConfig) -> Row:
    """What becomes of a question.

    Args:
        asked: columns of `questions`, `screened` and `cases`, `foil_persuaded`, and its `chains` towards the answer with
            their checks and verdicts.
        config: release.

    Returns:
        question_id; `release`, the row without the table's unset columns, or None and then `reason` and `detail`; `pairs`.
    """
    judged = sorted((_judge(chain, asked, config) for chain in asked["chains"]), key=Judged.place)
    best = next((each for each in judged if each.fault is None), None)
    if best is None:
        reason, detail = _fault(judged[0])
        told = " ".join(filter(None, (judged[0].chain["chain_id"], detail)))
        lost: Row = {"release": None, "reason": reason.name, "detail": told, "pairs": []}
        return {"question_id": asked["question_id"], **lost}
    return {
        "question_id": asked["question_id"],
        "release": _row(best, asked, config),
        "reason": None,
        "detail": None,
        "pairs": list(_pairs(best.chain, judged, asked, config)),
    }


def printed(options: list[Mapping[str, str]]) -> str:
    """MedReason's options: a heading and a line an option; empty for an open question."""
    return "\n".join(["Answer Choices:", *(f"{each['key']}. {each['text']}" for each in options)]) if options else ""


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _judge(chain: Row, asked: Row, config: ReleaseConfig) -> Judged:
    strict = next(shortfalls(chain, asked, config), None) is None
    return Judged(chain=chain, strict=strict, fault=first_fault(chain, asked, config))


def _fault(judged: Judged) -> tuple[Reason, str]:
    assert judged.fault is not None
    return judged.fault


def _row(best: Judged, asked: Row, config: ReleaseConfig) -> Row:
    """The row of `release`."""
    chain, options = best.chain, printed(asked["options"])
    may_print = is_printed(asked, config)
    licences = {asked["licence"] or UNKNOWN, *(edge["licence"] or UNKNOWN for edge in chain["edges"])}
    return {
        **{name: asked[name] for name in _OF_QUESTION},
        **{name: chain[name] for name in _OF_CHAIN},
        "dataset_name": asked["dataset"],
        "question": asked["question"] if may_print else None,
        "options": options if may_print else None,
        "question_sha256": text_digest(asked["question"]),
        "options_sha256": text_digest(options),
        "tier": "strict" if best.strict else "loose",
        "flags": sorted({*chain["flags"], *asked["flags"]}),
        "closed_book_correct": chain["closed_book"],
        "masked_correct": chain["masked"],
        "judge_model": chain["judge_model"],
        "same_model": chain["same_model"],
        "sources": sorted({source for edge in chain["edges"] for source in edge["sources"] or ()}),
        "licences": sorted(licences),
    }


def _pairs(chosen: Row, judged: list[Judged], asked: Row, config: ReleaseConfig) -> Iterator[Row]:
    """The released chain against each that is worse; texts only where the question may be printed."""
    shown = is_printed(asked, config)
    for each in judged:
        if each.fault is None or each.fault[0] in _NOT_WORSE or not may_be_read(each.chain, asked, config):
            continue
        kind, rejected = each.fault[0].name, each.chain
        yield {
            "pair_id": digest(chosen["chain_id"], rejected["chain_id"], kind),
            "question_id": asked["question_id"],
            "chosen": chosen["chain_id"],
            "rejected": rejected["chain_id"],
            "pair_kind": kind,
            "chosen_text": chosen["reasoning"] if shown else None,
            "rejected_text": rejected["reasoning"] if shown else None,
        }
