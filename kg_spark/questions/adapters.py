"""lines of a question file -> questions: one short adapter a published format.

An adapter only says where its fields lie; `record` checks them all alike. Every format is read as JSON Lines and as
the published Parquet's rows, which bear the same names.

Source: the fields of GBaker/MedQA-USMLE-4-options, openlifescienceai/medmcqa, qiaojin/PubMedQA, cais/mmlu,
TsinghuaC3I/MedXpertQA, FreedomIntelligence/medical-o1-verifiable-problem, cais/hle, HanjieChen/ChallengeClinicalQA and
MedReason's evaluation files.
"""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from conf.outcome import ConfigError, ContractError, Reason, Rejected
from kg_spark.questions.record import DETAIL_LENGTH, Fields, Question, letter, plain, settle_question, text_of

Record: TypeAlias = Mapping[str, object]

CHOICES = re.compile(r"\s*\bAnswer Choices:\s*", re.IGNORECASE)
CHOICE = re.compile(r"^[ \t]*([A-Z])[.)]\s+|\(([A-Z])\)\s+", re.MULTILINE)


def parse_line(format_name: str, line: str, line_number: int) -> Question:
    """One line of a JSON Lines file; a byte order mark before it is dropped.

    Raises:
        ConfigError: the format is unknown.
        Rejected: NOT_JSON, or what `parse_record` raises.
    """
    try:
        record = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.NOT_JSON, str(error)[:DETAIL_LENGTH]) from error
    if not isinstance(record, dict):
        raise Rejected(Reason.NOT_JSON, f"a {type(record).__name__} stands where a record belongs")
    return parse_record(format_name, record, line_number)


def parse_record(format_name: str, record: Record, line_number: int) -> Question:
    """One record, from JSON or a Parquet row; fields that the format does not name are ignored.

    Raises:
        ConfigError: the format is unknown.
        Rejected: NO_QUESTION, NO_ANSWER, ANSWER_NOT_AN_OPTION, DUPLICATE_OPTIONS, NOT_UTF8.
    """
    if format_name not in FORMATS:
        raise ConfigError(f"unknown question format {format_name!r}: give one of {', '.join(sorted(FORMATS))}")
    return settle_question(FORMATS[format_name](record), line_number)


def split_object(text: str) -> list[str]:
    """PubMedQA's single JSON object, keyed by pmid, as one JSON line a record, which holds its pmid as `pubid`.

    A value that is not an object becomes a line as it is: the line is then rejected, and counted.

    Raises:
        ContractError: the file is not one JSON object, or a key stands twice in it (a record would be lost).
    """
    try:
        records = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"not one JSON object keyed by pmid ({error}): give the file as published") from error
    if not isinstance(records, dict):
        raise ContractError("not one JSON object keyed by pmid: give the file as published")
    rows = ({"pubid": pmid, **value} if isinstance(value, dict) else value for pmid, value in records.items())
    return [json.dumps(row) for row in rows]


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object as json reads it.

    Raises:
        ContractError: a key stands twice; json keeps the last one and says nothing.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ContractError(f"the key {twice!r} stands twice in one JSON object: leave one of the two")
    return found


def split_choices(text: object) -> tuple[str, dict[str, str]]:
    """Stem and options of a question that ends in "Answer Choices:" and A. … or (A) …; no options where it does not.

    A label counts only when it is the next letter, so that "(B) cells" inside an option splits nothing out of turn.
    """
    whole = text_of(text)
    cut = list(CHOICES.finditer(whole))
    if not cut:
        return whole, {}
    body = whole[cut[-1].end() :]
    starts: list[re.Match[str]] = []
    for label in CHOICE.finditer(body):
        if (label[1] or label[2]) == letter(len(starts)):
            starts.append(label)
    ends = [label.start() for label in starts[1:]] + [len(body)]
    found = {letter(n): body[label.end() : end] for n, (label, end) in enumerate(zip(starts, ends, strict=True))}
    return whole[: cut[-1].start()], found


def index_of(value: object) -> int | None:
    """An option's index, as int, float or text; None for anything else, also below 0, which marks a hidden one."""
    found = text_of(value)
    return int(found) if re.fullmatch(r"\d{1,9}", found, re.ASCII) else None


def lettered(record: Record, *names: str) -> dict[str, object]:
    """Options that lie in columns of their own, keyed A, B, …."""
    return {letter(place): record.get(name) for place, name in enumerate(names)}


def medqa(record: Record) -> Fields:
    """MedQA: question, options {A: text}, answer (text), answer_idx (letter)."""
    return Fields(
        question=record.get("question"),
        options=record.get("options"),
        answer=record.get("answer"),
        answer_key=record.get("answer_idx"),
        id_in_dataset=record.get("id"),
    )


