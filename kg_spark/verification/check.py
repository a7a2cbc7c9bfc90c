"""chain, context -> the row of `checks`: everything that can be shown of a chain without a model.

Pure: the same chain and context give the same row. A citation is held to the graph and the case, a path to its walk, a step's
wording to its edges, its numbers and patient to the question, the conclusion to the options. What cannot be read is not held
against the chain. A step may rest on every edge that was cited up to it, and on its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conf.outcome import Flag, Reason
from kg_spark.verification.agreement import Cited, contradicts, disagreements, is_absence
from kg_spark.verification.citations import NOT_OF_PATIENT, Citation, Shown, broken_paths, citations, concluded
from kg_spark.verification.conclusion import check_conclusion
from kg_spark.verification.patient import other_patient, wrong_numbers
from kg_spark.verification.reading import Claim, denied_unread, read
from kg_spark.verification.support import (
    denied_finding,
    exclusion,
    quoted,
    set_apart,
    told_answer,
    unknown_entities,
    unnamed_ends,
)
from kg_spark.verification.words import Names, words_of

Row = dict[str, Any]
Finding = tuple[int, Flag | Reason, str]

_SAYING = frozenset({"cause", "change", "treat", "shows", "own"})
_DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a chain is held to."""

    case: Row
    """The row of `cases`."""
    question: Row
    """The row of `questions`."""
    links: list[Row]
    """Rows of `links` of the question."""
    names: Mapping[str, tuple[str, ...]]
    """Name first, then synonyms, of every node on the case's edges, cited edges, links and step mentions."""
    edges: Mapping[str, Row]
    """Rows of `edges` that the chain cites or the case shows, by id; an absent one is not in the graph."""
    kg_version: str
    """Of the tables `nodes` and `edges`."""
    max_steps: int
    """Steps that could be asked for."""


def check(chain: Row, context: Context) -> Row:
    """The row of `checks` of a chain."""
    steps = list(chain["steps"] or ())
    shown = Shown(context.case)
    cited = citations(steps, shown, context.edges)
    option_key = concluded(chain, context.case, shown)
    found = [*_of_chain(chain, context), *_of_citations(steps, cited)]
    found += broken_paths(chain, shown, cited, context.links, option_key)
    found += check_conclusion(chain["conclusion"] or "", context.case, option_key, context.links, context.names)
    if len(steps) <= context.max_steps:
        found += _Steps(steps, context, cited, option_key).findings()
    return _row(chain, steps, cited, found)


def _of_chain(chain: Row, context: Context) -> Iterator[Finding]:
    steps = chain["steps"] or ()
    if not steps:
        yield 0, Reason.NO_STEPS, "the chain has no steps"
    if len(steps) > context.max_steps:
        yield 0, Reason.TOO_MANY_STEPS, f"{len(steps)} steps, at most {context.max_steps} were asked for"
    versions = {chain["kg_version"], context.case["kg_version"], context.kg_version}
    if len(versions) > 1:
        yield (
            0,
            Reason.OTHER_GRAPH,
            f"chain {chain['kg_version']}, case {context.case['kg_version']}, graph {context.kg_version}",
        )


def _of_citations(steps: list[Row], cited: list[Citation]) -> Iterator[Finding]:
    for each in cited:
        if each.wrong:
            yield each.step, Reason.UNGROUNDED, each.wrong
    for number, step in enumerate(steps, start=1):
        if step["support"] == "kg" and not step["edges"]:
            yield number, Reason.UNGROUNDED, "the step claims the graph and cites no edge"
    if steps and not cited:
        yield 0, Reason.NO_CITATION, "no step cites an edge"


