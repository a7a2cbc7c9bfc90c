"""conclusion, options, links -> whether it names the option that it should and no other.

Options may contain each other ("hypertension", "pulmonary hypertension"): the longest that stands at a place is the one that
is named there. A conclusion need not repeat an option's words: a name of the node that the option links to will do, or most
of its words of content. A letter names its option as well: behind "option" or "choice", behind "the answer is", or alone.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from conf.identity import name_key
from conf.outcome import Reason
from kg_spark.verification.lexicon import lexicon
from kg_spark.verification.words import Phrases, Words, stem, stems_of

Row = dict[str, Any]
Names = Mapping[str, tuple[str, ...]]

_MOST = 0.8  # of an option's words of content
_NEAR = 4
_ARTICLES, _BEING = frozenset({"the", "a", "an"}), frozenset(map(stem, ("is", "are", "was", "were", "be")))
_BEFORE_NOT = _BEING | {"so", "but"}
_PRAISE = frozenset({"right", "correct", "best"})
_DATASET = "dataset answer:"
_KEYS = (
    re.compile(r"\b(?i:option|choice)[\s:]+\(?(\w+)\b(?!-\w)"),
    # "The answer is A." and none of "is a drug", "is B cell lymphoma", "is E. coli".
    re.compile(r"\b(?i:answer(?: is|:))\s+\(?([A-Z])(?=[),;:]|\.(?!\s?[a-z])|\s*$)"),
    re.compile(r"^[\s.()]*(\w+)[\s.()]*$"),
)


def check_conclusion(
    conclusion: str, case: Row, option_key: str | None, links: list[Row], names: Names
) -> Iterator[tuple[int, Reason, str]]:
    """A finding where the conclusion does not name the option alone, or cannot.

    Args:
        conclusion: the last part of the chain.
        case: with the options, the answer's key and the answer.
        option_key: the option that the chain argues for; None where that cannot be told.
        links: of the question.
        names: of the linked nodes.
    """
    options = {option["key"]: option["text"] or "" for option in case["options"] or ()}
    if option_key is None:
        yield 0, Reason.WRONG_CONCLUSION, "which option the chain argues for cannot be told"
        return
    wanted = options.pop(option_key, "") or case["answer"] or ""
    same = [key for key, text in options.items() if _is_same(text, wanted)]
    if same:
        yield 0, Reason.AMBIGUOUS_ANSWER, f"{wanted!r} is option {same[0]} as well"
        return
    wrong = _wrong(conclusion, option_key, wanted, options, links, names)
    if wrong:
        yield 0, Reason.WRONG_CONCLUSION, wrong


def _is_same(one: str, other: str) -> bool:
    """Whether two options are one text, up to what a reader of conclusions tells apart."""
    return name_key(one) == name_key(other) or (any(map(str.isalnum, other)) and stems_of(one) == stems_of(other))


def _wrong(conclusion: str, key: str, wanted: str, others: Mapping[str, str], links: list[Row], names: Names) -> str:
    said = conclusion.strip()
    if said.casefold().startswith(_DATASET):
        said = said[len(_DATASET) :]
        return "" if name_key(said) == name_key(wanted) else f"it names {said.strip()!r}, not {wanted!r}"
    words = stems_of(said)
    spelled = {"": wanted, **others}
    keys = keys_said(said)
    of_nodes = _node_names(links, names)
    called = {each: {stems_of(text), *of_nodes.get(each or key, ())} for each, text in spelled.items()}
    named = _named(words, called) | (keys & others.keys())
    if any(_is_denied(words, form) for form in (stems_of(wanted), *_by_key(key))):
        return f"it denies {wanted!r}"
    if other := min(named - {""}, default=None):
        return f"it names option {other}, {others[other]!r}"
    if "" in named or key in keys:
        return ""
    shares = {each: _share(words, text) for each, text in spelled.items()}
    if shares[""] >= _MOST and all(shares[""] > share for each, share in shares.items() if each):
        return ""
    return f"it does not name {wanted!r}"


def _named(words: Words, options: Mapping[str, set[Words]]) -> set[str]:
    """The options one of whose forms stands among the words, the longest at each place."""
    forms = [(form, key) for key, called in options.items() for form in sorted(called) if any(map(str.isalnum, form))]
    return {forms[number][1] for _, _, number in Phrases(form for form, _ in forms).find(words)}


def _is_denied(words: Words, wanted: Words) -> bool:
    """Whether "not" stands right before what is wanted, or "is not the answer" behind it.

    "is not X" denies X; "must not get X" and "X is not given" may be what is asked.
    """
    found = Phrases([wanted]).find(words) if any(map(str.isalnum, wanted)) else []
    for start, end, _ in found:
        before = [word for word in words[max(0, start - _NEAR) : start] if word not in _ARTICLES]
        if before[-1:] == ["not"] and (not before[:-1] or before[-2] in _BEFORE_NOT):
            return True
        behind = [word for word in words[end : end + _NEAR + 1] if word not in _ARTICLES | _PRAISE]
        if behind[1:3] == ["not", "answer"] and behind[0] in _BEING:
            return True
    return False


def _by_key(key: str) -> list[Words]:
    """How the option is called by its key."""
    return [stems_of(f"{word} {mark}") for word in ("option", "choice") for mark in (key, f"({key})") if key]


def keys_said(text: str) -> set[str]:
    """The words that stand where an option's key would; whole ones, so that "option Albuterol" is no A."""
    return {match[1] for pattern in _KEYS for match in pattern.finditer(text)}


def _node_names(links: list[Row], names: Names) -> Mapping[str, set[Words]]:
    """Of each option the names of the nodes that it alone links to."""
    sides: dict[str, set[str]] = {}
    for link in links:
        if link["side"] != "question":
            sides.setdefault(link["node_id"], set()).add(link["option_key"] or "")
    found: dict[str, set[Words]] = {}
    for node, keys in sides.items():
        if len(keys) == 1:
            found.setdefault(next(iter(keys)), set()).update(stems_of(name) for name in names.get(node, ()) if name)
    return found


def _share(words: Words, text: str) -> float:
    """Share of the text's words of content that stand among the words."""
    known = lexicon()
    light = known.set("fillers") | known.set("prepositions") | known.set("be")
    content = {word for word in stems_of(text) if word.isalnum() and word not in light}
    return len(content & set(words)) / len(content) if content else 0.0