def medbullets(record: Record) -> Fields:
    """MedBullets: MedQA's fields, or its authors' table with the options in columns opa to ope."""
    columns = lettered(record, "opa", "opb", "opc", "opd", "ope")
    return medqa(record if "options" in record else {**record, "options": columns})


def medmcqa(record: Record, first: int = 0) -> Fields:
    """MedMCQA's published Parquet: opa to opd, cop 0 to 3 (its card says 1 to 4, wrongly), -1 where it is hidden.

    Nothing in one record tells 0 to 3 from 1 to 4, and a guess would make wrong answers right: so the authors' JSON
    is a format of its own, and either file read as the other loses about a quarter of its rows, which stops the step.
    `context` is the published explanation: it gives the answer away, so show it to no model that is to find it.

    Source: huggingface/datasets#4064 (the Parquet's cop is the JSON's less 1), medmcqa/medmcqa#9.
    """
    number = index_of(record.get("cop"))
    if number is not None and number - first not in range(4):
        other = "medmcqa_json" if first == 0 else "medmcqa"
        raise Rejected(Reason.ANSWER_NOT_AN_OPTION, f"cop is {number}: a file that counts so is of format {other}")
    return Fields(
        question=record.get("question"),
        options=lettered(record, "opa", "opb", "opc", "opd"),
        answer_key=None if number is None else letter(number - first),
        id_in_dataset=record.get("id"),
        context=record.get("exp"),
    )


def medmcqa_json(record: Record) -> Fields:
    """MedMCQA's JSON by its authors: the same fields, but cop is 1 to 4."""
    return medmcqa(record, first=1)


def pubmedqa(record: Record) -> Fields:
    """PubMedQA: QUESTION, CONTEXTS and final_decision, or the Parquet's question, context {contexts} and pubid."""
    context = plain(record.get("CONTEXTS", record.get("context")))
    return Fields(
        question=record.get("QUESTION", record.get("question")),
        options={"A": "Yes", "B": "No", "C": "Maybe"},
        answer=record.get("final_decision"),
        id_in_dataset=record.get("pubid"),
        context=context.get("contexts") if isinstance(context, Mapping) else context,
    )


def mmlu(record: Record) -> Fields:
    """MMLU: question, choices [text], answer (index from 0, or a letter); its rows bear no id."""
    answer = plain(record.get("answer"))
    number = None if isinstance(answer, str) else index_of(answer)
    return Fields(
        question=record.get("question"),
        options=record.get("choices", record.get("options")),
        answer_key=letter(number) if number is not None else answer if isinstance(answer, str) else None,
        id_in_dataset=record.get("question_id", record.get("id")),
    )


def medxpertqa(record: Record) -> Fields:
    """MedXpertQA: id, question (the Parquet repeats the options in it), options {A: text}, label (letter), images."""
    stem, choices = split_choices(record.get("question"))
    return Fields(
        question=stem,
        options=plain(record.get("options")) or choices,
        answer_key=record.get("label"),
        id_in_dataset=record.get("id"),
        image=record.get("images"),
    )


def huatuo(record: Record) -> Fields:
    """medical-o1-verifiable-problem: an open question and its reference answer, without options or id."""
    return Fields(question=record.get("Open-ended Verifiable Question"), answer=record.get("Ground-True Answer"))


def hle(record: Record) -> Fields:
    """Humanity's Last Exam: MedReason's file (idx, options, answer "C. text", answer_idx), or the published Parquet.

    The Parquet writes the options into the question and the letter into `answer`, when answer_type is multipleChoice.
    """
    if "options" in record:
        return Fields(
            question=record.get("question"),
            options=record.get("options"),
            answer=record.get("answer"),
            answer_key=record.get("answer_idx"),
            id_in_dataset=record.get("idx", record.get("id")),
        )
    multiple = record.get("answer_type") == "multipleChoice"
    stem, choices = split_choices(record.get("question")) if multiple else (record.get("question"), {})
    return Fields(
        question=stem,
        options=choices,
        **{"answer_key" if multiple else "answer": record.get("answer")},
        id_in_dataset=record.get("id"),
        image=record.get("image"),
    )


def generic(record: Record) -> Fields:
    """The user's own file: question, answer, and where it has them options, answer_key, id, context, split."""
    names = ("question", "answer", "options", "answer_key", "context", "split")
    return Fields(**{name: record.get(name) for name in names}, id_in_dataset=record.get("id"))


FORMATS: Mapping[str, Callable[[Record], Fields]] = MappingProxyType(
    {
        "medqa": medqa,
        "medbullets": medbullets,
        "medmcqa": medmcqa,
        "medmcqa_json": medmcqa_json,
        "pubmedqa": pubmedqa,
        "mmlu": mmlu,
        "medxpertqa": medxpertqa,
        "huatuo": huatuo,
        "hle": hle,
        "generic": generic,
    }
)
"""The adapter of each format, by the name that a config gives."""