class _Steps:
    """The steps of a chain, read one after the other."""

    def __init__(self, steps: list[Row], context: Context, cited: list[Citation], option_key: str | None) -> None:
        self._steps = steps
        self._context = context
        self._option_key = option_key
        self._question = context.question["question"] or ""
        options = [option["text"] or "" for option in context.question["options"] or ()]
        self._given = [self._question, *options, *([] if options else [context.question["answer"] or ""])]
        absent = {link["node_id"] for link in context.links if link["assertion"] in NOT_OF_PATIENT}
        self._negatives = [each["name"] for each in context.case["negatives"] or ()]
        self._negatives += [name for node in sorted(absent) for name in context.names.get(node, ())]
        self._linked = {link["node_id"] for link in context.links}
        self._by_step: dict[int, list[Row]] = {}
        for each in cited:
            if not each.wrong:
                self._by_step.setdefault(each.step, []).append(context.edges[each.claim["edge_id"]])

    @cached_property
    def _names(self) -> Names:
        """Made when a step is read: a chain whose steps are edges in their own words needs none."""
        return Names(self._context.names)

    @cached_property
    def _shown(self) -> Cited:
        return Cited(self._context.edges.values())

    def findings(self) -> Iterator[Finding]:
        """What is found in each step."""
        before: list[Row] = []
        for number, step in enumerate(self._steps, start=1):
            edges = self._by_step.get(number, [])
            before = [*before, *edges]
            text = step["text"] or ""
            turned = self._as_stated(text, edges) if step["support"] == "kg" else None
            if turned is not None:
                yield from ((number, flag, detail) for flag, detail in turned)
                continue
            yield from (
                (number, flag, detail[:_DETAIL_CHARS]) for flag, detail in self._of_step(step, text, edges, before)
            )

    def _as_stated(self, text: str, edges: list[Row]) -> list[tuple[Flag, str]] | None:
        """Of a step that is an edge in its own words: empty, or that it is turned round; None of any other.

        Parallel edges say one thing; edges of several hops are not told by the words of one.
        """
        if len({frozenset((edge["src"], edge["dst"])) for edge in edges}) > 1:
            return None
        said = tuple(word for word in words_of(text) if word != ".")
        turned = None
        for edge in edges:
            names = [name for end in ("src", "dst") for name in self._context.names.get(edge[end], ())[:1]]
            if len(names) < 2:
                continue
            src, dst = names
            if said in {_words(src, edge["phrase"], dst), _words(dst, edge["inverse_phrase"], src)}:
                return []
            if said in {_words(dst, edge["phrase"], src), _words(src, edge["inverse_phrase"], dst)}:
                turned = [] if edge["symmetric"] else [(Flag.TURNED_ROUND, text)]
        return turned

    def _of_step(self, step: Row, text: str, edges: list[Row], before: list[Row]) -> Iterator[tuple[Flag, str]]:
        support = step["support"]
        quote = quoted(step, self._question) if support == "question" else None
        if support == "question":
            if quote is None:
                yield Flag.QUOTE_NOT_FOUND, "the quote does not stand in the question"
            else:
                yield from denied_finding(text, step, self._question)
        unnamed = list(unnamed_ends(text, edges, self._names, self._context.names))
        yield from self._of_wording(step, text, edges, before, names_all=not unnamed)
        if support == "kg":
            yield from unnamed
        nodes = {edge[end] for edge in before for end in ("src", "dst")}
        used = [name for node in sorted(nodes) for name in self._context.names.get(node, ())]
        yield from wrong_numbers(text, [*self._given, *used], support=support)
        yield from other_patient(text, self._question)
        yield from exclusion(text, self._question, before, self._negatives, self._names, quote)
        if support != "background":
            known = nodes | self._linked | set_apart(text, self._names)
            yield from unknown_entities(step["mentions"] or (), known, self._context.names, self._given)
        yield from told_answer(text, self._option_key)

    def _of_wording(
        self, step: Row, text: str, edges: list[Row], before: list[Row], *, names_all: bool
    ) -> Iterator[tuple[Flag, str]]:
        is_cited = step["support"] == "kg" and bool(edges)
        held = before if is_cited else list(self._context.edges.values())
        phrases = {(edge["phrase"] or "", edge["inverse_phrase"] or "") for edge in held}
        ends = {edge[end] for edge in edges for end in ("src", "dst")}
        cited = Cited({edge["edge_id"]: edge for edge in before}.values())
        claims = read(text, self._names, tuple(sorted(phrases)))
        if is_cited and len(edges) == 1 and not claims and not _may_be_denied(edges[0]):
            yield from denied_unread(text, self._names, edges[0])
        for claim in claims:
            if not is_cited:
                yield from self._against_graph(claim)
                continue
            found = disagreements(claim, cited)
            if found is not None:
                yield from found
            elif not names_all and claim.family in _SAYING and (claim.left | claim.right) & ends and not claim.denied:
                yield Flag.UNCITED_CLAIM, repr(claim.said)

    def _against_graph(self, claim: Claim) -> Iterator[tuple[Flag, str]]:
        """Of a step that cites nothing: whether the case's own edges say the opposite."""
        edges = self._shown.between(claim.left, claim.right)
        if edges and not claim.denied and contradicts(claim, edges):
            yield Flag.OPPOSITE_POLARITY, f"{claim.said!r}; the graph: {edges[0]['phrase']}"


def _may_be_denied(edge: Row) -> bool:
    """Whether "not" between its ends may say what the edge says."""
    return bool(edge["polarity"] == "contraindicated") or is_absence(edge)


def _words(*parts: str) -> tuple[str, ...]:
    return tuple(word for part in parts for word in words_of(part or "") if word != ".")


def _row(chain: Row, steps: list[Row], cited: list[Citation], found: list[Finding]) -> Row:
    findings = sorted({(step, flag.name, detail[:_DETAIL_CHARS]) for step, flag, detail in found})
    supports = [step["support"] for step in steps]
    bad_steps = {each.step for each in cited if each.wrong}
    sound = [
        n for n, step in enumerate(steps, start=1) if step["support"] == "kg" and step["edges"] and n not in bad_steps
    ]
    kg = supports.count("kg")

    def texts(*names: str) -> list[str]:
        numbers = sorted({step for step, name, _ in findings if step and name in names})
        return [steps[number - 1]["text"] or "" for number in numbers]

    return {
        "chain_id": chain["chain_id"],
        "question_id": chain["question_id"],
        "arm": chain["arm"],
        "cited_share": kg / len(steps) if steps else None,
        "background_share": supports.count("background") / len(steps) if steps else None,
        "grounded": len(sound) / kg if kg else None,
        "bad_edges": sorted({each.claim["edge_id"] or "" for each in cited if each.wrong}),
        "unsupported": texts(Reason.UNGROUNDED.name, Flag.QUOTE_NOT_FOUND.name),
        "leaks": texts(Flag.GIVES_ANSWER_AWAY.name),
        "flags": sorted({name for _, name, _ in findings}),
        "findings": [{"step": step, "flag": name, "detail": detail} for step, name, detail in findings],
    }
