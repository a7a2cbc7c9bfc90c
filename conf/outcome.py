"""What can happen to a unit of work, and how a step reports it.

Three fates of a failure, by type: `ConfigError` and `ContractError` are what the user can put right (exit code 2, no
output table replaced); any other exception fails the run (exit code 1, what succeeded is kept); `Rejected` makes one
row in `rejects`. `Stopped` is none: the run was told to end (exit code 143).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from conf.flow import Step


class ConfigError(Exception):
    """A key, value or file named by the user is wrong; the text is one line saying what, where and what to do."""


class ContractError(Exception):
    """A table or input file is not what the step may rely on; the text is one line saying what to do."""


class Stopped(BaseException):
    """The run was told to end and has: what came is kept. Not an Exception, so that nothing on the way takes it for a failure."""


class Reason(StrEnum):
    """Why a unit left the pipeline. The name is `rejects.reason`, the sentence is `rejects.meaning`."""

    # rows of a graph file
    WRONG_COLUMNS = "the line has more or fewer fields than the header"
    TRUNCATED_LINE = "the file ends in the middle of this line"
    NOT_UTF8 = "the line is not valid UTF-8"
    MISSING_FIELD = "a required field is empty or NaN"
    NAME_IS_NUMBER = "a number stands where a name belongs, the sign of a shifted or truncated file"
    UNKNOWN_NODE = "an end of the edge is not among the nodes of its source"
    UNKNOWN_TYPE = "the node type has no row in types.yaml"
    UNKNOWN_RELATION = "the relation has no row in relations.yaml"
    UNKNOWN_PREFIX = "the identifier has no known prefix"
    WRONG_END_TYPES = "the ends are not of the types that the relation declares"
    SELF_LOOP = "the edge joins a node to itself"
    CONFLICTING_NODE = "the same id stands elsewhere in the source with another name or type"

    # rows of a question file
    NOT_JSON = "the line is not a JSON object"
    NO_QUESTION = "the question is empty"
    NO_ANSWER = "the answer is empty"
    ANSWER_NOT_AN_OPTION = "the answer is not among the options"
    DUPLICATE_OPTIONS = "two options have the same text or key"
    DUPLICATE_QUESTION = "the same question, options and answer stand earlier in the dataset"

    # mentions
    GENERIC_NODE = "the node is too general to start or end a path"
    NO_LINK = "no node of the graph is near enough to what is mentioned"
    INVENTED_SPAN = "the reply names a text that does not stand where it says"
    UNSHOWN_TYPE = "the reply names a type of node that was not shown"
    UNSHOWN_CANDIDATE = "the reply picks a candidate that was not shown"

    # questions
    ANSWER_YES_NO_MAYBE = "the answer is yes, no or maybe: no path of a graph can lead to it"
    ANSWER_NUMERIC = "the answer is a number, a dose or a count: no path of a graph can lead to it"
    ANSWER_ORDERING = "the answer is an order of things: no path of a graph can lead to it"
    ANSWER_COMBINATION = "the answer is a combination of several things: no single path can lead to it"
    ANSWER_STATEMENT = "the answer is a sentence of its own, not a thing or a phrase"
    CONTAMINATED = "the dataset is a published test set and the release is for training"
    COPIES_BENCHMARK = "the question repeats an item of a benchmark that the set is kept apart from"
    NEAR_DUPLICATE = "an earlier question of the set says the same in other words"
    NO_QUESTION_LINK = "nothing in the question links to a node of the graph"
    NO_ANSWER_LINK = "nothing in the answer links to a node of the graph"
    NO_CASE = "no path within max_hops joins question and answer"
    NO_CHAIN = "no chain was written that could be read"
    PROMPT_TOO_LONG = "the prompt with its best path alone is longer than the model reads"
    NO_RELEVANT_PATH = "the model kept none of the paths it was shown"
    WRONG_BLIND = "whoever read the chain without its conclusion answered otherwise"
    NO_CITATION = "no step of the chain cites an edge"
    UNGROUNDED = "a step cites an edge that the graph does not hold as claimed"
    OTHER_GRAPH = "the chain was written over another version of the graph"
    NO_STEPS = "the chain has no steps"
    TOO_MANY_STEPS = "the chain has more steps than any that was asked for"
    WRONG_CONCLUSION = "the conclusion does not name the answer, or names another option"
    AMBIGUOUS_ANSWER = "the answer reads like another option, so no conclusion can name it alone"
    COPIES_STEM = "the chain repeats a passage of a question that may not be given away"
    LICENCE = "an edge or the question came under terms that the release does not take"
    NOT_STRICT = "no chain passes every check of release.strict, and the release takes only those that do"
    NOT_NEEDED = "as many rows as were asked for passed before this question's turn"

    # pairs
    SAME_NODE = "question and answer name the same node: there is nothing to walk"
    NO_PATH = "no path within max_hops joins the pair"

    # chains
    NOT_A_REPLY = "the reply is not JSON of the asked form"
    UNSHOWN_EDGE = "the reply cites an edge that was not shown"
    UNSHOWN_PATH = "the reply keeps a path that was not shown"
    REQUEST_FAILED = "the engine gave no reply"
    CUT_SHORT = "the reply was cut at the most tokens it may have"
    REFUSED = "the model declined to answer"


class Flag(StrEnum):
    """What a chain's row must say of it. A flag alone rejects nothing: the row is `loose`, and whoever reads it can see why.

    `checks.flags` holds these names, and those of the reasons for which a chain is not released.
    """

    QUOTE_NOT_FOUND = "a step quotes words that do not stand in the question"
    BROKEN_PATH = "a cited path is not walked whole and in order from the question to the concluded option"
    OPPOSITE_POLARITY = "a step says that one thing raises, causes or suits another where the graph says the opposite"
    SIGN_NOT_STATED = (
        "a step says that one thing raises or lowers another where the graph says no more than that they are linked"
    )
    ASSOCIATION_AS_CAUSE = "a step tells an association of the graph as a cause"
    TURNED_ROUND = "a step tells an edge from its end to its beginning"
    NEGATED = "a step denies what the edge or the question that it rests on states"
    UNCITED_CLAIM = "a step that cites edges says of two things what no cited edge joins"
    UNKNOWN_ENTITY = "a step names what stands neither in the edges cited so far nor in the question"
    UNNAMED_END = "a step cites an edge and does not name what it joins"
    UNKNOWN_NUMBER = "a step gives a number or dose that stands neither in the question nor in a cited name"
    OTHER_PATIENT = "a step gives the patient another sex or age than the question"
    UNSUPPORTED_EXCLUSION = "a step rules something out that nothing it rests on speaks against"
    GIVES_ANSWER_AWAY = "a step tells what the answer is instead of arguing for it"


class Rejected(Exception):
    """One unit leaves the pipeline with a reason; never raised for what the user can put right."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.name}: {detail}" if detail else reason.name)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a stage hands to the store: frames to write and the sums that the row law is held to.

    `tables` holds by name what an engine's store writes: Spark DataFrames, or the files that a pass of Ray's has laid out
    (medreason_ray.results); `rejects` a DataFrame or an Arrow table with the columns of `rejects` but `step`, or None.
    `units_in` counts the step's units read, `merged` the units that became part of another, by the rule's name.
    """

    tables: Mapping[str, Any]
    units_in: int
    units_out: int | None = None
    """Where no single table counts the units out: raw lines that stated a node or an edge first."""
    rejects: Any = None
    merged: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    """Written into the commit beside the fingerprint, such as kg_version."""
    notices: tuple[str, ...] = ()
    """Lines for the person who runs the job: what was merged, what looks odd."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Numbers of this run, not of the result: tokens, cost; for MLflow and the last line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """One table as a step left it."""

    rows: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """What one step did, for the last line of a job, MLflow and the funnel."""

    step: str
    unit: str
    fingerprint: str
    up_to_date: bool
    inputs: Mapping[str, TableReport]
    tables: Mapping[str, TableReport]
    units_in: int
    units_out: int
    rejected: Mapping[str, int]
    merged: Mapping[str, int]
    seconds: float
    facts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


def unchanged(
    step: Step, fingerprint: str, inputs: Mapping[str, TableReport], tables: Mapping[str, TableReport]
) -> StageReport:
    """The report of a step that found its tables up to date."""
    return StageReport(
        step=step.name,
        unit=step.unit,
        fingerprint=fingerprint,
        up_to_date=True,
        inputs=inputs,
        tables=tables,
        units_in=0,
        units_out=0,
        rejected={},
        merged={},
        seconds=0.0,
    )


def replaced(
    step: Step,
    fingerprint: str,
    outcome: Outcome,
    *,
    inputs: Mapping[str, TableReport],
    tables: Mapping[str, TableReport],
    units_out: int,
    rejected: Mapping[tuple[str, str], int],
    seconds: float,
) -> StageReport:
    """The report of a step that has written its tables; `rejected` by (entity, reason)."""
    return StageReport(
        step=step.name,
        unit=step.unit,
        fingerprint=fingerprint,
        up_to_date=False,
        inputs=inputs,
        tables=tables,
        units_in=outcome.units_in,
        units_out=units_out,
        rejected={reason: count for (_, reason), count in sorted(rejected.items())},
        merged=dict(outcome.merged),
        seconds=seconds,
        facts=dict(outcome.facts),
        notices=outcome.notices,
        metrics=dict(outcome.metrics),
    )


def check_row_law(step: Step, outcome: Outcome, units_out: int, rejected: Mapping[tuple[str, str], int]) -> None:
    """Units in = units out + units rejected + units merged, or the step has lost or invented one.

    Args:
        step: the step, whose `unit` is counted.
        outcome: the stage's sums.
        units_out: distinct units in the written tables.
        rejected: rows of `rejects` by (entity, reason); only those of the step's unit count.

    Raises:
        RuntimeError: the sum is off: a defect of the stage, so nothing is written.
    """
    out = sum(count for (entity, _), count in rejected.items() if entity == step.unit)
    merged = sum(outcome.merged.values())
    if outcome.units_in != units_out + out + merged:
        raise RuntimeError(
            f"row law broken in {step.name}: {outcome.units_in} {step.unit}s in,"
            f" {units_out} out + {out} rejected + {merged} merged"
        )
