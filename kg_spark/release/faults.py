"""A chain and its question -> the first reason not to release it, and its tier.

The order of the reasons is that of what can be known: what the chain is, what the graph says of it, what whoever read it
blind answered, what may be given away.
"""

from collections.abc import Iterator
from typing import Any

from conf.config import ReleaseConfig
from conf.licences import terms
from conf.outcome import Reason
from kg_spark.release.stem import shared_passage

Row = dict[str, Any]

UNKNOWN = "unknown"

_CHECKED = (
    Reason.NO_STEPS,
    Reason.TOO_MANY_STEPS,
    Reason.OTHER_GRAPH,
    Reason.NO_CITATION,
    Reason.UNGROUNDED,
    Reason.AMBIGUOUS_ANSWER,
    Reason.WRONG_CONCLUSION,
)
_DETAILS = 3  # findings told in a reject: the others stand in `checks`


def is_printed(asked: Row, config: ReleaseConfig) -> bool:
    """Whether the question and its options stand in the release."""
    return config.questions == "full" or terms(asked["licence"]).redistributable


def first_fault(chain: Row, asked: Row, config: ReleaseConfig) -> tuple[Reason, str] | None:
    """The first reason that holds, and what a person should know; None where the chain may be released."""
    return next(faults(chain, asked, config), None)


def faults(chain: Row, asked: Row, config: ReleaseConfig) -> Iterator[tuple[Reason, str]]:
    """Every reason not to release the chain, the first first, each with what was found."""
    if asked["is_test_set"] and config.purpose == "training":
        yield Reason.CONTAMINATED, asked["dataset"]
    held = {Reason[name] for name in chain["flags"] if name in Reason.__members__} | set(_derived(chain, asked))
    for reason in (*_CHECKED, *(each for each in Reason if each in held and each not in _CHECKED)):
        if reason in held:
            yield reason, _told(chain, reason)
    if chain["chain"] is False:
        yield Reason.WRONG_BLIND, ""
    yield from _kept_back(chain, asked, config)
    if config.min_tier == "strict" and (lacks := list(shortfalls(chain, asked, config))):
        yield Reason.NOT_STRICT, ", ".join(lacks)


def _kept_back(chain: Row, asked: Row, config: ReleaseConfig) -> Iterator[tuple[Reason, str]]:
    """What may not be given away, however good the chain is."""
    if not is_printed(asked, config) and (passage := shared_passage(asked["question"], chain["reasoning"])):
        yield Reason.COPIES_STEM, passage
    if config.licence == "permissive" and (source := _not_permissive(chain, asked)):
        yield Reason.LICENCE, source


def may_be_read(chain: Row, asked: Row, config: ReleaseConfig) -> bool:
    """Whether the chain's text may be given away at all, as the worse half of a pair."""
    return next(_kept_back(chain, asked, config), None) is None


def shortfalls(chain: Row, asked: Row, config: ReleaseConfig) -> Iterator[str]:
    """What keeps a chain from the tier `strict`, in words; nothing where it is strict."""
    least = config.strict
    measured = (
        ("cited_share", chain["cited_share"], least.cited_share),
        ("grounded", chain["grounded"], least.grounded),
        ("answer_coverage", asked["answer_coverage"], least.answer_coverage),
    )
    for name, value, wanted in measured:
        if value is None or value < wanted:
            yield f"{name} {_figure(value)} below {wanted:g}"
    margin = asked["answer_margin"]
    if asked["options"] and (margin is None or margin <= least.answer_margin):
        yield f"answer_margin {_figure(margin)} not above {least.answer_margin:g}"
    yield from sorted({*chain["flags"], *asked["flags"]} - set(least.ignore_flags))


def _derived(chain: Row, asked: Row) -> Iterator[Reason]:
    """Reasons that follow from the numbers, whether or not a check has flagged them."""
    if not chain["steps"]:
        yield Reason.NO_STEPS
    if chain["kg_version"] != asked["kg_version"]:
        yield Reason.OTHER_GRAPH
    if chain["grounded"] is None:
        yield Reason.NO_CITATION
    elif chain["grounded"] < 1:
        yield Reason.UNGROUNDED


def _told(chain: Row, reason: Reason) -> str:
    if reason is Reason.UNGROUNDED and chain["bad_edges"]:
        return " ".join(chain["bad_edges"])
    said = [each["detail"] for each in chain["findings"] or () if each["flag"] == reason.name and each["detail"]]
    return "; ".join(said[:_DETAILS])


def _not_permissive(chain: Row, asked: Row) -> str:
    """The dataset or the first edge whose terms are not known to be permissive; empty where all are."""
    if not terms(asked["licence"]).permissive:
        return f"questions of {asked['dataset']}: {asked['licence'] or UNKNOWN}"
    for edge in chain["edges"]:
        if not terms(edge["licence"]).permissive:
            sources = ", ".join(edge["sources"] or ())
            return f"edge {edge['edge_id']} of {sources or 'no source'}: {edge['licence'] or UNKNOWN}"
    return ""


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
