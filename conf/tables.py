"""Every table of the lake, declared once: schema, a sentence a column, key. `python -m conf.tables` prints docs/tables.md.

Spark's StructType and Ray's checks derive from these, so a column exists here or nowhere. What a later stage computes
is null until then. The tables up to `cases` stand in conf/tables_graph.py; all are imported from here.
"""

import pyarrow as pa

from conf.table import CHAIN_STEP, EVIDENCE, F64, FINDING, FLAG, I32, QUOTED, TEXT, TEXTS, Table, column, markdown
from conf.tables_graph import (
    CASES,
    EDGES,
    GRAPH_PROFILE,
    LINKS,
    MENTIONS,
    NODE_VECTORS,
    NODES,
    PATHS,
    QUESTIONS,
    SCREENED,
)

__all__ = [
    "CASES",
    "CHAINS",
    "CHECKS",
    "EDGES",
    "GRAPH_PROFILE",
    "LINKS",
    "MENTIONS",
    "NODES",
    "NODE_VECTORS",
    "PATHS",
    "PREFERENCE_PAIRS",
    "QUESTIONS",
    "REJECTS",
    "REJECTS_FOUND",
    "RELEASE",
    "REPLIES",
    "SCREENED",
    "TABLES",
    "VERDICTS",
]

REPLIES = Table(
    name="replies",
    doc="The ledger: every model request that was answered or failed. Append-only; the smallest reply of an id counts.",
    key=("request_id",),
    append_only=True,
    columns=(
        column("request_id", TEXT, "digest of stage, prompt, schema, model, sampling and seed, 64 digits"),
        column("stage", TEXT, "the stage that asked"),
        column("question_id", TEXT, "the question it was asked for"),
        column("model", TEXT, "engine/model that answered"),
        column("prompt_hash", TEXT, "digest of the prompt file"),
        column("reply", TEXT, "the text as it came; null when it failed"),
        column("finish_reason", TEXT, "stop, length, refusal or error"),
        column("error", TEXT, "class and text of the failure; null when it was answered"),
        column("tokens_in", I32, "prompt tokens; null where the engine does not count"),
        column("tokens_out", I32, "reply tokens; null where the engine does not count"),
        column("tokens_cached", I32, "prompt tokens not read again; null where the engine does not say"),
        column("seconds", F64, "from asking to reply", volatile=True),
    ),
)

CHAINS = Table(
    name="chains",
    version=2,
    doc="Reasoning chains, step by step, each step with what supports it.",
    key=("chain_id",),
    columns=(
        column("chain_id", TEXT, "sha256(question_id, arm, sample, request_id)[:16]"),
        column("question_id", TEXT, "cases.question_id"),
        column("sample", I32, "number of the sample, from 0"),
        column("arm", TEXT, "answer, or foil for a chain towards a wrong option"),
        column("evidence", TEXTS, "path_ids the chain walks"),
        column("steps", pa.list_(CHAIN_STEP), "text, support (kg, question, background) and the edges as claimed"),
        column("reasoning", TEXT, "MedReason's layout: Finding Reasoning Paths / Reasoning Process / Conclusion"),
        column("conclusion", TEXT, "the last part alone"),
        column("paths_shown", I32, "paths that the prompt showed, whole"),
        column("paths_left_out", I32, "paths at hand that fitted neither chains.max_edges nor what the model can read"),
        column("model", TEXT, "engine/model that wrote it"),
        column("prompt_hash", TEXT, "digest of the prompt file"),
        column("kg_version", TEXT, "cases.kg_version"),
    ),
)

VERDICTS = Table(
    name="verdicts",
    version=2,
    doc="What blind answering says of a chain.",
    key=("chain_id", "arm"),
    columns=(
        column("chain_id", TEXT, "chains.chain_id; closed_book, chain and masked of one to the answer, foil of a foil"),
        column("question_id", TEXT, "chains.question_id"),
        column(
            "arm",
            TEXT,
            "closed_book (the question alone), chain (without its conclusion), masked (and without the answer's names), "
            "or foil (a chain towards a wrong option, without its conclusion)",
        ),
        column("answer_key", TEXT, "the option chosen blind; null when not judged, and for an open question"),
        column("agrees", FLAG, "the blind answer is the dataset's, of a foil too; null when not judged"),
        column(
            "persuaded",
            FLAG,
            "the blind answer is the one that the chain was written towards: of chain and masked as agrees, of foil the "
            "foil's option (neither agrees nor persuaded: a third option); null in closed_book and when not judged",
        ),
        column("method", TEXT, "match, model or not_judged"),
        column("judge_model", TEXT, "engine/model that was asked; null when nobody was"),
        column("same_model", FLAG, "it is the model that wrote the chain; null when nobody was asked"),
        column("why", TEXT, "why it was not judged, or the judge's words"),
    ),
)

CHECKS = Table(
    name="checks",
    version=2,
    doc="What can be shown of a chain without a model.",
    key=("chain_id",),
    columns=(
        column("chain_id", TEXT, "chains.chain_id"),
        column("question_id", TEXT, "chains.question_id"),
        column("arm", TEXT, "chains.arm"),
        column("cited_share", F64, "steps with support kg / steps; null without steps"),
        column("background_share", F64, "steps with support background / steps; null without steps"),
        column(
            "grounded",
            F64,
            "kg steps whose every edge stands in the graph as claimed and in the case / kg steps; null without any",
        ),
        column("bad_edges", TEXTS, "edge_ids that do not, sorted"),
        column("unsupported", TEXTS, "steps without the support they claim"),
        column("leaks", TEXTS, "steps that give the answer away instead of arguing for it"),
        column("flags", TEXTS, "names of conf.outcome.Flag and Reason that hold, sorted; empty: nothing was found"),
        column("findings", pa.list_(FINDING), "each thing found, with the step and what is wrong, in words"),
    ),
)

RELEASE = Table(
    name="release",
    version=3,
    doc="The dataset: MedReason's six fields and where each row comes from.",
    key=("question_id",),
    columns=(
        column("dataset_name", TEXT, "questions.dataset"),
        column("id_in_dataset", TEXT, "questions.id_in_dataset"),
        column("question", TEXT, "questions.question; null where only ids may be given away (release.questions)"),
        column("answer", TEXT, "questions.answer"),
        column("reasoning", TEXT, "chains.reasoning"),
        column(
            "options",
            TEXT,
            "`Answer Choices:` and a line `A. …` an option; empty for an open question; null as question",
        ),
        column("question_id", TEXT, "questions.question_id"),
        column(
            "question_sha256", TEXT, "SHA-256 of questions.question in UTF-8, hex: tells a joined text from another"
        ),
        column(
            "options_sha256",
            TEXT,
            "likewise of the options as printed: two editions of a dataset may share their stems",
        ),
        column("quotes", pa.list_(QUOTED), "where in the question the steps quote it: step from 1, characters from 0"),
        column("chain_id", TEXT, "chains.chain_id"),
        column("tier", TEXT, "strict: every check that release.strict names is passed; else loose"),
        column("flags", TEXTS, "checks.flags and cases.flags, sorted"),
        column("evidence", pa.list_(EVIDENCE), "the cited paths as text, with the edges of each step"),
        column("cited_share", F64, "checks.cited_share"),
        column("background_share", F64, "checks.background_share"),
        column("grounded", F64, "checks.grounded"),
        column("answer_coverage", F64, "screened.answer_coverage"),
        column("answer_margin", F64, "cases.answer_margin"),
        column("closed_book_correct", FLAG, "verdict of the arm closed_book; null when not judged"),
        column("masked_correct", FLAG, "verdict of the arm masked; null when not judged"),
        column("foil_persuaded", FLAG, "a chain towards a wrong option led to that option; null when not judged"),
        column("kg_version", TEXT, "content digest of the graph"),
        column("model", TEXT, "chains.model"),
        column("judge_model", TEXT, "verdicts.judge_model; null when not judged"),
        column("same_model", FLAG, "writer and judge are one model; null when not judged"),
        column("prompt_hash", TEXT, "chains.prompt_hash"),
        column("sources", TEXTS, "sources of the edges that the row cites or shows, sorted"),
        column("licences", TEXTS, "licences of those edges and of the question, sorted; `unknown` where unknown"),
    ),
)

PREFERENCE_PAIRS = Table(
    name="preference_pairs",
    doc="Two chains of one question of which the first is the better, for preference tuning.",
    key=("pair_id",),
    columns=(
        column("pair_id", TEXT, "sha256(chosen, rejected, pair_kind)[:16]"),
        column("question_id", TEXT, "questions.question_id"),
        column("chosen", TEXT, "chain_id of the released chain"),
        column("rejected", TEXT, "chain_id of the other; of a mutant, the id it would have"),
        column("pair_kind", TEXT, "why the second is worse: the name of a Reason, or mutant:KIND"),
        column("chosen_text", TEXT, "its reasoning; null where the question may not be printed"),
        column("rejected_text", TEXT, "its reasoning; null likewise"),
    ),
)

REJECTS = Table(
    name="rejects",
    doc="Every unit that left the pipeline, with the step, the reason and what a person should know.",
    key=("step", "entity", "key"),
    partition_by=("step",),
    columns=(
        column("step", TEXT, "the step that closed it"),
        column("entity", TEXT, "row, question, mention, pair or chain"),
        column("key", TEXT, "a row's file:sha256(line)[:16]:occurrence; a pair's key joined by |; else the id"),
        column("reason", TEXT, "name of the reason (conf.outcome.Reason)"),
        column("meaning", TEXT, "the reason in a sentence"),
        column("detail", TEXT, "the content or what was found"),
    ),
)

REJECTS_FOUND = pa.schema([REJECTS.schema.field(name) for name in ("entity", "key", "reason", "detail")])
"""What a stage says of its rejects; the store adds the step and the reason's sentence."""

TABLES = {
    table.name: table
    for table in (
        NODES, EDGES, GRAPH_PROFILE, QUESTIONS, NODE_VECTORS, MENTIONS, LINKS, SCREENED, PATHS, CASES,
        REPLIES, CHAINS, VERDICTS, CHECKS, RELEASE, PREFERENCE_PAIRS, REJECTS,
    )
}  # fmt: skip

if __name__ == "__main__":
    print("\n".join(markdown(TABLES.values())))
